#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/kernels/reference/reference.h"

namespace enxerto::reference {
namespace {

class Pool : public Kernel {
 public:
  explicit Pool(const PoolSpec& spec) : spec_(spec) {}

  void forward(const std::vector<Block>& in, std::vector<Block>&, Block& out, Rng) const override {
    out = zeros(spec_.out.size());
    for_each_window([&](std::size_t y, const std::vector<std::size_t>& inside, double counted) {
      if (spec_.maximum)
        out[y] = in[0][first_maximum(in[0], inside)];
      else
        for (const std::size_t x : inside) out[y] += in[0][x] / counted;
    });
  }

  void backward(const std::vector<Block>& in, const std::vector<Block>&, const Block&, const Block& dout,
                std::vector<Block>& din, std::vector<Block>& dparams, Rng) const override {
    din = {zeros(spec_.in.size())};
    dparams.clear();
    for_each_window([&](std::size_t y, const std::vector<std::size_t>& inside, double counted) {
      if (spec_.maximum)
        din[0][first_maximum(in[0], inside)] += dout[y];
      else
        for (const std::size_t x : inside) din[0][x] += dout[y] / counted;
    });
  }

 private:
  static std::size_t first_maximum(const Block& in, const std::vector<std::size_t>& inside) {
    return *std::ranges::max_element(inside, {}, [&](std::size_t x) { return in[x]; });
  }

  /// visit(output, inputs of its window inside the picture, what a mean divides by).
  template <class Visit>
  void for_each_window(Visit visit) const {
    const Shape &in = spec_.in, &out = spec_.out;
    const Window& v = spec_.window;
    std::vector<std::size_t> inside;
    for (std::int64_t n = 0; n < out.n; ++n)
      for (std::int64_t c = 0; c < out.c; ++c)
        for (std::int64_t h = 0; h < out.h; ++h)
          for (std::int64_t w = 0; w < out.w; ++w) {
            inside.clear();
            double padded = 0;
            for (std::int64_t kh = 0; kh < v.kernel_h; ++kh)
              for (std::int64_t kw = 0; kw < v.kernel_w; ++kw) {
                const std::int64_t from_h = h * v.stride_h - v.pad_top + kh * v.dilation_h;
                const std::int64_t from_w = w * v.stride_w - v.pad_left + kw * v.dilation_w;
                if (from_h < in.h + v.pad_bottom && from_w < in.w + v.pad_right) ++padded;
                if (from_h >= 0 && from_h < in.h && from_w >= 0 && from_w < in.w)
                  inside.push_back(place(in, n, c, from_h, from_w));
              }
            ensure(!inside.empty() || (!spec_.maximum && spec_.count_include_pad),
                   "every window has a pixel of the picture, or padding that counts");
            visit(place(out, n, c, h, w), inside,
                  spec_.count_include_pad ? padded : static_cast<double>(inside.size()));
          }
  }

  PoolSpec spec_;
};

class AdaptivePool : public Kernel {
 public:
  explicit AdaptivePool(const AdaptivePoolSpec& spec) : spec_(spec) {}

  void forward(const std::vector<Block>& in, std::vector<Block>&, Block& out, Rng) const override {
    out = zeros(spec_.out.size());
    for_each_share([&](std::size_t x, std::size_t y, double share) { out[y] += share * in[0][x]; });
  }

  void backward(const std::vector<Block>&, const std::vector<Block>&, const Block&, const Block& dout,
                std::vector<Block>& din, std::vector<Block>& dparams, Rng) const override {
    din = {zeros(spec_.in.size())};
    dparams.clear();
    for_each_share([&](std::size_t x, std::size_t y, double share) { din[0][x] += share * dout[y]; });
  }

 private:
  /// visit(input, output of whose mean it is a part, how large a part).
  template <class Visit>
  void for_each_share(Visit visit) const {
    const Shape &in = spec_.in, &out = spec_.out;
    for (std::int64_t n = 0; n < out.n; ++n)
      for (std::int64_t c = 0; c < out.c; ++c)
        for (std::int64_t h = 0; h < out.h; ++h)
          for (std::int64_t w = 0; w < out.w; ++w) {
            const std::int64_t top = h * in.h / out.h, bottom = ((h + 1) * in.h + out.h - 1) / out.h;
            const std::int64_t left = w * in.w / out.w, right = ((w + 1) * in.w + out.w - 1) / out.w;
            const double share = 1.0 / static_cast<double>((bottom - top) * (right - left));
            for (std::int64_t y = top; y < bottom; ++y)
              for (std::int64_t x = left; x < right; ++x)
                visit(place(in, n, c, y, x), place(out, n, c, h, w), share);
          }
  }

  AdaptivePoolSpec spec_;
};

}  // namespace

std::unique_ptr<Kernel> adaptive_pool(const AdaptivePoolSpec& spec) {
  return std::make_unique<AdaptivePool>(spec);
}
std::unique_ptr<Kernel> pool(const PoolSpec& spec) { return std::make_unique<Pool>(spec); }

}  // namespace enxerto::reference
