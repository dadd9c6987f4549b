#include "enxerto/transfer/advice.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "enxerto/transfer/pictures_for_tests.h"

namespace enxerto {
namespace {

TEST(Advice, APartHasEachClassInProportion) {
  const auto data = pictures(60);
  const std::vector<std::int64_t> part = stratified_part(*data, 15, 1);
  ASSERT_EQ(part.size(), 15U);
  EXPECT_TRUE(std::ranges::is_sorted(part));
  for (const std::int32_t k : {0, 1, 2})
    EXPECT_EQ(std::ranges::count_if(part, [&](std::int64_t i) { return data->label(i) == k; }), 5);
  EXPECT_EQ(stratified_part(*data, 15, 1), part);
  EXPECT_NE(stratified_part(*data, 15, 2), part);
  EXPECT_EQ(stratified_part(*data, 600, 1).size(), 60U);
}

TEST(Advice, DepthsGoFromTheInputToTheUsualCut) {
  const Graph graph = network();
  const std::vector<Cut> cuts = depth_cuts(graph, {.layer = "block.sum", .pool = true}, 4);
  ASSERT_EQ(cuts.size(), 2U);
  EXPECT_EQ(cuts.front(), (Cut{.layer = "stem.relu", .pool = true}));
  EXPECT_EQ(cuts.back(), (Cut{.layer = "block.sum", .pool = true}));
  EXPECT_EQ(depth_cuts(graph, {.layer = "pool"}, 1).size(), 1U);
}

/// A chain of so many blocks.
Graph chain(int blocks) {
  Graph graph;
  NodeId x = graph.input({1, 3, 16, 16});
  for (int i = 0; i < blocks; ++i)
    x = graph.add("block" + std::to_string(i), Conv2d{.out = 4, .kernel = 3, .pad = 1}, {x});
  graph.add("head", Linear{.out = 3}, {graph.add("pool", GlobalAvgPool{}, {x})});
  graph.init({}, Rng(1));
  return graph;
}

TEST(Advice, DepthsAreEvenlySpread) {
  const Graph graph = chain(8);
  const std::vector<Cut> cuts = depth_cuts(graph, {.layer = "pool"}, 4);
  std::vector<std::string> names;
  for (const Cut& cut : cuts) names.push_back(cut.layer);
  EXPECT_EQ(names, (std::vector<std::string>{"block1", "block3", "block5", "pool"}));
}

HeadConfig head_of(const std::string& kind, int folds) {
  HeadConfig head;
  head.kind = kind;
  head.folds = folds;
  return head;
}

TEST(Advice, TheCurveEndsWithTheProbeOfAll) {
  const Graph graph = network();
  const auto train = pictures(90), val = pictures(300);
  const Prefix prefix{.graph = features_of(graph, {"pool"}), .preprocess = Preprocess::imagenet(16, 16)};
  const Features train_rows = compute_features(prefix, *train), val_rows = compute_features(prefix, *val);
  const DepthProbe probe = probe_depth({"pool"}, train_rows, *train, val_rows, *val, head_of("logistic", 5));
  EXPECT_EQ(probe.features, 8);
  EXPECT_GT(probe.top1().mean, 0.9);
  EXPECT_TRUE(probe.head.strength);
  EXPECT_EQ(probe.head.folds, 0);
  const std::vector<double> shares{0.034, 0.5, 1};
  const std::vector<CurvePoint> curve =
      learning_curve(train_rows, *train, val_rows, *val, probe.head, shares, 3, 1);
  ASSERT_EQ(curve.size(), 3U);
  EXPECT_EQ(curve[0].pictures, 3);
  EXPECT_EQ(curve[0].top1.size(), 3U);
  EXPECT_EQ(curve[2].top1.size(), 1U);
  EXPECT_EQ(curve[2].mean(), probe.top1().mean);
}

/// 64 columns, each a pixel of a grey picture, of which the first eight are thirty times as loud.
Graph loud_columns() {
  Graph graph;
  const NodeId image = graph.input({1, 1, 8, 8});
  const NodeId columns = graph.add("columns", Conv2d{.out = 64, .kernel = 8}, {image});
  graph.add("head", Linear{.out = 3}, {graph.add("pool", GlobalAvgPool{}, {columns})});
  graph.init({}, Rng(1));
  const std::span<float> w = graph.params().front().value.data();
  std::ranges::fill(w, 0.0f);
  for (std::size_t k = 0; k < 64; ++k) w[64 * k + k] = k < 8 ? 30.0f : 1.0f;
  return graph;
}

/// Pictures for these: the first eight pixels tell their class, not without errors, the others nothing.
std::shared_ptr<const Dataset> pictures_of_columns(int n, std::uint64_t seed) {
  PictureBlock block{.height = 8, .width = 8, .channels = 1, .pixels = {}, .sources = {{0, "noise"}}};
  std::vector<std::int32_t> labels;
  Rng rng(seed);
  for (int i = 0; i < n; ++i) {
    labels.push_back(i % 3);
    for (int k = 0; k < 64; ++k) {
      const float tells = k < 8 ? 0.7f * static_cast<float>((i % 3 + k) % 3 - 1) : 0.0f;
      block.pixels.push_back(
          static_cast<std::uint8_t>(std::clamp(128 + 30 * (tells + rng.normal()), 0.0f, 255.0f)));
    }
  }
  return std::make_shared<MemoryDataset>(std::move(block), std::move(labels),
                                         std::vector<std::string>{"a", "b", "c"});
}

TEST(Advice, ACurveStandardisesAsItsProbeDoes) {
  const Prefix prefix{.graph = features_of(loud_columns(), {"pool"}),
                      .preprocess = Preprocess::plain(8, 8, 1)};
  const auto train = pictures_of_columns(90, 3), val = pictures_of_columns(300, 4);
  const Features train_rows = compute_features(prefix, *train), val_rows = compute_features(prefix, *val);
  const DepthProbe probe = probe_depth({"pool"}, train_rows, *train, val_rows, *val, head_of("logistic", 5));
  EXPECT_EQ(probe.head.standardize, false);
  const std::vector<double> shares{1};
  const auto end_of_curve = [&](const HeadConfig& head) {
    return learning_curve(train_rows, *train, val_rows, *val, head, shares, 1, 1).front().mean();
  };
  EXPECT_EQ(end_of_curve(probe.head), probe.top1().mean);
  HeadConfig by_rule = probe.head;
  by_rule.standardize.reset();
  EXPECT_LT(end_of_curve(by_rule), probe.top1().mean - 0.05);
}

TEST(Advice, ACurveIsOfTheHeadThatWasAskedFor) {
  const auto train = pictures(24), val = pictures(90);
  const Prefix prefix{.graph = features_of(network(), {"pool"}), .preprocess = Preprocess::imagenet(16, 16)};
  const Features train_rows = compute_features(prefix, *train), val_rows = compute_features(prefix, *val);
  for (const std::string& kind : head_kinds()) {
    HeadConfig head = head_of(kind, 0);
    head.pca = 4;
    head.trees = 9;
    const DepthProbe probe = probe_depth({"pool"}, train_rows, *train, val_rows, *val, head);
    // Three rows are fewer than the neighbours and the components that are asked for.
    const std::vector<double> shares{0.125, 1};
    const auto curve = learning_curve(train_rows, *train, val_rows, *val, probe.head, shares, 2, 1);
    EXPECT_EQ(curve[0].pictures, 3) << kind;
    EXPECT_EQ(curve[1].mean(), probe.top1().mean) << kind;
  }
  const std::vector<double> shares{1e-3, 1};  // of no picture
  EXPECT_EQ(learning_curve(train_rows, *train, val_rows, *val, head_of("ridge", 0), shares, 2, 1).size(), 1);
}

TEST(Advice, ErrorsFallAsAPowerOfThePictures) {
  const std::vector<CurvePoint> curve{{0.25, 100, {0.6, 0.6}}, {0.5, 200, {0.8}}, {1, 400, {0.9}}};
  EXPECT_NEAR(*top1_of_twice(curve, 1000), 0.95, 1e-12);  // 40 %, 20 %, 10 %, so 5 %
  const std::vector<CurvePoint> falling{{0.5, 200, {0.9}}, {1, 400, {0.8}}};
  EXPECT_NEAR(*top1_of_twice(falling, 1000), 0.8, 1e-12);
  const std::vector<CurvePoint> perfect{{0.5, 200, {1}}, {1, 400, {1}}};
  EXPECT_NEAR(*top1_of_twice(perfect, 1000), 1, 1e-12);
  EXPECT_FALSE(top1_of_twice(std::span(curve).first(1), 1000));
}

DepthProbe depth(int right, int n) {
  DepthProbe made;
  for (int i = 0; i < n; ++i) made.right.push_back(i < right);
  return made;
}

TEST(Advice, AnEarlierLayerHasToBeClearlyBetter) {
  const std::vector<DepthProbe> close{depth(101, 200), depth(100, 200)};
  EXPECT_EQ(best_depth(close), 1U);
  const std::vector<DepthProbe> clear{depth(150, 200), depth(120, 200)};
  EXPECT_EQ(best_depth(clear), 0U);
}

TEST(Advice, QuadrantsAreThoseOfTheLectures) {
  const std::vector<DepthProbe> alike{depth(100, 200), depth(190, 200)},
      unlike{depth(100, 200), depth(120, 200)};
  EXPECT_EQ(quadrant_of(300, alike, 2).rule_of_thumb(), "probe");
  EXPECT_EQ(quadrant_of(5000, alike, 2).rule_of_thumb(), "warmup+finetune");
  EXPECT_EQ(quadrant_of(300, unlike, 2).rule_of_thumb(), "warmup+finetune");
  EXPECT_EQ(quadrant_of(5000, unlike, 2).rule_of_thumb(), "finetune");
}

TEST(Advice, AGainHasToBeMoreThanItsErrorAndWithinTheBudget) {
  const std::vector<Choice> choices{{.recipe = "probe", .seconds = 10},
                                    {.recipe = "a", .gain = 0.02, .gain_error = 0.03, .seconds = 100},
                                    {.recipe = "b", .gain = 0.01, .gain_error = 0.005, .seconds = 100},
                                    {.recipe = "c", .gain = 0.04, .gain_error = 0.02, .seconds = 1000}};
  EXPECT_EQ(recommended(choices, 0), 3U);
  EXPECT_EQ(recommended(choices, 500), 2U);
  EXPECT_EQ(recommended(choices, 50), 0U);
  EXPECT_EQ(recommended(std::span(choices).first(2), 0), 0U);
}

TEST(Advice, AGainCountsFromTheUsualCut) {
  const Pilot pilot{
      .recipe = "a", .probe_right = depth(120, 200).right, .tuned_right = depth(160, 200).right};
  const Choice probe{.recipe = "probe", .top1 = 0.75, .interval = {0.7, 0.8}};
  Choice at_best{.recipe = "a"}, behind{.recipe = "a"};
  add_gain(pilot.gain(), std::vector{depth(90, 200), depth(120, 200)}, probe, at_best);
  EXPECT_NEAR(at_best.gain, 0.2, 1e-12);
  EXPECT_NEAR(at_best.top1, 0.95, 1e-12);
  // The usual cut is 15 points behind the best one, to which the probe belongs.
  add_gain(pilot.gain(), std::vector{depth(150, 200), depth(120, 200)}, probe, behind);
  EXPECT_NEAR(behind.gain, 0.05, 1e-12);
  EXPECT_GT(behind.gain_error, at_best.gain_error);
}

TEST(Advice, APilotsGainIsPaired) {
  const Pilot pilot{.recipe = "a", .probe_right = {1, 0, 0, 0}, .tuned_right = {1, 1, 1, 0}};
  EXPECT_DOUBLE_EQ(pilot.gain().difference, 0.5);
  EXPECT_DOUBLE_EQ(pilot.gain().only_first, 0.5);
}

}  // namespace
}  // namespace enxerto
