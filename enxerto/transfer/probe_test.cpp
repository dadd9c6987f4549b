#include "enxerto/transfer/probe.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/transfer/advice.h"
#include "enxerto/transfer/calibration.h"
#include "enxerto/transfer/graft.h"
#include "enxerto/transfer/pictures_for_tests.h"

namespace enxerto {
namespace {

struct Fitted {
  Graph graph = network();
  Prefix prefix{.graph = features_of(graph, {"pool"}), .preprocess = Preprocess::imagenet(16, 16)};
  std::shared_ptr<const Dataset> data = pictures(60);
  Features features = compute_features(prefix, *data);
};

HeadConfig config_of(const char* kind, std::optional<double> strength = {}) {
  HeadConfig config;
  config.kind = kind;
  config.strength = strength;
  return config;
}

TEST(Probe, LearnsAndIsTheNetworksLastLayer) {
  Fitted fitted;
  const HeadFit fit = fit_probe(fitted.features, *fitted.data, config_of("logistic", 100));
  const Evaluation wanted = evaluate_outputs(outputs_of(fit.head, fitted.features).view(), *fitted.data);
  EXPECT_GT(wanted.top1(), 0.9);
  Graph made = grafted(fitted.graph, {"pool"}, 3);
  set_head(std::get<LinearHead>(fit.head.model), 1, made);
  const Evaluation got = evaluate(made, *fitted.data, fitted.prefix.preprocess);
  EXPECT_EQ(got.confusion, wanted.confusion);
  EXPECT_NEAR(got.loss, wanted.loss, 1e-4);
  set_head(std::get<LinearHead>(fit.head.model), 4, made);
  EXPECT_EQ(evaluate(made, *fitted.data, fitted.prefix.preprocess).confusion, wanted.confusion);
  EXPECT_NEAR(head_in(made).w.data()[0] * 4, std::get<LinearHead>(fit.head.model).w.data()[0], 1e-6);
}

TEST(Probe, OtherHeadsGiveLogarithmsOfTheirProbabilities) {
  Fitted fitted;
  for (const char* kind : {"knn", "forest", "svm", "ridge"}) {
    const HeadFit fit = fit_probe(fitted.features, *fitted.data, config_of(kind));
    const Evaluation score = evaluate_outputs(outputs_of(fit.head, fitted.features).view(), *fitted.data);
    EXPECT_GT(score.top1(), 0.8) << kind;
  }
}

TEST(Probe, TakesAllViews) {
  Fitted fitted;
  fitted.prefix.augment.flip = 0.5;
  const Features views = compute_features(fitted.prefix, *fitted.data, {.views = 3});
  Tensor room;
  EXPECT_EQ(views.all(room).shape.n, 180);
  const HeadFit fit = fit_probe(views, *fitted.data, config_of("logistic", 1));
  EXPECT_GT(evaluate_outputs(outputs_of(fit.head, views).view(), *fitted.data).top1(), 0.8);
  // Cross-validation holds back all views of a picture: three equal views are judged as one.
  fitted.prefix.augment = {};
  const Features thrice = compute_features(fitted.prefix, *fitted.data, {.views = 3});
  HeadConfig folded = config_of("logistic");
  folded.folds = 5;
  const HeadFit once = fit_probe(fitted.features, *fitted.data, folded),
                three = fit_probe(thrice, *fitted.data, folded);
  for (std::size_t i = 0; i < once.report.path.size(); ++i) EXPECT_LE(three.report.path[i].mean, 1);
  EXPECT_EQ(three.report.path.back().accuracies.size(), 5U);
}

TEST(Probe, ViewsOfAPictureDoNotJudgeEachOther) {
  Fitted fitted;
  const Features once = compute_features(fitted.prefix, *fitted.data, {.views = 1}),
                 thrice = compute_features(fitted.prefix, *fitted.data, {.views = 3});
  // Equal views: the C of one of them, of three times as many rows.
  const HeadFit ridge = fit_probe(once, *fitted.data, config_of("ridge")),
                ridge3 = fit_probe(thrice, *fitted.data, config_of("ridge"));
  EXPECT_DOUBLE_EQ(*ridge3.report.strength, *ridge.report.strength / 3);
  ASSERT_EQ(ridge3.report.leave_one_out.size(), ridge.report.leave_one_out.size());
  EXPECT_EQ(std::ranges::count(ridge3.report.leave_one_out, *ridge3.report.strength, &RidgeStep::strength),
            1);
  EXPECT_EQ(ridge3.report.leave_one_out.back().accuracy, ridge.report.leave_one_out.back().accuracy);
  const auto w = [](const HeadFit& fit) { return std::get<LinearHead>(fit.head.model).w.data()[0]; };
  EXPECT_NEAR(w(ridge3), w(ridge), 1e-4 * std::abs(w(ridge)));
  // Trees that have not seen a picture have seen none of its views. With few trees some rows are in every
  // bag: of each picture all views, or none.
  HeadConfig small = config_of("forest");
  small.trees = 2;
  EXPECT_EQ(fit_probe(thrice, *fitted.data, small).report.out_of_bag_rows,
            3 * fit_probe(once, *fitted.data, small).report.out_of_bag_rows);
}

TEST(Probe, WithAPictureOfEachClassThereIsNothingToCrossValidate) {
  Fitted fitted;
  HeadConfig folded = config_of("logistic");
  folded.folds = 5;
  const Subset three(fitted.data, stratified_part(*fitted.data, 3, 0));
  const Features few = compute_features(fitted.prefix, three);
  const HeadFit fit = fit_probe(few, three, folded);
  EXPECT_EQ(fit.report.strength, 1);
  EXPECT_TRUE(fit.report.path.empty());
}

}  // namespace
}  // namespace enxerto
