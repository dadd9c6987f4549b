#include <algorithm>
#include <cmath>

#include "enxerto/kernels/reference/reference.h"

namespace enxerto::reference {
namespace {

class Softmax : public Kernel {
 public:
  explicit Softmax(const SoftmaxSpec& spec) : spec_(spec) {}

  void forward(const std::vector<Block>& in, std::vector<Block>&, Block& out, Rng) const override {
    out = in[0];
    for_each_pixel([&](const std::vector<std::size_t>& channels) {
      double largest = in[0][channels[0]], sum = 0;
      for (const std::size_t i : channels) largest = std::max(largest, in[0][i]);
      for (const std::size_t i : channels) sum += out[i] = std::exp(in[0][i] - largest);
      for (const std::size_t i : channels) out[i] /= sum;
    });
  }

  void backward(const std::vector<Block>&, const std::vector<Block>&, const Block& out, const Block& dout,
                std::vector<Block>& din, std::vector<Block>& dparams, Rng) const override {
    din = {zeros(spec_.shape.size())};
    dparams.clear();
    for_each_pixel([&](const std::vector<std::size_t>& channels) {
      double mean = 0;
      for (const std::size_t i : channels) mean += dout[i] * out[i];
      for (const std::size_t i : channels) din[0][i] = out[i] * (dout[i] - mean);
    });
  }

 private:
  /// visit(where the channels of one pixel lie).
  template <class Visit>
  void for_each_pixel(Visit visit) const {
    std::vector<std::size_t> channels(static_cast<std::size_t>(spec_.shape.c));
    for (std::int64_t n = 0; n < spec_.shape.n; ++n)
      for (std::int64_t h = 0; h < spec_.shape.h; ++h)
        for (std::int64_t w = 0; w < spec_.shape.w; ++w) {
          for (std::int64_t c = 0; c < spec_.shape.c; ++c)
            channels[static_cast<std::size_t>(c)] = place(spec_.shape, n, c, h, w);
          visit(channels);
        }
  }

  SoftmaxSpec spec_;
};

}  // namespace

std::unique_ptr<Kernel> softmax(const SoftmaxSpec& spec) { return std::make_unique<Softmax>(spec); }

}  // namespace enxerto::reference
