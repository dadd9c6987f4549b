#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/core/random.h"
#include "enxerto/core/system.h"
#include "enxerto/heads/dual_space.h"
#include "enxerto/heads/logistic_loss.h"
#include "enxerto/heads/path.h"
#include "enxerto/heads/path_fold.h"
#include "enxerto/heads/primal.h"
#include "enxerto/heads/svm_loss.h"
#include "enxerto/testing/tolerance.h"

namespace enxerto {
namespace {

/// Class centres and noise; the columns have different scales.
struct Cloud {
  Cloud(std::int64_t n, std::int64_t c, int count, float apart = 0.6f, std::uint64_t seed = 1)
      : x({.n = n, .c = c}), classes(count) {
    Rng rng(seed);
    std::vector<float> centres(static_cast<std::size_t>(count * c));
    for (float& each : centres) each = apart * rng.normal();
    for (std::int64_t i = 0; i < n; ++i) {
      y.push_back(static_cast<std::int32_t>(i % count));
      for (std::int64_t j = 0; j < c; ++j)
        at(i, j) = (rng.normal() + centres[static_cast<std::size_t>(y.back() * c + j)]) *
                       static_cast<float>(1 + j % 7) +
                   3;
    }
  }
  float& at(std::int64_t i, std::int64_t j) {
    return x.data()[static_cast<std::size_t>(i * x.shape().c + j)];
  }
  Rows rows() const { return {x.view(), y, classes}; }
  Tensor x;
  std::vector<std::int32_t> y;
  int classes;
};

std::vector<float> numbers(const LinearHead& head) {
  std::vector<float> made(head.w.data().begin(), head.w.data().end());
  made.insert(made.end(), head.b.data().begin(), head.b.data().end());
  return made;
}

TEST(PrimalObjective, ItsGradientAgreesWithDifferences) {
  const Cloud cloud(23, 9, 3);
  const SeenRows seen(cloud.x.view(), standardization_of(cloud.x.view()));
  const std::vector<double> costs(23, 0.7);
  const PrimalProblem problem{seen, cloud.y, costs, 3, 1.5, 0};
  Rng rng(4);
  PrimalPoint at(3 * 9 + 3), gradient, unused;
  for (double& each : at) each = 0.3 * static_cast<double>(rng.normal());
  primal_objective(problem, at, gradient);
  for (std::size_t i = 0; i < at.size(); ++i) {
    const double step = 2e-2;  // the scores are sums of floats
    PrimalPoint up = at, down = at;
    up[i] += step;
    down[i] -= step;
    const double slope =
        (primal_objective(problem, up, unused) - primal_objective(problem, down, unused)) / (2 * step);
    EXPECT_NEAR(slope, gradient[i], 2e-3 * (1 + std::abs(gradient[i]))) << i;
  }
}

/// At the best `a` of a row with all else fixed, the row's own gap is zero: loss and conjugate meet.
void expect_solved(DualLoss& loss, int outputs, bool sums_to_zero) {
  Rng rng(9);
  for (int trial = 0; trial < 300; ++trial) {
    const double product = std::exp(3 * static_cast<double>(rng.normal())),
                 c = std::exp(4 * static_cast<double>(rng.normal()));
    const int y = static_cast<int>(rng.below(static_cast<std::uint64_t>(outputs)));
    std::vector<double> s, a(static_cast<std::size_t>(outputs)), change(a.size());
    for (int k = 0; k < outputs; ++k) s.push_back(3 * static_cast<double>(rng.normal()));
    for (int sweep = 0; sweep < 2; ++sweep) {  // from zero, then from what was found, with other scores
      if (!loss.solve(product, c, y, s, a, change, 0)) continue;
      for (std::size_t k = 0; k < s.size(); ++k) s[k] += product * change[k];
      const double value = std::abs(loss.loss(c, y, s)) + std::abs(a[static_cast<std::size_t>(y)]) + 1e-9;
      EXPECT_NEAR(loss.gap(c, y, s, a) / value, 0, 1e-6)
          << "trial " << trial << ", c " << c << ", product " << product;
      double sum = 0;
      for (const double each : a) sum += each;
      if (sums_to_zero) {
        EXPECT_NEAR(sum, 0, 1e-9 * (1 + c));
      }
      for (double& each : s) each += static_cast<double>(rng.normal());
    }
  }
}

TEST(DualLoss, ARowSolvedHasNoGap) {
  LogisticLoss logistic(5);
  expect_solved(logistic, 5, true);
  SquaredHinge hinge;
  expect_solved(hinge, 4, false);
  CrammerSinger crammer_singer;
  expect_solved(crammer_singer, 4, true);
}

TEST(DualLoss, WrightsOmegaSolvesItsEquation) {
  for (double x = -60; x < 1e6; x = x < 10 ? x + 0.37 : x * 1.7) {
    const double w = wright_omega(x);
    EXPECT_NEAR(w + std::log(w), x, 1e-9 * (1 + std::abs(x))) << x;
  }
}

TEST(Logistic, DualAndPrimalFindTheSame) {
  for (const std::int64_t columns : {std::int64_t{300}, std::int64_t{12}}) {
    const Cloud cloud(60, columns, 3);
    LogisticConfig config;
    config.strength = 0.1;
    config.tolerance = 1e-6;
    const LinearFit dual = fit_logistic(cloud.rows(), config);
    const SeenRows seen(cloud.x.view(), standardization_of(cloud.x.view()));
    const std::vector<double> costs(60, config.strength);
    PrimalPoint at(static_cast<std::size_t>(3 * columns + 3));
    const PrimalResult primal = minimise_primal({seen, cloud.y, costs, 3, 1, 0}, at, 1e-7, 2000);
    EXPECT_TRUE(dual.converged);
    EXPECT_NEAR(dual.objective / primal.objective, 1, 2e-6) << columns;
    EXPECT_NEAR(logistic_objective(cloud.rows(), config, dual.head) / dual.objective, 1, 1e-5);
  }
}

TEST(Logistic, AnyStrengthIsFitted) {
  Cloud wide(40, 90, 4), tall(120, 8, 4);
  for (const Cloud* cloud : {&wide, &tall})
    for (const double strength : {1e-6, 1e-3, 1.0, 1e3, 1e6}) {
      LogisticConfig config;
      config.strength = strength;
      const LinearFit fit = fit_logistic(cloud->rows(), config);
      EXPECT_TRUE(fit.converged) << strength;
      EXPECT_NEAR(logistic_objective(cloud->rows(), config, fit.head) / fit.objective, 1, 1e-3) << strength;
    }
}

TEST(Svm, AnyStrengthIsFitted) {
  Cloud wide(40, 90, 4);
  for (const MultiClass multi_class : {MultiClass::one_vs_rest, MultiClass::crammer_singer})
    for (const double strength : {1e-6, 1e-3, 1.0, 1e3, 1e6}) {
      SvmConfig config;
      config.strength = strength;
      config.multi_class = multi_class;
      const LinearFit fit = fit_svm(wide.rows(), config);
      EXPECT_TRUE(fit.converged) << strength;
      // Margins are sums of floats: what C makes of their rounding is not in the solver's hands.
      EXPECT_NEAR(svm_objective(wide.rows(), config, fit.head) / fit.objective, 1, 1e-3 + 1e-5 * strength)
          << strength;
    }
}

TEST(Heads, SeparableRowsAreAllRight) {
  const Cloud cloud(60, 30, 3, 3.0f);
  EXPECT_EQ(fit_logistic(cloud.rows(), {}).head.accuracy(cloud.rows()), 1.0);
  EXPECT_EQ(fit_svm(cloud.rows(), {}).head.accuracy(cloud.rows()), 1.0);
}

TEST(Heads, ARowTwiceIsARowOfWeightTwo) {
  const Cloud cloud(30, 50, 3);
  Tensor x({.n = 60, .c = 50});
  std::copy(cloud.x.data().begin(), cloud.x.data().end(), x.data().begin());
  std::copy(cloud.x.data().begin(), cloud.x.data().end(), x.data().begin() + 1500);
  std::vector<std::int32_t> y = cloud.y;
  y.insert(y.end(), cloud.y.begin(), cloud.y.end());
  const std::vector<float> twos(30, 2.0f);
  Rows weighted = cloud.rows();
  weighted.weights = twos;
  EXPECT_NEAR(fit_logistic({x.view(), y, 3}, {}).objective / fit_logistic(weighted, {}).objective, 1, 2e-4);
  EXPECT_NEAR(fit_svm({x.view(), y, 3}, {}).objective / fit_svm(weighted, {}).objective, 1, 2e-4);
}

TEST(Heads, ConstantAndEqualColumnsAndRowsDoNoHarm) {
  Cloud cloud(30, 20, 3);
  for (std::int64_t i = 0; i < 30; ++i) cloud.at(i, 4) = 1000, cloud.at(i, 5) = cloud.at(i, 6);
  const LinearFit fit = fit_logistic(cloud.rows(), {});
  EXPECT_TRUE(fit.converged);
  for (const float each : numbers(fit.head)) EXPECT_TRUE(std::isfinite(each));
  std::fill(cloud.x.data().begin(), cloud.x.data().end(), 2.5f);  // nothing to learn
  for (const float each : numbers(fit_logistic(cloud.rows(), {}).head)) EXPECT_TRUE(std::isfinite(each));
  for (const float each : numbers(fit_svm(cloud.rows(), {}).head)) EXPECT_TRUE(std::isfinite(each));
}

TEST(Heads, OneRowOfEachClassIsEnough) {
  const Cloud cloud(3, 8, 3);
  EXPECT_EQ(fit_logistic(cloud.rows(), {}).head.accuracy(cloud.rows()), 1.0);
  EXPECT_EQ(fit_svm(cloud.rows(), {}).head.accuracy(cloud.rows()), 1.0);
}

TEST(Heads, AClassWithoutRowsIsNeverPredicted) {
  Cloud cloud(40, 12, 2);
  cloud.classes = 3;
  for (const std::int32_t each : fit_logistic(cloud.rows(), {}).head.predictions(cloud.x.view()))
    EXPECT_NE(each, 2);
}

TEST(Heads, WhatIsNotFiniteIsAnError) {
  Cloud cloud(30, 20, 3);
  cloud.at(3, 7) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(fit_logistic(cloud.rows(), {}), Error);
  EXPECT_THROW(fit_svm(cloud.rows(), {}), Error);
  EXPECT_THROW(fit_logistic_path(cloud.rows(), {}, {}), Error);
  cloud.at(3, 7) = 0;
  LogisticConfig config;
  config.strength = -1;
  EXPECT_THROW(fit_logistic(cloud.rows(), config), Error);
}

TEST(Heads, TheSameBitsTwiceAndForAnyNumberOfThreads) {
  const Cloud cloud(50, 700, 3);
  std::vector<float> first, path;
  for (const int count : {1, 2, 2, 3}) {
    set_threads(count);
    LogisticConfig config;
    std::vector<float> now = numbers(fit_logistic(cloud.rows(), config).head);
    const std::vector<float> svm = numbers(fit_svm(cloud.rows(), {}).head);
    config.l1_ratio = 0.5;
    config.max_iterations = 30;
    const std::vector<float> elastic = numbers(fit_logistic(cloud.rows(), config).head);
    now.insert(now.end(), svm.begin(), svm.end());
    now.insert(now.end(), elastic.begin(), elastic.end());
    if (first.empty()) first = now;
    EXPECT_TRUE(tests::same_bits(first, now)) << count << " threads";
  }
  set_threads(0);
}

TEST(Heads, AWarmStartNeedsFewerPasses) {
  const Cloud cloud(120, 400, 3, 0.15f);
  LogisticConfig config;
  config.tolerance = 1e-5;
  const LinearFit cold = fit_logistic(cloud.rows(), config);
  const LinearFit warm = fit_logistic(cloud.rows(), config, &cold.head);
  EXPECT_LT(warm.iterations, cold.iterations);
  EXPECT_NEAR(warm.objective / cold.objective, 1, 2e-5);
}

TEST(Path, FoldsHaveEveryClassAlike) {
  const Cloud cloud(103, 2, 3);
  const std::vector<std::int32_t> folds = stratified_folds(cloud.rows(), 5, 7);
  for (int f = 0; f < 5; ++f)
    for (int k = 0; k < 3; ++k) {
      int count = 0;
      for (std::size_t i = 0; i < folds.size(); ++i) count += folds[i] == f && cloud.y[i] == k ? 1 : 0;
      EXPECT_GE(count, 6);
      EXPECT_LE(count, 7);
    }
  EXPECT_EQ(folds, stratified_folds(cloud.rows(), 5, 7));
  EXPECT_NE(folds, stratified_folds(cloud.rows(), 5, 8));
}

TEST(Path, AClassWithOneRowIsLearntFromInEachFoldAndJudgedInNone) {
  const Cloud cloud(40, 3, 2);
  Rows rows = cloud.rows();
  std::vector<std::int32_t> y(rows.y.begin(), rows.y.end());
  y[7] = 2;
  rows.y = y;
  rows.classes = 3;
  const std::vector<std::int32_t> folds = stratified_folds(rows, 5, 1);
  for (std::size_t i = 0; i < folds.size(); ++i) EXPECT_EQ(folds[i] < 0, i == 7);
  const PathResult stratified = fit_logistic_path(rows, {}, {.folds = 5, .seed = 1});
  const PathResult given = fit_logistic_path(rows, {}, {.fold_of_row = folds});
  EXPECT_EQ(stratified.steps.front().accuracies.size(), 5);
  EXPECT_EQ(stratified.steps.front().accuracies, given.steps.front().accuracies);
  EXPECT_EQ(stratified.fit.head.w.shape().n, 3);  // all classes have their output
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<std::int32_t>(i);
  rows.classes = static_cast<int>(y.size());
  EXPECT_THROW(stratified_folds(rows, 5, 1), Error);
}

TEST(Path, GramMatrixAndFeaturesTellTheSame) {
  const Cloud cloud(60, 400, 3, 0.12f);
  for (const bool svm : {false, true}) {
    const LogisticConfig logistic;
    const SvmConfig vectors;
    const Rows rows = cloud.rows();
    const PathTask task = svm ? svm_task(rows, vectors) : logistic_task(rows, logistic);
    std::vector<float> gram(60 * 60), weights(60, 1.0f);
    for (std::size_t i = 0; i < 60; i += 4) weights[i] = 0;
    cpu::gram(task.seen->view(), 60, gram.data());
    const auto over_features = task.make(weights, {}), over_gram = task.make(weights, gram);
    std::vector<std::int32_t> all;
    for (std::int32_t i = 0; i < 60; ++i) all.push_back(i);
    for (const double strength : {0.001, 0.1, 1.0}) {
      over_features->fit(strength);
      over_gram->fit(strength);
      std::vector<double> a(180), b(180);
      over_features->scores(all, a);
      over_gram->scores(all, b);
      for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 0.02) << strength;
    }
    EXPECT_NEAR(task.refit(0.1, gram).objective / task.refit(0.1, {}).objective, 1, 1e-4);
  }
}

TEST(Path, ChoosesAndRefits) {
  const Cloud cloud(80, 400, 2, 0.1f);
  const PathResult path = fit_logistic_path(cloud.rows(), {}, {});
  EXPECT_TRUE(path.gram);
  ASSERT_EQ(path.steps.size(), 10u);
  double most = 0;
  for (const PathStep& step : path.steps) {
    EXPECT_EQ(step.accuracies.size(), 5u);
    most = std::max(most, step.mean);
  }
  LogisticConfig config;
  config.strength = path.best;
  EXPECT_NEAR(path.fit.objective / fit_logistic(cloud.rows(), config).objective, 1, 2e-4);
  const Cloud few(80, 6, 2);
  PathConfig weak;
  weak.strengths = {0.001, 0.01, 0.1};
  const PathResult tall = fit_svm_path(few.rows(), {}, weak);
  EXPECT_FALSE(tall.gram);
  EXPECT_EQ(tall.fit.head.classes(), 2);
}

TEST(Path, WhereTheDualIsStuckTheWeightsGoOn) {
  // Many rows, few columns, classes that overlap: there a large C takes the dual variables forever.
  const Cloud cloud(1500, 6, 3, 0.5f);
  std::vector<std::int32_t> fold_of_row;
  for (std::int32_t i = 0; i < 1500; ++i) fold_of_row.push_back(i / 3 % 2);
  for (const bool svm : {false, true}) {
    const PathConfig config{.strengths = {0.01, 100, 1e4}, .fold_of_row = fold_of_row};
    const PathResult path =
        svm ? fit_svm_path(cloud.rows(), {}, config) : fit_logistic_path(cloud.rows(), {}, config);
    EXPECT_TRUE(path.fit.converged);
    for (const PathStep& step : path.steps) {
      EXPECT_TRUE(step.converged) << svm << " " << step.strength;
      for (const std::int32_t fold : {0, 1}) {
        std::vector<float> weights;
        for (const std::int32_t each : fold_of_row) weights.push_back(each == fold ? 0.0f : 1.0f);
        Rows rows = cloud.rows();
        rows.weights = weights;
        LogisticConfig logistic;
        SvmConfig vectors;
        logistic.strength = vectors.strength = step.strength;
        const LinearFit alone = svm ? fit_svm(rows, vectors) : fit_logistic(rows, logistic);
        ASSERT_TRUE(alone.converged);
        const Tensor scores = alone.head.scores(cloud.x.view());
        int right = 0, held = 0;
        for (std::size_t i = 0; i < 1500; ++i) {
          if (fold_of_row[i] != fold) continue;
          const auto own = scores.data().subspan(3 * i, 3);
          right += std::ranges::max_element(own) - own.begin() == cloud.y[i];
          ++held;
        }
        // Both end within the tolerance of the least: some rows lie between, half a percent of them.
        EXPECT_NEAR(step.accuracies[static_cast<std::size_t>(fold)] * held, right, 0.005 * held)
            << svm << " " << step.strength;
      }
    }
  }
}

TEST(Path, GroupsStayTogetherAndBadFoldsAreErrors) {
  const Cloud cloud(40, 10, 2);
  std::vector<std::int32_t> groups;
  for (std::int32_t i = 0; i < 40; ++i) groups.push_back(10 * (i / 10));
  PathConfig config;
  config.fold_of_row = groups;
  EXPECT_EQ(fit_logistic_path(cloud.rows(), {}, config).steps[0].accuracies.size(), 4u);
  const std::vector<std::int32_t> by_class(cloud.y);  // each fold leaves one class
  config.fold_of_row = by_class;
  EXPECT_THROW(fit_logistic_path(cloud.rows(), {}, config), Error);
  config.fold_of_row = {};
  config.strengths = {};
  EXPECT_THROW(fit_logistic_path(cloud.rows(), {}, config), Error);
}

}  // namespace
}  // namespace enxerto
