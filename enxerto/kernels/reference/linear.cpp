#include "enxerto/core/error.h"
#include "enxerto/kernels/reference/reference.h"

namespace enxerto::reference {
namespace {

class Linear : public Kernel {
 public:
  explicit Linear(const LinearSpec& spec)
      : spec_(spec),
        rows_(static_cast<std::size_t>(spec.in.n)),
        features_(static_cast<std::size_t>(spec.in.c * spec.in.h * spec.in.w)),
        outputs_(static_cast<std::size_t>(spec.out.c)) {}

  void forward(const std::vector<Block>& in, std::vector<Block>& params, Block& out, Rng) const override {
    out = zeros(spec_.out.size());
    for (std::size_t n = 0; n < rows_; ++n)
      for (std::size_t o = 0; o < outputs_; ++o) {
        double sum = spec_.bias ? params[1][o] : 0.0;
        for (std::size_t i = 0; i < features_; ++i)
          sum += in[0][n * features_ + i] * params[0][o * features_ + i];
        out[n * outputs_ + o] = activate(spec_.activation, sum);
      }
  }

  void backward(const std::vector<Block>& in, const std::vector<Block>& params, const Block&,
                const Block& dout, std::vector<Block>& din, std::vector<Block>& dparams, Rng) const override {
    ensure(spec_.activation.kind == Activation::none, "a linear layer that is trained has no activation");
    din = {zeros(spec_.in.size())};
    dparams = {zeros(static_cast<std::int64_t>(outputs_ * features_))};
    if (spec_.bias) dparams.push_back(zeros(spec_.out.c));
    for (std::size_t n = 0; n < rows_; ++n)
      for (std::size_t o = 0; o < outputs_; ++o) {
        const double dy = dout[n * outputs_ + o];
        for (std::size_t i = 0; i < features_; ++i) {
          din[0][n * features_ + i] += dy * params[0][o * features_ + i];
          dparams[0][o * features_ + i] += dy * in[0][n * features_ + i];
        }
        if (spec_.bias) dparams[1][o] += dy;
      }
  }

 private:
  LinearSpec spec_;
  std::size_t rows_, features_, outputs_;
};

}  // namespace

std::unique_ptr<Kernel> linear(const LinearSpec& spec) { return std::make_unique<Linear>(spec); }

}  // namespace enxerto::reference
