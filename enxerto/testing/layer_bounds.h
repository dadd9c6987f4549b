/// How far a layer's fast kernels may be from its reference, element by element.
#pragma once

#include <algorithm>
#include <cmath>
#include <variant>
#include <vector>

#include "enxerto/kernels/reference/reference.h"
#include "enxerto/layers/layers.h"
#include "enxerto/testing/run_op.h"
#include "enxerto/testing/tolerance.h"

namespace enxerto::tests {

using Doubles = std::vector<double>;

/// Bounds on what Made holds, in its order.
struct Bounds {
  Doubles out;
  std::vector<Doubles> params, din, dparams;
};

/// A layer, what it was planned for and given, and what its reference made of it.
struct BoundsCase {
  const PlanArgs& args;
  const Given& given;
  const RunChoices& how;
  const Made& wanted;

  const Shape& shape(std::size_t input) const { return args.in[input].shape; }
  std::int64_t pixels() const { return shape(0).h * shape(0).w; }
  std::size_t channel(std::size_t i) const {
    return i / static_cast<std::size_t>(pixels()) % static_cast<std::size_t>(shape(0).c);
  }
};

/// bound(i) for each element i of `values`.
template <class Bound>
Doubles each(const Floats& values, Bound bound) {
  Doubles made(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) made[i] = bound(i);
  return made;
}

/// What is only moved: equal bits.
inline Bounds exact(const Made& wanted) {
  Bounds bounds{.out = Doubles(wanted.out.size()), .params = {}, .din = {}, .dparams = {}};
  for (const Floats& block : wanted.params) bounds.params.emplace_back(block.size());
  for (const Floats& block : wanted.din) bounds.din.emplace_back(block.size());
  for (const Floats& block : wanted.dparams) bounds.dparams.emplace_back(block.size());
  return bounds;
}

/// One rounding of what came out.
inline Doubles rounded(const Floats& wanted) {
  return each(wanted, [&](std::size_t i) { return kernel_bound(1, std::abs(wanted[i])); });
}

template <class Map>
Given mapped(Given given, Map map) {
  for (std::vector<Floats>* blocks : {&given.in, &given.params})
    for (Floats& block : *blocks) std::ranges::transform(block, block.begin(), map);
  std::ranges::transform(given.dout, given.dout.begin(), map);
  return given;
}
inline float absolute(float x) { return std::abs(x); }
inline float one(float) { return 1.0f; }

inline Doubles sum_bound(const Floats& products, const Floats& magnitude) {
  return each(magnitude, [&](std::size_t i) { return kernel_bound(products[i], magnitude[i]); });
}

/// The error that computing f(x) adds, x being right.
inline double activation_bound(const ActivationSpec& spec, double x) {
  const double y = std::abs(reference::activate(spec, x));
  const double conditioned = y + std::abs(x * reference::activate_slope(spec, x));
  switch (spec.kind) {
    case Activation::none:
    case Activation::relu:
    case Activation::relu6:
      return 0;
    case Activation::leaky_relu:
      return kernel_bound(1, y);
    case Activation::hard_sigmoid:
    case Activation::hard_swish:
      return kernel_bound(4, conditioned);
    default:
      return kernel_bound(transcendental_products, conditioned);
  }
}

/// The error of dy * f'(x); slopes are sums like 1 - y^2 of numbers about 1.
inline double slope_bound(const ActivationSpec& spec, double x, double dy) {
  const double slope = std::abs(reference::activate_slope(spec, x));
  switch (spec.kind) {
    case Activation::none:
    case Activation::relu:
    case Activation::relu6:
      return 0;
    case Activation::leaky_relu:
      return kernel_bound(1, std::abs(dy) * slope);
    case Activation::hard_sigmoid:
    case Activation::hard_swish:
      return kernel_bound(4, std::abs(dy) * (slope + 1));
    default:
      return kernel_bound(transcendental_products, std::abs(dy) * (slope + 1));
  }
}

/// Sums of products: the reference on absolute values, and on ones to count the products.
template <class L>
Bounds sums_of_products(L layer, const BoundsCase& c) {
  const ActivationSpec fused{layer.activation, layer.alpha};
  layer.activation = Activation::none;
  PlanArgs args = c.args;
  args.in.resize(1);
  args.reference = true;
  const auto run = [&](Given given) {
    given.in.resize(1);
    return run_op(*layer.plan(args), given, c.how);
  };
  const Made products = run(mapped(c.given, one)), magnitude = run(mapped(c.given, absolute));
  Bounds bounds = exact(c.wanted);
  bounds.out = sum_bound(products.out, magnitude.out);
  if (c.given.in.size() == 2)
    bounds.out = each(magnitude.out, [&](std::size_t i) {
      return kernel_bound(products.out[i] + 1.0, magnitude.out[i] + std::abs(c.given.in[1][i]));
    });
  if (fused.kind != Activation::none) {
    Made sums = run(c.given);
    if (c.given.in.size() == 2)
      for (std::size_t i = 0; i < sums.out.size(); ++i) sums.out[i] += c.given.in[1][i];
    constexpr double steepest = 1.5;  // hard swish at 3
    for (std::size_t i = 0; i < bounds.out.size(); ++i)
      bounds.out[i] = steepest * bounds.out[i] + activation_bound(fused, sums.out[i]);
  }
  for (std::size_t i = 0; i < c.wanted.din.size(); ++i)
    if (!c.wanted.din[i].empty()) bounds.din[i] = sum_bound(products.din[i], magnitude.din[i]);
  for (std::size_t i = 0; i < c.wanted.dparams.size(); ++i)
    if (!c.wanted.dparams[i].empty())
      bounds.dparams[i] = sum_bound(products.dparams[i], magnitude.dparams[i]);
  return bounds;
}

inline Bounds bounds_of(const Conv2d& layer, const BoundsCase& c) { return sums_of_products(layer, c); }
inline Bounds bounds_of(const Linear& layer, const BoundsCase& c) { return sums_of_products(layer, c); }

/// Mean and deviation are sums over a channel whose own errors go into every element.
inline Bounds bounds_of(const BatchNorm& layer, const BoundsCase& c) {
  const Floats &x = c.given.in[0], &gamma = c.given.params[0], &beta = c.given.params[1];
  const auto channels = static_cast<std::size_t>(c.shape(0).c);
  const double values = static_cast<double>(c.shape(0).n * c.pixels());
  const double products = c.args.train ? values : 4;
  Doubles mean(channels), absolute_mean(channels), variance(channels), deviation(channels), spread(channels);
  for (std::size_t i = 0; i < x.size(); ++i) {
    mean[c.channel(i)] += x[i] / values;
    absolute_mean[c.channel(i)] += std::abs(x[i]) / values;
  }
  for (std::size_t i = 0; i < x.size(); ++i)
    variance[c.channel(i)] += (x[i] - mean[c.channel(i)]) * (x[i] - mean[c.channel(i)]) / values;
  for (std::size_t k = 0; k < channels; ++k) {
    if (!c.args.train) {
      mean[k] = c.given.params[2][k];
      absolute_mean[k] = std::abs(mean[k]);
      variance[k] = c.given.params[3][k];
    }
    deviation[k] = std::sqrt(variance[k] + static_cast<double>(layer.eps));
    spread[k] = absolute_mean[k] / deviation[k];
  }
  // What the errors of x - mean, and with batch statistics of the deviation, are relative to.
  const auto normal = [&](std::size_t i) {
    const std::size_t k = c.channel(i);
    const double subtracted = std::abs(x[i]) / deviation[k] + spread[k];
    return c.args.train ? subtracted + std::abs(x[i] - mean[k]) / deviation[k] * (1 + spread[k]) : subtracted;
  };

  // hard_swish, whose slope is at most 1.5 and, away from its kinks, changes by a third of what its argument
  // does.
  const bool swish = layer.activation == Activation::hard_swish;
  const auto dy = [&](std::size_t i) {
    const double argument = std::abs(gamma[c.channel(i)]) * normal(i) + std::abs(beta[c.channel(i)]);
    return std::abs(c.given.dout[i]) * (swish ? 1.5 + argument / 3 : 1);
  };

  Bounds bounds = exact(c.wanted);
  bounds.out = each(c.wanted.out, [&](std::size_t i) {
    const double residual = c.given.in.size() == 2 ? std::abs(c.given.in[1][i]) : 0.0;
    return kernel_bound(products, (swish ? 1.5 : 1) * (std::abs(gamma[c.channel(i)]) * normal(i) +
                                                       std::abs(beta[c.channel(i)]) + residual));
  });
  if (c.args.train)
    for (std::size_t k = 0; k < channels; ++k) {
      const double share = static_cast<double>(layer.momentum), unbiased = values / (values - 1);
      bounds.params[2][k] =
          kernel_bound(values, (1 - share) * std::abs(c.given.params[2][k]) + share * absolute_mean[k]);
      bounds.params[3][k] =
          kernel_bound(values, (1 - share) * c.given.params[3][k] +
                                   share * unbiased * (variance[k] + absolute_mean[k] * deviation[k]));
    }
  if (!c.how.backward()) return bounds;

  Doubles dgamma(channels), dbeta(channels);
  for (std::size_t i = 0; i < x.size(); ++i) {
    dgamma[c.channel(i)] += dy(i) * normal(i);
    dbeta[c.channel(i)] += dy(i);
  }
  if (!c.wanted.din.empty() && !c.wanted.din[0].empty())
    bounds.din[0] = each(c.wanted.din[0], [&](std::size_t i) {
      const std::size_t k = c.channel(i);
      double sum = dy(i);
      if (c.args.train) sum = (sum + (dbeta[k] + normal(i) * dgamma[k]) / values) * (1 + spread[k]);
      return kernel_bound(products, std::abs(gamma[k]) / deviation[k] * sum);
    });
  const auto per_channel = [&](const Doubles& magnitude) {
    Doubles made(channels);
    for (std::size_t k = 0; k < channels; ++k) made[k] = kernel_bound(values, magnitude[k]);
    return made;
  };
  if (!c.wanted.dparams[0].empty()) bounds.dparams[0] = per_channel(dgamma);
  if (!c.wanted.dparams[1].empty()) bounds.dparams[1] = per_channel(dbeta);
  return bounds;
}

inline Bounds bounds_of(const Activate& layer, const BoundsCase& c) {
  const ActivationSpec spec{layer.function, layer.alpha};
  Bounds bounds = exact(c.wanted);
  bounds.out = each(c.wanted.out, [&](std::size_t i) { return activation_bound(spec, c.given.in[0][i]); });
  if (c.how.backward())
    bounds.din[0] = each(c.wanted.din[0],
                         [&](std::size_t i) { return slope_bound(spec, c.given.in[0][i], c.given.dout[i]); });
  return bounds;
}

/// What the reference of a window makes of |dout|, and of ones, which counts windows.
struct WindowGradients {
  Floats magnitude, count;
};
template <class L>
WindowGradients gradients_of_windows(const L& layer, const BoundsCase& c) {
  PlanArgs args = c.args;
  args.reference = true;
  Given magnitude = c.given, count = c.given;
  std::ranges::transform(c.given.dout, magnitude.dout.begin(), absolute);
  std::ranges::transform(c.given.dout, count.dout.begin(), one);
  return {run_op(*layer.plan(args), magnitude, c.how).din[0], run_op(*layer.plan(args), count, c.how).din[0]};
}

inline Bounds bounds_of(const MaxPool2d& layer, const BoundsCase& c) {
  Bounds bounds = exact(c.wanted);
  if (!c.how.backward()) return bounds;
  const WindowGradients windows = gradients_of_windows(layer, c);
  bounds.din[0] = each(c.wanted.din[0], [&](std::size_t i) {
    return windows.count[i] <= 1 ? 0.0 : kernel_bound(windows.count[i], windows.magnitude[i]);
  });
  return bounds;
}

template <class L>
Bounds bounds_of_means(const L& layer, double window, const BoundsCase& c) {
  Bounds bounds = exact(c.wanted);
  PlanArgs args = c.args;
  args.reference = true;
  const Made magnitude = run_op(*layer.plan(args), mapped(c.given, absolute), {});
  bounds.out = each(c.wanted.out, [&](std::size_t i) { return kernel_bound(window, magnitude.out[i]); });
  if (!c.how.backward()) return bounds;
  const WindowGradients windows = gradients_of_windows(layer, c);
  bounds.din[0] = each(c.wanted.din[0], [&](std::size_t i) {
    // A mean's gradients are shares of a window, so their count is one of shares.
    return kernel_bound(std::max(1.0, window * static_cast<double>(windows.count[i])), windows.magnitude[i]);
  });
  return bounds;
}

inline Bounds bounds_of(const AvgPool2d& layer, const BoundsCase& c) {
  return bounds_of_means(layer, layer.kernel.h * layer.kernel.w, c);
}
inline Bounds bounds_of(const AdaptiveAvgPool2d& layer, const BoundsCase& c) {
  const auto widest = [](std::int64_t in, std::int64_t out) { return in / out + 2; };
  return bounds_of_means(
      layer, static_cast<double>(widest(c.shape(0).h, layer.out.h) * widest(c.shape(0).w, layer.out.w)), c);
}
inline Bounds bounds_of(const GlobalAvgPool& layer, const BoundsCase& c) {
  return bounds_of_means(layer, static_cast<double>(c.pixels()), c);
}

inline Bounds bounds_of(const LocalResponseNorm& layer, const BoundsCase& c) {
  const double products = layer.size + transcendental_products;
  Bounds bounds = exact(c.wanted);
  bounds.out =
      each(c.wanted.out, [&](std::size_t i) { return kernel_bound(products, std::abs(c.wanted.out[i])); });
  if (!c.how.backward()) return bounds;
  // With x and dout positive the gradient is a - b, a = |dout| y / x; absolute values add up to a + b.
  PlanArgs args = c.args;
  args.reference = true;
  const Made positive = run_op(*layer.plan(args), mapped(c.given, absolute), c.how);
  bounds.din[0] = each(c.wanted.din[0], [&](std::size_t i) {
    const double a = std::abs(c.given.dout[i] * c.wanted.out[i] / c.given.in[0][i]);
    return kernel_bound(products, 2 * a - positive.din[0][i]);
  });
  return bounds;
}

inline Bounds bounds_of(const Dropout&, const BoundsCase& c) {
  Bounds bounds = exact(c.wanted);
  if (!c.args.train) return bounds;
  bounds.out = rounded(c.wanted.out);
  if (c.how.backward()) bounds.din[0] = rounded(c.wanted.din[0]);
  return bounds;
}

/// exp(x - largest) has the error of its argument as a relative one.
inline Bounds bounds_of(const Softmax&, const BoundsCase& c) {
  const auto channels = static_cast<std::size_t>(c.shape(0).c), pixels = static_cast<std::size_t>(c.pixels());
  const double products = static_cast<double>(channels) + transcendental_products;
  Bounds bounds = exact(c.wanted);
  for (std::size_t start = 0; start < c.wanted.out.size(); start += channels * pixels)
    for (std::size_t p = start; p < start + pixels; ++p) {
      double largest = -INFINITY, smallest = INFINITY, mean = 0;
      for (std::size_t i = p; i < p + channels * pixels; i += pixels) {
        largest = std::max<double>(largest, c.given.in[0][i]);
        smallest = std::min<double>(smallest, c.given.in[0][i]);
        if (c.how.backward()) mean += std::abs(c.given.dout[i] * c.wanted.out[i]);
      }
      for (std::size_t i = p; i < p + channels * pixels; i += pixels) {
        const double y = c.wanted.out[i];
        bounds.out[i] = kernel_bound(products, y * (1 + largest - static_cast<double>(c.given.in[0][i])));
        if (c.how.backward())
          bounds.din[0][i] =
              kernel_bound(products, y * (std::abs(c.given.dout[i]) + mean) * (1 + largest - smallest));
      }
    }
  return bounds;
}

inline Bounds bounds_of(const Flatten&, const BoundsCase& c) { return exact(c.wanted); }
inline Bounds bounds_of(const Concat&, const BoundsCase& c) { return exact(c.wanted); }
inline Bounds bounds_of(const ChannelPad&, const BoundsCase& c) { return exact(c.wanted); }

/// Gradients of what is repeated are sums.
inline Bounds bounds_of(const Rearrange& layer, const BoundsCase& c) {
  Bounds bounds = exact(c.wanted);
  if (!c.how.backward()) return bounds;
  const WindowGradients repeats = gradients_of_windows(layer, c);
  bounds.din[0] = each(c.wanted.din[0], [&](std::size_t i) {
    return repeats.count[i] <= 1 ? 0.0 : kernel_bound(repeats.count[i], repeats.magnitude[i]);
  });
  return bounds;
}

inline Bounds bounds_of(const Affine& layer, const BoundsCase& c) {
  const Floats &x = c.given.in[0], &weight = c.given.params[0], &bias = c.given.params[1];
  const auto number = [&](std::size_t i) { return layer.per_element ? i % weight.size() : c.channel(i); };
  Bounds bounds = exact(c.wanted);
  bounds.out = each(c.wanted.out, [&](std::size_t i) {
    return kernel_bound(2, std::abs(x[i] * weight[number(i)]) + std::abs(bias[number(i)]));
  });
  if (!c.how.backward()) return bounds;
  if (!c.wanted.din.empty()) bounds.din[0] = rounded(c.wanted.din[0]);
  Doubles dweight(weight.size()), dbias(bias.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    dweight[number(i)] += std::abs(c.given.dout[i] * x[i]);
    dbias[number(i)] += std::abs(c.given.dout[i]);
  }
  const double products = static_cast<double>(x.size() / weight.size());
  const auto sums = [&](const Doubles& magnitude) {
    Doubles made(magnitude.size());
    for (std::size_t k = 0; k < made.size(); ++k) made[k] = kernel_bound(products, magnitude[k]);
    return made;
  };
  if (!c.wanted.dparams[0].empty()) bounds.dparams[0] = sums(dweight);
  if (!c.wanted.dparams[1].empty()) bounds.dparams[1] = sums(dbias);
  return bounds;
}

inline Bounds bounds_of(const Add&, const BoundsCase& c) {
  Bounds bounds = exact(c.wanted);
  bounds.out = rounded(c.wanted.out);
  return bounds;
}

inline Bounds bounds_of(const Multiply&, const BoundsCase& c) {
  Bounds bounds = exact(c.wanted);
  bounds.out = rounded(c.wanted.out);
  for (std::size_t input = 0; input < c.wanted.din.size(); ++input) {
    if (c.wanted.din[input].empty()) continue;
    bounds.din[input] = rounded(c.wanted.din[input]);
    if (c.wanted.din[input].size() == c.wanted.out.size()) continue;
    // One number per channel: a sum over its pixels.
    const auto pixels = static_cast<std::size_t>(c.pixels());
    Doubles magnitude(c.wanted.din[input].size());
    for (std::size_t i = 0; i < c.given.dout.size(); ++i)
      magnitude[i / pixels] += std::abs(c.given.dout[i] * c.given.in[0][i]);
    bounds.din[input] = each(c.wanted.din[input], [&](std::size_t i) {
      return kernel_bound(static_cast<double>(pixels), magnitude[i]);
    });
  }
  return bounds;
}

inline Bounds bounds_of(const Input&, const BoundsCase& c) { return exact(c.wanted); }

inline Bounds layer_bounds(const AnyLayer& layer, const BoundsCase& c) {
  return std::visit([&](const auto& l) { return bounds_of(l, c); }, layer);
}

}  // namespace enxerto::tests
