#include "enxerto/transfer/unknown.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "enxerto/transfer/graft.h"
#include "enxerto/transfer/pictures_for_tests.h"
#include "enxerto/transfer/probe.h"

namespace enxerto {
namespace {

TEST(RiskCurve, IsWhatASlowCountSays) {
  Rng rng(4);
  std::vector<double> doubt;
  std::vector<bool> wrong;
  for (int i = 0; i < 137; ++i) {
    doubt.push_back(static_cast<double>(rng.uniform()));
    wrong.push_back(rng.uniform() < doubt.back());
  }
  const RiskCurve curve = risk_curve(doubt, wrong, 20);
  ASSERT_EQ(curve.points.size(), 20u);
  // For each picture: answer all that are no more doubtful than it.
  double area = 0;
  for (std::size_t i = 0; i < doubt.size(); ++i) {
    double answered = 0, errors = 0;
    for (std::size_t j = 0; j < doubt.size(); ++j)
      if (doubt[j] <= doubt[i]) answered += 1, errors += wrong[j] ? 1 : 0;
    area += errors / answered / 137;
    const CoveragePoint at = risk_at(doubt, wrong, doubt[i]);
    EXPECT_DOUBLE_EQ(at.coverage, answered / 137);
    EXPECT_DOUBLE_EQ(at.risk, errors / answered);
    for (const CoveragePoint& point : curve.points)
      if (std::lround(point.coverage * 137) == std::lround(answered)) {
        EXPECT_DOUBLE_EQ(point.risk, at.risk);
      }
  }
  EXPECT_NEAR(curve.area, area, 1e-12);
  for (std::size_t k = 0; k < 20; ++k) EXPECT_NEAR(curve.points[k].coverage, (k + 1) / 20.0, 1.0 / 137);
  EXPECT_EQ(curve.points.back().coverage, 1);
}

TEST(RiskCurve, OfEqualDoubtTheOrderPlaysNoPart) {
  const RiskCurve one = risk_curve(std::vector<double>{1, 1, 1, 1}, {true, false, false, false}, 4),
                  other = risk_curve(std::vector<double>{1, 1, 1, 1}, {false, false, false, true}, 4);
  for (std::size_t k = 0; k < 4; ++k) {
    EXPECT_DOUBLE_EQ(one.points[k].risk, 0.25);
    EXPECT_DOUBLE_EQ(other.points[k].risk, 0.25);
  }
  EXPECT_DOUBLE_EQ(one.area, 0.25);
}

TEST(RiskCurve, OfFewPicturesAndOfNone) {
  EXPECT_TRUE(risk_curve({}, {}, 20).points.empty());
  EXPECT_EQ(risk_at({}, {}, 1).coverage, 0);
  const RiskCurve two = risk_curve(std::vector<double>{0.5, 0.1}, {true, false}, 20);
  ASSERT_EQ(two.points.size(), 2u);
  EXPECT_EQ(two.points[0].risk, 0);
  EXPECT_EQ(two.points[1].risk, 0.5);
  EXPECT_EQ(risk_at(std::vector<double>{0.5}, {true}, 0.1).risk, 0);
}

struct Fitted {
  Graph graph = network();
  Prefix prefix{.graph = features_of(graph, {"pool"}), .preprocess = Preprocess::imagenet(16, 16)};
  std::shared_ptr<const Dataset> data = pictures(90), val = pictures(60);
  Features rows = compute_features(prefix, *data), val_rows = compute_features(prefix, *val);
};

TEST(Unknown, AnswersTheShareOfTheValidationPicturesThatItIsAskedFor) {
  Fitted fitted;
  const auto novelty = learn_unknown(fitted.rows, *fitted.data, fitted.val_rows, 0.9);
  ASSERT_TRUE(novelty);
  int answered = 0;
  for (const double each : distances_of(*novelty, fitted.val_rows))
    answered += novelty->is_unknown(each) ? 0 : 1;
  EXPECT_EQ(answered, 54);
  EXPECT_EQ(novelty->answered, 0.9);
}

TEST(Unknown, TheJsonHasCoverageRiskAndCurves) {
  Fitted fitted;
  const auto novelty = learn_unknown(fitted.rows, *fitted.data, fitted.val_rows);
  HeadConfig config;
  config.strength = 1;
  const Tensor outputs = outputs_of(fit_probe(fitted.rows, *fitted.data, config).head, fitted.val_rows);
  const auto distances = distances_of(*novelty, fitted.val_rows);
  const auto json = unknown_json(*novelty, distances, outputs.view(), *fitted.val, true);
  EXPECT_EQ(json.at("n"), 60);
  EXPECT_DOUBLE_EQ(json.at("coverage"), 57.0 / 60);
  const double error = 1 - evaluate_outputs(outputs.view(), *fitted.val).top1();
  for (const char* order : {"by_distance", "by_confidence"}) {
    EXPECT_EQ(json.at(order).at("curve").size(), 20u);
    EXPECT_NEAR(json.at(order).at("curve").back().at(1), error, 1e-12) << order;
  }
  EXPECT_FALSE(unknown_json(*novelty, distances, outputs.view(), *fitted.val, false).contains("by_distance"));
}

}  // namespace
}  // namespace enxerto
