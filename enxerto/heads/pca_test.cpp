#include "enxerto/heads/pca.h"

#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/heads/golden2_test.h"

namespace enxerto {
namespace {

using tests::golden2;
using tests::OwnRows;

/// |a . b| of row i of both: 1 where they are one direction.
double likeness(const Tensor& a, const nlohmann::json& b, std::size_t i) {
  const auto columns = static_cast<std::size_t>(a.shape().c);
  double sum = 0;
  for (std::size_t j = 0; j < columns; ++j)
    sum += static_cast<double>(a.data()[i * columns + j]) * b.at(i * columns + j).get<double>();
  return std::abs(sum);
}

void expect_like_golden(const Pca& pca, const nlohmann::json& wanted, double relative,
                        const std::string& where) {
  tests::expect_near_all(wanted.at("variance"), pca.variance, 0, relative, where);
  for (std::size_t i = 0; i < pca.variance.size(); ++i)
    EXPECT_NEAR(likeness(pca.components, wanted.at("components"), i), 1, 1e-4)
        << where << ", component " << i;
  EXPECT_NEAR(pca.variance[0] / pca.total_variance, wanted.at("ratio").at(0).get<double>(), 1e-5) << where;
}

TEST(Pca, ExactOnesAreThoseOfScikitLearn) {
  const OwnRows tall(golden2().at("tall")), wide(golden2().at("wide"));
  expect_like_golden(fit_pca(tall.x.view(), {.components = 6}), golden2().at("pca").at("tall"), 1e-5, "tall");
  expect_like_golden(fit_pca(wide.x.view(), {.components = 10}), golden2().at("pca").at("wide"), 1e-5,
                     "wide");
  expect_like_golden(fit_pca(tall.x.view(), {.components = 6, .standardize = true}),
                     golden2().at("pca").at("standardized"), 1e-5, "standardized");
}

TEST(Pca, RandomisedOnesAreNearlyTheExactOnes) {
  // A spectrum that falls slowly, which is the hard case: no gap after the last component that is wanted.
  for (const auto& [n, c] : {std::pair<std::int64_t, std::int64_t>{300, 120}, {120, 300}}) {
    OwnRows rows({.n = n, .c = c}, 2);
    Rng rng(4);
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < c; ++j)
        rows.x.data()[static_cast<std::size_t>(i * c + j)] =
            3 + rng.normal() * std::pow(static_cast<float>(j + 1), -0.7f);
    const Pca exact = fit_pca(rows.x.view(), {.components = 10});
    const Pca found = fit_pca(rows.x.view(), {.components = 10, .exact_up_to = 0});
    EXPECT_TRUE(exact.exact);
    EXPECT_FALSE(found.exact);
    for (std::size_t i = 0; i < 10; ++i) EXPECT_NEAR(found.variance[i] / exact.variance[i], 1, 2e-3) << i;
    EXPECT_NEAR(found.explained(), exact.explained(), 5e-4);
    // As many as there are are found to rounding.
    const Pca all = fit_pca(rows.x.view(), {.components = 119, .exact_up_to = 0});
    const Pca all_exact = fit_pca(rows.x.view(), {.components = 119});
    for (std::size_t i = 0; i < 119; ++i)
      EXPECT_NEAR(all.variance[i], all_exact.variance[i], 1e-5 * all_exact.variance[0]) << i;
  }
}

TEST(Pca, ASeedGivesTheSameBits) {
  const OwnRows rows = tests::made_up_rows(90, 50, 3, 1);
  const PcaConfig config{.components = 5, .seed = 7, .exact_up_to = 0};
  const Pca one = fit_pca(rows.x.view(), config), two = fit_pca(rows.x.view(), config);
  EXPECT_TRUE(
      std::equal(one.components.data().begin(), one.components.data().end(), two.components.data().begin()));
}

TEST(Pca, AShareOfTheVarianceIsReachedWithTheFewestComponents) {
  const OwnRows rows = tests::made_up_rows(200, 80, 5, 2);
  for (const std::int64_t exact_up_to : {0, 1000})
    for (const double share : {0.3, 0.9, 1.0}) {
      const Pca pca = fit_pca(rows.x.view(), {.share = share, .exact_up_to = exact_up_to});
      EXPECT_GE(pca.explained(), share - 1e-4);
      if (share < 1)
        EXPECT_LT(pca.explained() - pca.variance.back() / pca.total_variance, share) << share;
      else
        EXPECT_EQ(pca.size(), 80);
    }
}

TEST(Pca, RowsOfWeightZeroAreNotThere) {
  OwnRows rows = tests::made_up_rows(60, 8, 3, 3);
  std::vector<float> weights(60, 1.0f);
  const Pca wanted = fit_pca({{.n = 50, .c = 8}, rows.x.data().first(400)}, {.components = 4});
  for (std::size_t i = 50; i < 60; ++i) weights[i] = 0;
  for (float& each : rows.x.data().subspan(400)) each *= 100;
  const Pca got = fit_pca(rows.x.view(), {.components = 4}, weights);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(got.variance[i], wanted.variance[i], 1e-6 * wanted.variance[0]);
}

TEST(Pca, RowsOfFewDimensionsHaveFewComponents) {
  OwnRows rows = tests::made_up_rows(40, 2, 2, 3);
  Tensor x({.n = 40, .c = 6});
  for (std::size_t i = 0; i < 40; ++i)
    for (std::size_t j = 0; j < 6; ++j)
      x.data()[i * 6 + j] = rows.x.data()[i * 2 + j % 2] * static_cast<float>(j + 1);
  EXPECT_EQ(fit_pca(x.view(), {.components = 5}).size(), 2);
  EXPECT_EQ(fit_pca(x.view(), {.share = 1}).size(), 2);
  for (float& each : x.data()) each = 1;
  EXPECT_THROW(fit_pca(x.view(), {}), Error);
}

TEST(Pca, AFoldedHeadGivesTheScoresOfProjectedRows) {
  const OwnRows rows = tests::made_up_rows(50, 12, 3, 5);
  const Pca pca = fit_pca(rows.x.view(), {.components = 4, .standardize = true});
  LinearHead head(3, 4);
  Rng rng(1);
  for (float& each : head.w.data()) each = rng.normal();
  for (float& each : head.b.data()) each = rng.normal();
  const Tensor wanted = head.scores(pca.project(rows.x.view()).view());
  const Tensor got = fold_pca(pca, head).scores(rows.x.view());
  for (std::size_t i = 0; i < wanted.data().size(); ++i) EXPECT_NEAR(wanted.data()[i], got.data()[i], 1e-4);
}

TEST(Pca, WhatMakesNoSenseIsAnError) {
  const OwnRows rows = tests::made_up_rows(10, 4, 2, 6);
  EXPECT_THROW(fit_pca(rows.x.view(), {.components = -1}), Error);
  EXPECT_THROW(fit_pca(rows.x.view(), {.share = 0}), Error);
  EXPECT_THROW(fit_pca({{.n = 1, .c = 4}, rows.x.data().first(4)}, {}), Error);
  const Pca pca = fit_pca(rows.x.view(), {.components = 2});
  EXPECT_THROW(pca.project({{.n = 8, .c = 5}, rows.x.data()}), Error);
}

}  // namespace
}  // namespace enxerto
