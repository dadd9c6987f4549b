#include "enxerto/heads/ridge.h"

#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/heads/golden2_test.h"

namespace enxerto {
namespace {

using tests::golden2;
using tests::OwnRows;

std::vector<double> strengths_for(const std::vector<double>& alphas) {
  std::vector<double> made;
  for (const double each : alphas) made.push_back(0.5 / each);
  return made;
}

TEST(Ridge, LeaveOneOutAndWeightsAreThoseOfScikitLearn) {
  for (const char* which : {"tall", "wide"}) {
    const OwnRows rows(golden2().at(which));
    const auto& wanted = golden2().at("ridge").at(which);
    const std::vector<double> strengths = strengths_for(wanted.at("alphas"));
    const RidgeFit all = fit_ridge(rows.rows(), {.strengths = strengths, .standardize = false});
    std::vector<double> errors;
    for (const RidgeStep& step : all.steps)
      errors.insert(errors.begin(), step.squared_error);  // C falls as alpha grows
    tests::expect_near_all(wanted.at("errors"), errors, 0, 1e-5, which);
    EXPECT_NEAR(all.best, 0.5 / wanted.at("best").get<double>(), 1e-12) << which;
    const RidgeFit one = fit_ridge(rows.rows(), {.strengths = {strengths[1]}, .standardize = false});
    tests::expect_near_all(wanted.at("weight"), one.fit.head.w.data(), 1e-6, 1e-4, which);
    tests::expect_near_all(wanted.at("bias"), one.fit.head.b.data(), 1e-5, 1e-4, which);
  }
}

/// Leaves each row out in turn, by weights of zero: the slow twin. The scale of the columns has to stay, so
/// there is none.
RidgeStep slow_leave_one_out(const OwnRows& rows, const RidgeConfig& config) {
  RidgeStep made;
  double total = 0;
  const std::vector<float> full = weights_of_rows(rows.rows(), config.class_weights);
  for (std::size_t i = 0; i < rows.y.size(); ++i) {
    std::vector<float> weights = full;
    weights[i] = 0;
    Rows without = rows.rows();
    without.weights = weights;
    const LinearHead head =
        fit_ridge(without, {.strengths = config.strengths, .standardize = false}).fit.head;
    const auto columns = static_cast<std::size_t>(rows.x.shape().c);
    const Tensor scores =
        head.scores({{.n = 1, .c = rows.x.shape().c}, rows.x.data().subspan(i * columns, columns)});
    double squares = 0;
    for (std::size_t k = 0; k < scores.data().size(); ++k) {
      const double off =
          (rows.y[i] == static_cast<std::int32_t>(k) ? 1.0 : 0.0) - static_cast<double>(scores.data()[k]);
      squares += off * off;
    }
    made.squared_error += static_cast<double>(full[i]) * squares;
    total += static_cast<double>(full[i]);
    const auto best = std::ranges::max_element(scores.data()) - scores.data().begin();
    made.accuracy += best == rows.y[i] ? 1.0 / static_cast<double>(rows.y.size()) : 0;
  }
  made.squared_error /= total;
  return made;
}

TEST(Ridge, LeaveOneOutIsWhatLeavingEachRowOutGives) {
  for (const std::int64_t columns : {5, 60})
    for (const bool weighted : {false, true}) {
      const OwnRows rows = tests::made_up_rows(40, columns, 3, 11, 0.5f);
      RidgeConfig config{.strengths = {0.05}, .standardize = false};
      if (weighted) config.class_weights.given = {1, 3, 0.5};
      const RidgeStep wanted = slow_leave_one_out(rows, config);
      const RidgeStep got = fit_ridge(rows.rows(), config).steps.at(0);
      EXPECT_NEAR(got.squared_error, wanted.squared_error, 1e-5 * wanted.squared_error)
          << columns << weighted;
      EXPECT_NEAR(got.accuracy, wanted.accuracy, 1e-9) << columns << weighted;
    }
}

TEST(Ridge, LeaveOneOutHoldsForLoudFeaturesAndWeakPenalties) {
  OwnRows rows = tests::made_up_rows(40, 300, 3, 17, 0.5f);
  for (float& each : rows.x.data()) each = 30 * each + 100;
  for (const double strength : {0.01, 100.0}) {
    const RidgeConfig config{.strengths = {strength}, .standardize = false};
    const RidgeStep wanted = slow_leave_one_out(rows, config);
    const RidgeStep got = fit_ridge(rows.rows(), config).steps.at(0);
    EXPECT_NEAR(got.squared_error, wanted.squared_error, 1e-3 * wanted.squared_error) << strength;
    EXPECT_NEAR(got.accuracy, wanted.accuracy, 1e-9) << strength;
  }
}

TEST(Ridge, TheObjectiveIsLeastAtWhatWasFound) {
  for (const bool standardize : {false, true}) {
    const OwnRows rows = tests::made_up_rows(50, 7, 3, 12);
    const RidgeConfig config{.strengths = {0.2}, .standardize = standardize};
    const RidgeFit found = fit_ridge(rows.rows(), config);
    Rng rng(3);
    for (int i = 0; i < 20; ++i) {
      LinearHead other = found.fit.head.clone();
      for (float& each : other.w.data()) each += 1e-2f * rng.normal();
      for (float& each : other.b.data()) each += 1e-2f * rng.normal();
      EXPECT_GT(ridge_objective(rows.rows(), config, 0.2, other), found.fit.objective);
    }
  }
}

TEST(Ridge, RowsOfWeightZeroAreNotThere) {
  const OwnRows rows = tests::made_up_rows(40, 6, 2, 13);
  std::vector<float> weights(40, 1.0f);
  for (std::size_t i = 30; i < 40; ++i) weights[i] = 0;
  Rows some = rows.rows();
  some.weights = weights;
  const Rows first{{{.n = 30, .c = 6}, rows.x.data().first(180)}, std::span(rows.y).first(30), 2};
  const RidgeFit got = fit_ridge(some, {}), wanted = fit_ridge(first, {});
  EXPECT_EQ(got.best, wanted.best);
  for (std::size_t i = 0; i < 12; ++i)
    EXPECT_NEAR(got.fit.head.w.data()[i], wanted.fit.head.w.data()[i], 1e-5);
}

TEST(Ridge, StrengthsThatMakeNoSenseAreAnError) {
  const OwnRows rows = tests::made_up_rows(10, 4, 2, 6);
  EXPECT_THROW(fit_ridge(rows.rows(), {.strengths = {0}}), Error);
  EXPECT_THROW(fit_ridge(rows.rows(), {.strengths = {1, std::nan("")}}), Error);
}

}  // namespace
}  // namespace enxerto
