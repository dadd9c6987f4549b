#include "enxerto/core/error.h"
#include "enxerto/kernels/reference/reference.h"

namespace enxerto::reference {
namespace {

class Conv : public Kernel {
 public:
  explicit Conv(const ConvSpec& spec) : spec_(spec) {}

  void forward(const std::vector<Block>& in, std::vector<Block>& params, Block& out, Rng) const override {
    out = zeros(spec_.out.size());
    for_each_product([&](std::size_t x, std::size_t w, std::size_t y) { out[y] += in[0][x] * params[0][w]; });
    for (std::size_t y = 0; y < out.size(); ++y) {
      if (spec_.bias) out[y] += params[1][channel_of(y)];
      if (spec_.residual) out[y] += in[1][y];
      out[y] = activate(spec_.activation, out[y]);
    }
  }

  void backward(const std::vector<Block>& in, const std::vector<Block>& params, const Block&,
                const Block& dout, std::vector<Block>& din, std::vector<Block>& dparams, Rng) const override {
    ensure(!spec_.residual && spec_.activation.kind == Activation::none,
           "a convolution that is trained has no residual and no activation");
    din = {zeros(spec_.in.size())};
    dparams = {zeros(static_cast<std::int64_t>(params[0].size()))};
    for_each_product([&](std::size_t x, std::size_t w, std::size_t y) {
      din[0][x] += dout[y] * params[0][w];
      dparams[0][w] += dout[y] * in[0][x];
    });
    if (!spec_.bias) return;
    dparams.push_back(zeros(spec_.out.c));
    for (std::size_t y = 0; y < dout.size(); ++y) dparams[1][channel_of(y)] += dout[y];
  }

 private:
  /// visit(x, w, y) for every product in[x] * weight[w] that out[y] is a sum of.
  template <class Visit>
  void for_each_product(Visit visit) const {
    const Shape &in = spec_.in, &out = spec_.out;
    const Window& v = spec_.window;
    const std::int64_t group_in = in.c / spec_.groups, group_out = out.c / spec_.groups;
    const Shape weight{.n = out.c, .c = group_in, .h = v.kernel_h, .w = v.kernel_w};
    for (std::int64_t n = 0; n < out.n; ++n)
      for (std::int64_t o = 0; o < out.c; ++o)
        for (std::int64_t h = 0; h < out.h; ++h)
          for (std::int64_t w = 0; w < out.w; ++w)
            for (std::int64_t i = 0; i < group_in; ++i)
              for (std::int64_t kh = 0; kh < v.kernel_h; ++kh)
                for (std::int64_t kw = 0; kw < v.kernel_w; ++kw) {
                  const std::int64_t from_h = h * v.stride_h - v.pad_top + kh * v.dilation_h;
                  const std::int64_t from_w = w * v.stride_w - v.pad_left + kw * v.dilation_w;
                  if (from_h < 0 || from_h >= in.h || from_w < 0 || from_w >= in.w) continue;
                  visit(place(in, n, o / group_out * group_in + i, from_h, from_w),
                        place(weight, o, i, kh, kw), place(out, n, o, h, w));
                }
  }

  std::size_t channel_of(std::size_t y) const {
    return y / static_cast<std::size_t>(spec_.out.h * spec_.out.w) % static_cast<std::size_t>(spec_.out.c);
  }

  ConvSpec spec_;
};

}  // namespace

std::unique_ptr<Kernel> conv(const ConvSpec& spec) { return std::make_unique<Conv>(spec); }

}  // namespace enxerto::reference
