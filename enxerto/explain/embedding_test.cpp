#include "enxerto/explain/embedding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/core/random.h"

namespace enxerto {
namespace {

Tensor rows_from(std::int64_t columns, const std::vector<float>& values) {
  Tensor made({.n = std::ssize(values) / columns, .c = columns});
  std::ranges::copy(values, made.data().begin());
  return made;
}

TEST(Embedding, SharesOfTheVarianceAreThoseDoneByHand) {
  // Of length 1: two each way along the first column, one each way along the second and the third.
  const Tensor rows =
      rows_from(3, {2, 0, 0, -3, 0, 0, 1, 0, 0, -9, 0, 0, 0, 4, 0, 0, -5, 0, 0, 0, 0.5f, 0, 0, -7});
  const Embedding made = embed(rows.view());
  EXPECT_NEAR(made.explained[0], 0.5, 1e-6);
  EXPECT_NEAR(made.explained[1], 0.25, 1e-6);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(std::abs(made.plane.data()[2 * i]), 1, 1e-6) << i;
  ASSERT_EQ(made.neighbours[0].size(), 7u) << "all others: fewer than map_neighbours";
  EXPECT_EQ(made.neighbours[0][0].row, 2);
  EXPECT_NEAR(made.neighbours[0][0].distance, 0, 1e-12);
  EXPECT_NEAR(made.neighbours[0].back().distance, 2, 1e-12);
}

TEST(Embedding, WhatFitsIntoAPlaneKeepsAllNeighbours) {
  Rng rng(3);
  Tensor rows({.n = 60, .c = 2});
  for (std::size_t i = 0; i < 60; ++i) {
    const double angle = 1.5 * rng.uniform(), length = 0.1 + rng.uniform();
    rows.data()[2 * i] = static_cast<float>(length * std::cos(angle));
    rows.data()[2 * i + 1] = static_cast<float>(length * std::sin(angle));
  }
  const Embedding made = embed(rows.view());
  EXPECT_NEAR(made.explained[0] + made.explained[1], 1, 1e-6);
  EXPECT_EQ(made.neighbours.front().size(), static_cast<std::size_t>(map_neighbours));
  // Rounding may exchange neighbours that are equally far.
  EXPECT_GT(made.kept, 0.995);
}

TEST(Embedding, OfALineTheSecondAxisHoldsNothing) {
  // Brought to length 1 they are two points.
  const Embedding made = embed(rows_from(2, {1, 0, 2, 0, 0, 3, 0, 1}).view());
  EXPECT_NEAR(made.explained[0], 1, 1e-6);
  EXPECT_EQ(made.explained[1], 0);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(made.plane.data()[2 * i + 1], 0) << i;
}

TEST(Embedding, RefusesWhatMakesNoMap) {
  const auto message_of = [](const Tensor& rows) {
    try {
      embed(rows.view());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  EXPECT_NE(message_of(rows_from(2, {1, 0, 0, 1})).find("three pictures"), std::string::npos);
  EXPECT_NE(message_of(rows_from(2, {1, 1, 2, 2, 3, 3})).find("the same"), std::string::npos);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(message_of(rows_from(2, {1, 0, 0, 1, nan, 1})).find("row 2, column 0"), std::string::npos);
}

TEST(NeighboursKept, CountsWhoIsFoundAgain) {
  // Four points on a line; by the features the first two are neighbours, and so are the others.
  const std::vector<std::vector<Neighbour>> neighbours = {{{1, 0}}, {{0, 0}}, {{3, 0}}, {{2, 0}}};
  EXPECT_EQ(neighbours_kept(neighbours, rows_from(2, {0, 0, 1, 0, 5, 0, 6, 0})), 1);
  EXPECT_EQ(neighbours_kept(neighbours, rows_from(2, {0, 0, 9, 0, 1, 0, 8, 0})), 0);
  EXPECT_EQ(neighbours_kept(neighbours, rows_from(2, {0, 0, 3, 0, 4, 0, 9, 0})), 0.5)
      << "the first and the last";
}

TEST(NeighboursKept, OfAMapByChanceIsTheShareThatIsExpected) {
  constexpr std::int64_t n = 300;
  Rng rng(8);
  Tensor rows({.n = n, .c = 4}), plane({.n = n, .c = 2});
  for (Tensor* each : {&rows, &plane})
    for (float& x : each->data()) x = rng.normal();
  const double expected = static_cast<double>(map_neighbours) / (n - 1);
  // 4,500 neighbours, each kept with this chance: five standard deviations.
  EXPECT_NEAR(neighbours_kept(nearest_others(rows.clone(), map_neighbours), plane), expected,
              5 * std::sqrt(expected / (n * map_neighbours)));
}

}  // namespace
}  // namespace enxerto
