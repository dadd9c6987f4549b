#include "enxerto/explain/nearest.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace enxerto {
namespace {

/// Rows {n,2} at these angles, in degrees, of these lengths.
Tensor at_angles(const std::vector<std::pair<double, double>>& angles_and_lengths) {
  Tensor made({.n = std::ssize(angles_and_lengths), .c = 2});
  for (std::size_t i = 0; i < angles_and_lengths.size(); ++i) {
    const auto [degrees, length] = angles_and_lengths[i];
    made.data()[2 * i] = static_cast<float>(length * std::cos(degrees * std::numbers::pi / 180));
    made.data()[2 * i + 1] = static_cast<float>(length * std::sin(degrees * std::numbers::pi / 180));
  }
  return made;
}

std::vector<std::int64_t> rows_of(const std::vector<Neighbour>& neighbours) {
  std::vector<std::int64_t> rows;
  for (const Neighbour& each : neighbours) rows.push_back(each.row);
  return rows;
}

TEST(Nearest, IsByAngleWhateverTheLength) {
  const Knn training = by_distance(at_angles({{0, 1}, {10, 50}, {40, 0.01}, {90, 1}}), 3);
  const auto found = training.neighbours(at_angles({{12, 7}}).view());
  EXPECT_EQ(rows_of(found[0]), (std::vector<std::int64_t>{1, 0, 2}));
  for (const auto& [place, degrees] : {std::pair{0u, 2.0}, {1u, 12.0}, {2u, 28.0}})
    EXPECT_NEAR(found[0][place].distance, 1 - std::cos(degrees * std::numbers::pi / 180), 1e-6) << degrees;
  const auto same = training.neighbours(at_angles({{10, 50}}).view());
  EXPECT_EQ(same[0][0].row, 1);
  EXPECT_NEAR(same[0][0].distance, 0, 1e-15);
}

TEST(Nearest, ThereAreNoMoreThanRows) {
  const Knn one = by_distance(at_angles({{30, 1}}), 5);
  EXPECT_EQ(rows_of(one.neighbours(at_angles({{0, 1}}).view())[0]), (std::vector<std::int64_t>{0}));
  EXPECT_TRUE(nearest_others(at_angles({{30, 1}}), 5)[0].empty());
}

TEST(Nearest, OthersLeaveTheRowItselfOutAlsoAmongEquals) {
  const auto found = nearest_others(at_angles({{5, 1}, {5, 1}, {5, 1}, {5, 1}, {80, 1}}), 2);
  const std::vector<std::vector<std::int64_t>> wanted = {{1, 2}, {0, 2}, {0, 1}, {0, 1}, {0, 1}};
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(rows_of(found[i]), wanted[i]) << i;
}

}  // namespace
}  // namespace enxerto
