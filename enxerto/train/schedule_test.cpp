#include "enxerto/train/schedule.h"

#include <gtest/gtest.h>

#include "enxerto/core/error.h"
#include "enxerto/train/fields_json.h"
#include "enxerto/train/golden_test.h"

namespace enxerto {
namespace {

TEST(Schedule, RatesAreThoseOfPyTorch) {
  for (const Json& one : tests::golden().at("schedules")) {
    const auto schedule = fields_from_json<Schedule>(one.at("config"), "golden");
    const auto rates = one.at("rates").get<std::vector<double>>();
    for (std::size_t step = 0; step < rates.size(); ++step)
      EXPECT_NEAR(lr_at(schedule, static_cast<std::int64_t>(step)), rates[step], 1e-12)
          << one.at("config") << ", step " << step;
  }
}

TEST(Schedule, StaysWhereItEndedBehindItsTotal) {
  const Schedule cosine{.base = 1, .floor = 0.25, .total = 10};
  EXPECT_DOUBLE_EQ(lr_at(cosine, 10), 0.25);
  EXPECT_DOUBLE_EQ(lr_at(cosine, 1000), 0.25);
  const Schedule one_cycle{.curve = Schedule::Curve::one_cycle, .base = 1, .total = 10};
  EXPECT_DOUBLE_EQ(lr_at(one_cycle, 9), 1 / 25.0 / 1e4);
  EXPECT_DOUBLE_EQ(lr_at(one_cycle, 99), 1 / 25.0 / 1e4);
}

TEST(Schedule, ARangeTestRisesGeometrically) {
  const Schedule range{.curve = Schedule::Curve::range_test, .base = 1, .floor = 1e-4, .total = 5};
  for (int step = 0; step < 5; ++step) EXPECT_NEAR(lr_at(range, step), std::pow(10.0, step - 4), 1e-15);
  EXPECT_EQ(lr_at(range, 50), 1);
  EXPECT_THROW(check_schedule({.curve = Schedule::Curve::range_test, .base = 1, .total = 5}), Error);
}

TEST(Schedule, ShortRunsHaveARateToo) {
  for (const auto curve : {Schedule::Curve::constant, Schedule::Curve::cosine, Schedule::Curve::one_cycle})
    for (std::int64_t total = 1; total < 5; ++total)
      for (std::int64_t step = 0; step < total; ++step) {
        const double lr = lr_at({.curve = curve, .base = 1, .total = total}, step);
        EXPECT_GT(lr, 0);
        EXPECT_LE(lr, 1);
      }
}

TEST(Schedule, WhatMakesNoSenseIsRefused) {
  const std::vector<Schedule> bad{{.base = 0, .total = 1},
                                  {.base = 1, .total = 0},
                                  {.base = 1, .floor = 2, .total = 1},
                                  {.base = 1, .warmup = 5, .total = 5},
                                  {.curve = Schedule::Curve::step, .base = 1, .total = 5},
                                  {.curve = Schedule::Curve::one_cycle, .base = 1, .total = 5, .rise = 1}};
  for (const Schedule& schedule : bad) EXPECT_THROW(check_schedule(schedule), Error);
  EXPECT_NO_THROW(check_schedule({.base = 1, .warmup = 4, .total = 5}));
  EXPECT_THROW(parse_curve("exponential"), Error);
}

}  // namespace
}  // namespace enxerto
