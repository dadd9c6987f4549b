#include "enxerto/kernels/reference/reference.h"

namespace enxerto::reference {
namespace {

class Affine : public Kernel {
 public:
  explicit Affine(const AffineSpec& spec) : spec_(spec) {}

  void forward(const std::vector<Block>& in, std::vector<Block>& params, Block& out, Rng) const override {
    out = in[0];
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = out[i] * params[0][number(i)] + params[1][number(i)];
  }

  void backward(const std::vector<Block>& in, const std::vector<Block>& params, const Block&,
                const Block& dout, std::vector<Block>& din, std::vector<Block>& dparams, Rng) const override {
    din = {dout};
    dparams.assign(2, zeros(static_cast<std::int64_t>(params[0].size())));
    for (std::size_t i = 0; i < dout.size(); ++i) {
      din[0][i] *= params[0][number(i)];
      dparams[0][number(i)] += dout[i] * in[0][i];
      dparams[1][number(i)] += dout[i];
    }
  }

 private:
  /// The weight and bias that element i has.
  std::size_t number(std::size_t i) const {
    const Shape& s = spec_.shape;
    const auto pixels = static_cast<std::size_t>(s.h * s.w), channels = static_cast<std::size_t>(s.c);
    return spec_.per_element ? i % (channels * pixels) : i / pixels % channels;
  }
  AffineSpec spec_;
};

}  // namespace

std::unique_ptr<Kernel> affine(const AffineSpec& spec) { return std::make_unique<Affine>(spec); }

}  // namespace enxerto::reference
