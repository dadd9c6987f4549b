#include <cmath>

#include "enxerto/kernels/reference/reference.h"

namespace enxerto::reference {
namespace {

class BatchNorm : public Kernel {
 public:
  explicit BatchNorm(const BatchNormSpec& spec)
      : spec_(spec), values_(static_cast<double>(spec.shape.n * spec.shape.h * spec.shape.w)) {}

  void forward(const std::vector<Block>& in, std::vector<Block>& params, Block& out, Rng) const override {
    out = zeros(spec_.shape.size());
    for (std::int64_t c = 0; c < spec_.shape.c; ++c) {
      const auto at = static_cast<std::size_t>(c);
      const Moments m = moments(in[0], params, c);
      for_each(c, [&](std::size_t i) {
        const double y = params[0][at] * (in[0][i] - m.mean) / m.deviation + params[1][at];
        out[i] = activate(spec_.activation, spec_.residual ? y + in[1][i] : y);
      });
      if (!spec_.batch_statistics) continue;
      const double share = spec_.momentum, unbiased = m.variance * values_ / (values_ - 1);
      params[2][at] = (1 - share) * params[2][at] + share * m.mean;
      params[3][at] = (1 - share) * params[3][at] + share * unbiased;
    }
  }

  void backward(const std::vector<Block>& in, const std::vector<Block>& params, const Block& out,
                const Block& dout, std::vector<Block>& din, std::vector<Block>& dparams, Rng) const override {
    din.assign(spec_.residual ? 2 : 1, zeros(spec_.shape.size()));
    dparams = {zeros(spec_.shape.c), zeros(spec_.shape.c), {}, {}};
    for (std::int64_t c = 0; c < spec_.shape.c; ++c) {
      const auto at = static_cast<std::size_t>(c);
      const Moments m = moments(in[0], params, c);
      const auto normal = [&](std::size_t i) { return (in[0][i] - m.mean) / m.deviation; };
      // relu passes the gradient where its output is positive, relu6 where it is below 6 too.
      const auto dy = [&](std::size_t i) {
        if (spec_.activation.kind == Activation::none) return dout[i];
        if (spec_.activation.kind == Activation::hard_swish)
          return dout[i] * activate_slope(spec_.activation, params[0][at] * normal(i) + params[1][at]);
        const bool passes = out[i] > 0 && (spec_.activation.kind == Activation::relu || out[i] < 6);
        return passes ? dout[i] : 0.0;
      };
      double &dgamma = dparams[0][at], &dbeta = dparams[1][at];
      for_each(c, [&](std::size_t i) {
        dgamma += dy(i) * normal(i);
        dbeta += dy(i);
      });
      for_each(c, [&](std::size_t i) {
        double dx = dy(i);
        if (spec_.batch_statistics) dx -= (dbeta + normal(i) * dgamma) / values_;
        din[0][i] = dx * params[0][at] / m.deviation;
        if (spec_.residual) din[1][i] = dy(i);
      });
    }
  }

 private:
  struct Moments {
    double mean, variance, deviation;  ///< deviation with eps
  };

  Moments moments(const Block& x, const std::vector<Block>& params, std::int64_t c) const {
    const auto at = static_cast<std::size_t>(c);
    double mean = 0, variance = 0;
    if (spec_.batch_statistics) {
      for_each(c, [&](std::size_t i) { mean += x[i] / values_; });
      for_each(c, [&](std::size_t i) { variance += (x[i] - mean) * (x[i] - mean) / values_; });
    } else {
      mean = params[2][at];
      variance = params[3][at];
    }
    return {mean, variance, std::sqrt(variance + spec_.eps)};
  }

  template <class Visit>
  void for_each(std::int64_t c, Visit visit) const {
    for (std::int64_t n = 0; n < spec_.shape.n; ++n)
      for (std::int64_t h = 0; h < spec_.shape.h; ++h)
        for (std::int64_t w = 0; w < spec_.shape.w; ++w) visit(place(spec_.shape, n, c, h, w));
  }

  BatchNormSpec spec_;
  double values_;  ///< per channel
};

}  // namespace

std::unique_ptr<Kernel> batch_norm(const BatchNormSpec& spec) { return std::make_unique<BatchNorm>(spec); }

}  // namespace enxerto::reference
