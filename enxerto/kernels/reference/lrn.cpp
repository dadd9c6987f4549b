#include <algorithm>
#include <cmath>

#include "enxerto/kernels/reference/reference.h"

namespace enxerto::reference {
namespace {

class Lrn : public Kernel {
 public:
  explicit Lrn(const LrnSpec& spec) : spec_(spec) {}

  void forward(const std::vector<Block>& in, std::vector<Block>&, Block& out, Rng) const override {
    out = zeros(spec_.shape.size());
    for_each([&](std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
      const std::size_t i = place(spec_.shape, n, c, h, w);
      out[i] = in[0][i] * std::pow(base(in[0], n, c, h, w), -spec_.beta);
    });
  }

  void backward(const std::vector<Block>& in, const std::vector<Block>&, const Block&, const Block& dout,
                std::vector<Block>& din, std::vector<Block>& dparams, Rng) const override {
    din = {zeros(spec_.shape.size())};
    dparams.clear();
    // y_c = x_c b_c^-beta with b_c = k + alpha/size sum x_j^2, so dy_c/dx_j has the slope of x_c for j = c,
    // and of b_c for every j around c.
    for_each([&](std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
      const std::size_t i = place(spec_.shape, n, c, h, w);
      const double b = base(in[0], n, c, h, w);
      din[0][i] += dout[i] * std::pow(b, -spec_.beta);
      const double db = dout[i] * in[0][i] * -spec_.beta * std::pow(b, -spec_.beta - 1);
      for (std::int64_t j = first(c); j <= last(c); ++j) {
        const std::size_t beside = place(spec_.shape, n, j, h, w);
        din[0][beside] += db * 2 * scale() * in[0][beside];
      }
    });
  }

 private:
  double scale() const { return static_cast<double>(spec_.alpha) / static_cast<double>(spec_.size); }
  std::int64_t first(std::int64_t c) const { return std::max<std::int64_t>(c - spec_.size / 2, 0); }
  std::int64_t last(std::int64_t c) const { return std::min(c + spec_.size / 2, spec_.shape.c - 1); }

  double base(const Block& x, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) const {
    double sum = 0;
    for (std::int64_t j = first(c); j <= last(c); ++j) {
      const double beside = x[place(spec_.shape, n, j, h, w)];
      sum += beside * beside;
    }
    return spec_.k + scale() * sum;
  }

  template <class Visit>
  void for_each(Visit visit) const {
    for (std::int64_t n = 0; n < spec_.shape.n; ++n)
      for (std::int64_t c = 0; c < spec_.shape.c; ++c)
        for (std::int64_t h = 0; h < spec_.shape.h; ++h)
          for (std::int64_t w = 0; w < spec_.shape.w; ++w) visit(n, c, h, w);
  }

  LrnSpec spec_;
};

}  // namespace

std::unique_ptr<Kernel> lrn(const LrnSpec& spec) { return std::make_unique<Lrn>(spec); }

}  // namespace enxerto::reference
