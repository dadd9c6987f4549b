#include "enxerto/report/chart.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>

namespace enxerto {
namespace {

using Ticks = std::vector<double>;

void expect_ticks(const Axis& axis, const Ticks& wanted) {
  ASSERT_EQ(axis.ticks.size(), wanted.size()) << "low " << axis.low << ", high " << axis.high;
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(axis.ticks[i], wanted[i], 1e-12) << i;
}

TEST(Axis, TicksAreRoundNumbersAroundTheValues) {
  expect_ticks(linear_axis(0, 1), {0, 0.2, 0.4, 0.6, 0.8, 1});
  expect_ticks(linear_axis(0.13, 0.93), {0, 0.2, 0.4, 0.6, 0.8, 1});
  expect_ticks(linear_axis(-3, 7), {-4, -2, 0, 2, 4, 6, 8});
  expect_ticks(linear_axis(1e-5, 5e-5), {1e-5, 2e-5, 3e-5, 4e-5, 5e-5});
  expect_ticks(linear_axis(0, 17, 8), {0, 2, 4, 6, 8, 10, 12, 14, 16, 18});
}

TEST(Axis, LogTicksArePowersOfTen) {
  expect_ticks(log_axis(0.002, 30), {0.001, 0.01, 0.1, 1, 10, 100});
  expect_ticks(log_axis(1, 100), {1, 2, 5, 10, 20, 50, 100});
}

TEST(Axis, AnyTwoNumbersMakeAnAxisWithAFewTicks) {
  constexpr double most = std::numeric_limits<double>::max(),
                   least = std::numeric_limits<double>::denorm_min();
  for (const auto& [low, high] :
       {std::pair{0.0, 0.0}, std::pair{5.0, 5.0}, std::pair{-5.0, -5.0},
        std::pair{1.0, std::nextafter(1.0, 2.0)}, std::pair{1e15, 1e15 + 1}, std::pair{-most, most},
        std::pair{0.0, least}, std::pair{3.0, 1.0}, std::pair{1e-300, 2e-300}}) {
    const Axis axis = linear_axis(low, high);
    EXPECT_TRUE(std::isfinite(axis.low) && std::isfinite(axis.high)) << low << " " << high;
    EXPECT_LT(axis.low, axis.high) << low << " " << high;
    EXPECT_GE(axis.ticks.size(), 2u) << low << " " << high;
    EXPECT_LE(axis.ticks.size(), 13u) << low << " " << high;
  }
  EXPECT_LE(log_axis(1e-300, 1e30).ticks.size(), 13u);
  EXPECT_LT(log_axis(5, 5).low, log_axis(5, 5).high);
}

TEST(Axis, PlacesValuesBetweenItsEnds) {
  EXPECT_DOUBLE_EQ(linear_axis(0, 10).place(2.5), 0.25);
  EXPECT_DOUBLE_EQ(log_axis(1, 100).place(10), 0.5);
  EXPECT_DOUBLE_EQ(log_axis(1, 100).place(0), 0);
}

Chart chart_of(std::vector<Point> points) {
  Chart chart;
  chart.title = "Loss";
  chart.lines = {{"val", "validation", std::move(points)}};
  return chart;
}

TEST(Chart, WithoutAPointThereIsNone) {
  EXPECT_EQ(draw(chart_of({}), english), "");
  EXPECT_EQ(draw(chart_of({{1, NAN}, {2, INFINITY}, {NAN, 1}, {3, 1e300}}), english), "");
}

TEST(Chart, DrawsTheFinitePointsAndDescribesThem) {
  const std::string svg = draw(chart_of({{1, 2}, {2, NAN}, {3, 1}}), english);
  EXPECT_NE(svg.find("aria-label=\"Loss. validation: from 2 to 1, lowest 1, highest 2. \""),
            std::string::npos)
      << svg;
  EXPECT_NE(svg.find("<title>epoch 3: 1</title>"), std::string::npos) << svg;
  EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
  EXPECT_NE(svg.find("class=\"line val\" d=\"M54.0 10.0L508.0 232.0\""), std::string::npos) << svg;
}

TEST(Chart, ValuesThatSpanManyPowersOfTenGetALogarithmicAxis) {
  Chart chart = chart_of({{1, 1000}, {2, 0.5}});
  EXPECT_EQ(draw(chart, english).find(english.log_scale), std::string::npos);
  chart.may_be_log = true;
  EXPECT_NE(draw(chart, english).find(english.log_scale), std::string::npos);
  chart.has_zero = true;  // which such an axis does not have
  EXPECT_NE(draw(chart, english).find(english.log_scale), std::string::npos);
  EXPECT_EQ(draw(chart, english).find("nan"), std::string::npos);
}

TEST(Chart, CarriesItsNumbersForTheScriptAndNoTagBeginsInThem) {
  Chart chart = chart_of({{1, 0.25}, {2, NAN}, {3, 0.125}});
  chart.lines[0].name = "</script><b>\"\\";
  chart.mark = 3;
  const std::string svg = draw(chart, english);
  EXPECT_NE(svg.find(R"({"style":"val","name":"\u003c/script>\u003cb>\"\\","x":[1,3],"y":[0.25,0.125]})"),
            std::string::npos)
      << svg;
  EXPECT_NE(svg.find("\"mark\":[3]"), std::string::npos);
}

TEST(Chart, ManyPointsStayAFewKilobytesAndKeepTheirSpike) {
  std::vector<Point> points;
  for (int i = 0; i < 100000; ++i) points.push_back({i / 100.0, i == 4321 ? 80.0 : 1.0});
  const std::string svg = draw(chart_of(points), english);
  EXPECT_LT(svg.size(), 12000u);
  EXPECT_NE(svg.find("highest 80."), std::string::npos);
  const Axis axis = linear_axis(1, 80);
  const double y = 270 - 38 - axis.place(80) * (270 - 10 - 38);
  std::ostringstream wanted;
  wanted.precision(1);
  wanted << std::fixed << " " << y << "L";
  EXPECT_NE(svg.find(wanted.str()), std::string::npos) << wanted.str();
}

TEST(Chart, OnePointIsADot) {
  EXPECT_NE(draw(chart_of({{1, 0.25}}), english).find("<circle class=val"), std::string::npos);
}

}  // namespace
}  // namespace enxerto
