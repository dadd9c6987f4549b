/// What may differ by how much. Every bound of the tests stands here.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstring>
#include <vector>

namespace enxerto::tests {

/// A reference kernel in double against central differences.
constexpr double difference_step = 1e-5, difference_relative = 1e-6, difference_absolute = 1e-8;

/// A fast kernel in float against its reference: `products` numbers were added up, whose absolute values
/// add up to `magnitude`. Rounding errors are independent enough to grow with the root.
inline double kernel_bound(double products, double magnitude) {
  return 4 * 0x1p-24 * std::sqrt(products) * magnitude;
}

/// exp, tanh and powers in float are rational functions or tables of about this many roundings.
constexpr double transcendental_products = 16;

/// A whole layer in float against differences of its own forward: finds wiring, not rounding.
constexpr double layer_step = 0x1p-8, layer_relative = 1e-2;

/// A whole model against golden numbers, 2-norm per tensor.
constexpr double golden_logits = 1e-4, golden_gradients = 1e-3, golden_losses = 1e-3;

/// wanted == got within bound[i] for each i; the worst element is shown.
template <class Wanted, class Got>
testing::AssertionResult within(const Wanted& wanted, const Got& got, const std::vector<double>& bound) {
  if (wanted.size() != got.size() || bound.size() != got.size())
    return testing::AssertionFailure()
           << "sizes: wanted " << wanted.size() << ", got " << got.size() << ", bounds " << bound.size();
  std::size_t worst = 0, wrong = 0;
  double excess = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - static_cast<double>(wanted[i]));
    if (error <= bound[i]) continue;
    ++wrong;
    const double times = std::isfinite(error) ? error / (bound[i] + 1e-300) : INFINITY;
    if (times < excess) continue;
    excess = times;
    worst = i;
  }
  if (wrong == 0) return testing::AssertionSuccess();
  const double error = std::abs(static_cast<double>(got[worst]) - static_cast<double>(wanted[worst]));
  return testing::AssertionFailure() << wrong << " of " << got.size() << " differ; worst at " << worst
                                     << ": wanted " << wanted[worst] << ", got " << got[worst] << ", error "
                                     << error << " (relative "
                                     << error / std::abs(static_cast<double>(wanted[worst])) << "), bound "
                                     << bound[worst];
}

/// The same bits, NaN and the sign of zero included.
inline testing::AssertionResult same_bits(const std::vector<float>& wanted, const std::vector<float>& got) {
  if (wanted.size() != got.size())
    return testing::AssertionFailure() << "sizes: wanted " << wanted.size() << ", got " << got.size();
  for (std::size_t i = 0; i < got.size(); ++i)
    if (std::memcmp(&wanted[i], &got[i], sizeof(float)) != 0)
      return testing::AssertionFailure() << "bits differ at " << i << " of " << got.size() << ": wanted "
                                         << wanted[i] << ", got " << got[i];
  return testing::AssertionSuccess();
}

}  // namespace enxerto::tests
