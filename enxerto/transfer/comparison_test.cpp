#include "enxerto/transfer/comparison.h"

#include <gtest/gtest.h>

#include <cmath>

#include "enxerto/core/mcnemar.h"
#include "enxerto/core/random.h"

namespace enxerto {
namespace {

/// `only_a` pictures that a alone got right, then those that b alone did, then both, then neither.
std::pair<std::vector<std::uint8_t>, std::vector<std::uint8_t>> pair_of(int only_a, int only_b, int both,
                                                                        int neither) {
  std::pair<std::vector<std::uint8_t>, std::vector<std::uint8_t>> made;
  const auto add = [&](int count, std::uint8_t a, std::uint8_t b) {
    made.first.insert(made.first.end(), static_cast<std::size_t>(count), a);
    made.second.insert(made.second.end(), static_cast<std::size_t>(count), b);
  };
  add(only_a, 1, 0);
  add(only_b, 0, 1);
  add(both, 1, 1);
  add(neither, 0, 0);
  return made;
}

TEST(Comparison, McNemarIsTheBinomialTest) {
  // scipy 1.16: stats.binomtest(min(a, b), a + b).pvalue
  EXPECT_NEAR(mcnemar(2, 9), 0.06542968750000001, 1e-12);
  EXPECT_NEAR(mcnemar(6, 0), 0.03125, 1e-12);
  EXPECT_NEAR(mcnemar(40, 70), 0.005447429511444476, 1e-12);
  EXPECT_EQ(mcnemar(5, 5), 1);
  EXPECT_EQ(mcnemar(0, 0), 1);
  EXPECT_EQ(mcnemar(9, 2), mcnemar(2, 9));
}

TEST(Comparison, StudentsTIsAsInTables) {  // scipy.stats.t.ppf(0.975, degrees)
  EXPECT_NEAR(student_t(1), 12.7062047364, 1e-8);
  EXPECT_NEAR(student_t(2), 4.30265272991, 1e-9);
  EXPECT_NEAR(student_t(4.5), 2.6589123472044034, 1e-9);
  EXPECT_NEAR(student_t(30), 2.04227245630, 1e-9);
  EXPECT_NEAR(student_t(1000), 1.96233908082, 1e-9);
  EXPECT_NEAR(student_t(1e9), 1.95996398454, 1e-9);
}

TEST(Comparison, OneSeedHasWilsonsInterval) {
  const auto [a, b] = pair_of(10, 4, 80, 6);
  const Accuracy made = accuracy_of({a});
  EXPECT_DOUBLE_EQ(made.mean, 0.9);
  EXPECT_NEAR(made.interval.low, wilson_interval(90, 100).low, 1e-12);
  EXPECT_NEAR(made.interval.high, wilson_interval(90, 100).high, 1e-12);
  EXPECT_EQ(made.seed_deviation, 0);
  EXPECT_EQ(accuracy_of({{1, 1, 1}}).interval.high, 1);
}

TEST(Comparison, SeedsThatDifferWidenTheInterval) {
  const std::vector<std::uint8_t> good(200, 1);
  std::vector<std::uint8_t> worse(200, 1), middling(200, 1);
  std::fill(worse.begin(), worse.begin() + 40, std::uint8_t{0});
  std::fill(middling.begin(), middling.begin() + 20, std::uint8_t{0});
  const Accuracy apart = accuracy_of({good, worse}), alike = accuracy_of({middling, middling});
  EXPECT_DOUBLE_EQ(apart.mean, alike.mean);
  EXPECT_NEAR(apart.seed_deviation, 0.2 / std::sqrt(2.0), 1e-12);
  EXPECT_GT(apart.interval.high - apart.interval.low, 2 * (alike.interval.high - alike.interval.low));
}

TEST(Comparison, OneSeedHasBonettAndPricesInterval) {
  // By the formula: p12 = 13/102, p21 = 4/102.
  const auto [a, b] = pair_of(12, 3, 80, 5);
  const std::vector<RightAnswers> both{{a}, {b}};
  const Contrast made = contrasts_of(both).front();
  const double p12 = 13.0 / 102, p21 = 4.0 / 102, d = p12 - p21;
  const double half = 1.959963984540054 * std::sqrt((p12 + p21 - d * d) / 102);
  EXPECT_NEAR(made.interval.low, d - half, 1e-12);
  EXPECT_NEAR(made.interval.high, d + half, 1e-12);
  EXPECT_NEAR(made.difference, 0.09, 1e-12);
  EXPECT_NEAR(made.only_first, 0.12, 1e-12);
  EXPECT_NEAR(made.only_second, 0.03, 1e-12);
  EXPECT_DOUBLE_EQ(made.p, mcnemar(12, 3));
  EXPECT_EQ(made.verdict, Verdict::first_better);
}

TEST(Comparison, NothingIsShownByTheSameAnswers) {
  const auto [a, b] = pair_of(0, 0, 30, 10);
  const std::vector<RightAnswers> both{{a}, {b}};
  const Contrast made = contrasts_of(both).front();
  EXPECT_EQ(made.p, 1);
  EXPECT_FALSE(made.enough);
  EXPECT_EQ(made.verdict, Verdict::not_shown);
  EXPECT_LT(made.interval.low, 0);  // there might be one in another 40 pictures
  EXPECT_GT(made.interval.high, 0);
}

TEST(Comparison, PairsAreAdjustedByHolm) {
  const auto [a, b] = pair_of(12, 2, 80, 6);
  const std::vector<RightAnswers> three{{a}, {b}, {a}};
  const std::vector<Contrast> made = contrasts_of(three);
  ASSERT_EQ(made.size(), 3U);
  const double p = mcnemar(12, 2);
  EXPECT_DOUBLE_EQ(made[0].p_adjusted, std::min(1.0, 3 * p));
  EXPECT_DOUBLE_EQ(made[2].p_adjusted, std::min(1.0, 3 * p));  // 2 p, but never below a smaller one's
  EXPECT_EQ(made[1].p_adjusted, 1);
  EXPECT_EQ(made[0].first, 0U);
  EXPECT_EQ(made[2].second, 2U);
  EXPECT_EQ(made[2].verdict, Verdict::second_better);
}

TEST(Comparison, SeedsThatChangeNothingAreNoFurtherTests) {
  const auto [a, b] = pair_of(10, 2, 30, 8);
  const std::vector<RightAnswers> once{{a}, {b}}, thrice{{a, a, a}, {b, b, b}},
      differing{{a, b, a}, {b, a, b}};
  const Contrast one = contrasts_of(once).front(), three = contrasts_of(thrice).front();
  EXPECT_EQ(one.p, mcnemar(10, 2));
  EXPECT_EQ(three.p, one.p);
  EXPECT_EQ(three.enough, one.enough);
  EXPECT_EQ(contrasts_of(differing).front().p, std::min(1.0, 2 * one.p));
}

TEST(Comparison, EnoughPicturesAreForTheVerdictsOwnP) {
  // Of three recipes the least p has to be below 0.05 / 3.
  const auto [a, b] = pair_of(15, 5, 70, 10);
  const std::vector<RightAnswers> three{{a}, {b}, {a}};
  // By hand: (2.39398 sqrt(0.2) + 0.84162 sqrt(0.19))^2 / 0.01 = 206.8...
  EXPECT_EQ(contrasts_of(three).front().enough, 207);
  // Seeds that turn it round hide it from any number of pictures.
  const std::vector<RightAnswers> unsure{{a, b, a}, {b, a, b}};
  EXPECT_FALSE(contrasts_of(unsure).front().enough);
}

TEST(Comparison, SeedsThatDisagreeAreSaid) {
  // a is far better with one seed and no better with the other.
  const auto [a, b] = pair_of(40, 0, 50, 10);
  const std::vector<RightAnswers> both{{a, a, b}, {b, b, b}};
  const Contrast made = contrasts_of(both).front();
  EXPECT_LT(made.p_adjusted, 0.05);
  EXPECT_EQ(made.verdict, Verdict::seeds_matter);
}

TEST(Comparison, TheIntervalHoldsTheTruthInNineteenOfTwenty) {
  Rng rng(7);
  int held = 0;
  constexpr int trials = 2000, n = 60;
  constexpr double p_a = 0.2, p_b = 0.08;  // that only one is right
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<std::uint8_t> a, b;
    for (int i = 0; i < n; ++i) {
      const double u = rng.uniform();
      a.push_back(u < p_a || u > 0.5);
      b.push_back((u >= p_a && u < p_a + p_b) || u > 0.5);
    }
    const std::vector<RightAnswers> both{{a}, {b}};
    const Interval interval = contrasts_of(both).front().interval;
    held += interval.low <= p_a - p_b && p_a - p_b <= interval.high;
  }
  EXPECT_GT(held, 0.935 * trials);
  EXPECT_LT(held, 0.97 * trials);
}

TEST(Comparison, EnoughPicturesFindTheDifferenceFourTimesOfFive) {
  // The sample has the proportions 0.15 and 0.05.
  const auto [sample_a, sample_b] = pair_of(15, 5, 70, 10);
  const std::vector<RightAnswers> sample{{sample_a}, {sample_b}};
  const std::int64_t n = *contrasts_of(sample).front().enough;
  EXPECT_EQ(n, 155);  // by hand: (1.95996 sqrt(0.2) + 0.84162 sqrt(0.19))^2 / 0.01 = 154.1...
  Rng rng(8);
  int found = 0;
  constexpr int trials = 2000;
  for (int trial = 0; trial < trials; ++trial) {
    std::int64_t only_a = 0, only_b = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const double u = rng.uniform();
      only_a += u < 0.15;
      only_b += u >= 0.15 && u < 0.2;
    }
    found += mcnemar(only_a, only_b) < 0.05;
  }
  EXPECT_GT(found, 0.72 * trials);  // the exact test is a little strict
  EXPECT_LT(found, 0.84 * trials);
}

TEST(Comparison, PicturesForAnInterval) {
  EXPECT_EQ(pictures_for(0.5, 0.05), 385);  // the textbook's
  EXPECT_EQ(pictures_for(0.9, 0.01), 3458);
}

}  // namespace
}  // namespace enxerto
