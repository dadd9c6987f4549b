/// Gradients of reference kernels against central differences.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "enxerto/core/random.h"
#include "enxerto/kernels/reference/reference.h"
#include "enxerto/testing/tolerance.h"

namespace enxerto::tests {

/// Standard normal numbers that keep `clear` away from the kinks of every activation (0, 3, 6 and their
/// negatives).
inline double draw_clear_of_kinks(Rng& rng, double clear = 0.1) {
  for (;;) {
    const double x = 2.0 * rng.normal();
    if (std::ranges::all_of(std::vector{0.0, 3.0, 6.0},
                            [&](double kink) { return std::abs(std::abs(x) - kink) > clear; }))
      return x;
  }
}

inline reference::Block draw_block(std::int64_t size, Rng rng) {
  reference::Block block(static_cast<std::size_t>(size));
  for (double& x : block) x = draw_clear_of_kinks(rng);
  return block;
}

/// Distinct numbers, `step` apart, shuffled: no maximum is nearly another.
inline reference::Block distinct_block(std::int64_t size, Rng rng, double step = 0.05) {
  reference::Block block(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < block.size(); ++i)
    block[i] = (static_cast<double>(i) - static_cast<double>(size) / 2) * step;
  shuffle(block, rng);
  return block;
}

/// Every derivative of sum(y * r), r random, by every input and every trained parameter.
inline void expect_gradients(const reference::Kernel& kernel, std::vector<reference::Block> in,
                             std::vector<reference::Block> params, Rng rng) {
  using reference::Block;
  const auto forward = [&] {
    std::vector<Block> moved = params;
    Block out;
    kernel.forward(in, moved, out, rng);
    return out;
  };
  const Block out = forward();
  const Block r = draw_block(static_cast<std::int64_t>(out.size()), rng.child(1));
  const auto loss = [&] {
    const Block y = forward();
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * r[i];
    return sum;
  };
  std::vector<Block> din, dparams;
  kernel.backward(in, params, out, r, din, dparams, rng);

  const auto check = [&](const char* what, std::vector<Block>& values, const std::vector<Block>& gradients) {
    ASSERT_EQ(values.size(), gradients.size()) << what;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (gradients[i].empty()) continue;  // running statistics
      Block wanted, bound;
      for (double& x : values[i]) {
        const double kept = x;
        x = kept + difference_step;
        const double above = loss();
        x = kept - difference_step;
        const double below = loss();
        x = kept;
        wanted.push_back((above - below) / (2 * difference_step));
        bound.push_back(difference_relative * std::abs(wanted.back()) + difference_absolute);
      }
      EXPECT_TRUE(within(wanted, gradients[i], bound)) << what << " " << i;
    }
  };
  check("input", in, din);
  check("parameter", params, dparams);
}

}  // namespace enxerto::tests
