#include "enxerto/train/lr_range.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

namespace enxerto {
namespace {

/// Losses by the logarithm (base 10) of the rate, from 1e-6 on, ten to a power of ten.
template <class Loss>
std::unique_ptr<LrRange> heard(Loss loss, int steps = 70) {
  auto made = std::make_unique<LrRange>();
  LrRange& range = *made;
  for (int i = 0; i < steps && !range.stop(); ++i) {
    const double power = -6 + 0.1 * i;
    range.on_step({.step = i + 1, .loss = loss(power), .lr = std::pow(10.0, power)});
  }
  return made;
}

TEST(LrRange, SmoothsWithoutABiasAtTheStart) {
  const auto range = heard([](double) { return 2.5; }, 10);
  for (const LrPoint& point : range->points()) EXPECT_NEAR(point.smoothed, 2.5, 1e-12);
}

TEST(LrRange, TakesTheSteepestFall) {
  // Falls around 1e-3, least from 1e-1 on.
  const auto range = heard([](double power) { return 2 - 1.8 / (1 + std::exp(-6 * (power + 3))); });
  const auto lr = suggested_lr(range->points());
  ASSERT_TRUE(lr);
  EXPECT_GT(*lr, 1e-3);  // the running mean lags
  EXPECT_LT(*lr, 1e-2);
}

TEST(LrRange, StaysATenthBelowTheLeast) {
  // Falls ever steeper until 1e-2, then explodes.
  const auto range =
      heard([](double power) { return power < -2 ? 2 - std::exp(power + 2) : 1 + 100 * (power + 2); });
  EXPECT_TRUE(range->stop());
  EXPECT_LT(range->points().size(), 70U);
  const auto lr = suggested_lr(range->points());
  ASSERT_TRUE(lr);
  EXPECT_LE(*lr, 2e-3);
  EXPECT_GE(*lr, 5e-4);
}

TEST(LrRange, IsNotTakenInByTheNoiseOfTheFirstBatches) {
  // A head that is warm: little to learn until 1e-4, and the first batch happens to be a hard one.
  const auto range = heard([](double power) {
    const double noise = 0.02 * std::sin(50 * power);
    return power < -5.95 ? 0.2
           : power < -4  ? 0.05 + noise
           : power < -2  ? 0.05 - 0.02 * (power + 4) + noise
                         : 3.0;
  });
  const auto lr = suggested_lr(range->points());
  ASSERT_TRUE(lr);
  EXPECT_GT(*lr, 1e-5);
  EXPECT_LT(*lr, 2e-3);
}

TEST(LrRange, FirstBatchesThatHappenToBeEasyAreNotTheLeast) {
  const auto range = heard([](double power) {
    if (power < -5.75) return 0.05;
    return power < -1 ? 2 - 1.8 / (1 + std::exp(-6 * (power + 3))) : 20.0;
  });
  EXPECT_TRUE(range->stop());
  EXPECT_GT(range->points().size(), 50U) << "they are no measure of an explosion";
  const auto lr = suggested_lr(range->points());
  ASSERT_TRUE(lr);
  EXPECT_GT(*lr, 1e-4);
  EXPECT_LT(*lr, 1e-2);
}

TEST(LrRange, WhatComesBehindTheTestIsNoPoint) {
  LrRange range(40);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(range.stop(), i >= 40) << i;
    // The rate stays where the test left it, and the loss falls on.
    const double power = -7 + 7 * std::min(i, 39) / 39.0;
    range.on_step({.step = i + 1, .loss = 10 - 0.1 * i, .lr = std::pow(10.0, power)});
  }
  ASSERT_EQ(range.points().size(), 40U);
  const auto lr = suggested_lr(range.points());
  ASSERT_TRUE(lr);
  EXPECT_LT(*lr, 0.11);
}

TEST(LrRange, SaysNothingWhereTheLossNeverFalls) {
  EXPECT_FALSE(suggested_lr(heard([](double power) { return 1 + 0.1 * (power + 6); })->points()));
  EXPECT_FALSE(suggested_lr(heard([](double power) { return -power; }, 4)->points()));
}

TEST(LrRange, APersonMayStopIt) {
  std::atomic<bool> wish = true;
  LrRange range;
  range.stop_with(wish);
  range.on_step({.step = 1, .loss = 1, .lr = 1e-6});
  EXPECT_TRUE(range.stop());
}

}  // namespace
}  // namespace enxerto
