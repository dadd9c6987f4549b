#include "enxerto/train/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

TEST(Wilson, HasTheValuesOfTheTables) {
  // The roots of |right / n - p| = z sqrt(p (1 - p) / n), found by bisection.
  struct Case {
    std::int64_t right, n;
    double low, high;
  };
  for (const Case& one :
       {Case{8, 10, 0.490162, 0.943318}, Case{0, 10, 0, 0.277533}, Case{10, 10, 0.722467, 1},
        Case{9810, 10000, 0.978134, 0.983497}, Case{1, 2, 0.094531, 0.905469}}) {
    const Interval got = wilson_interval(one.right, one.n);
    EXPECT_NEAR(got.low, one.low, 1e-6) << one.right << "/" << one.n;
    EXPECT_NEAR(got.high, one.high, 1e-6) << one.right << "/" << one.n;
  }
  EXPECT_EQ(wilson_interval(0, 0).low, 0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
}

TEST(Evaluation, ScoresOfEachClassComeFromTheConfusionMatrix) {
  // cat: 3 right, 1 taken for dog; dog: 1 right, 1 taken for cat; fish: none there, none predicted.
  const Evaluation evaluation{.classes = {"cat", "dog", "fish"},
                              .n = 6,
                              .right = 4,
                              .right5 = 6,
                              .loss = 0.5,
                              .confusion = {3, 1, 0, 1, 1, 0, 0, 0, 0}};
  const auto scores = evaluation.per_class();
  EXPECT_DOUBLE_EQ(*scores[0].precision(), 0.75);
  EXPECT_DOUBLE_EQ(*scores[0].recall(), 0.75);
  EXPECT_DOUBLE_EQ(*scores[1].f1(), 0.5);
  EXPECT_FALSE(scores[2].precision() || scores[2].recall() || scores[2].f1());

  const auto json = evaluation.to_json();
  EXPECT_DOUBLE_EQ(json.at("top1").get<double>(), 4.0 / 6);
  EXPECT_DOUBLE_EQ(json.at("macro_recall").get<double>(), (0.75 + 0.5) / 2);
  EXPECT_FALSE(json.contains("top5"));
  EXPECT_TRUE(json.at("per_class")[2].at("recall").is_null());
  EXPECT_EQ(json.at("confusion")[0], nlohmann::json({3, 1, 0}));
  EXPECT_EQ(json.at("top1_interval").size(), 2u);
}

TEST(Ranks, EqualOutputsCountInTheirOrder) {
  const std::vector<float> outputs{1, 3, 3, 2};
  EXPECT_EQ(rank_of(outputs, 1), 0);
  EXPECT_EQ(rank_of(outputs, 2), 1);
  EXPECT_EQ(rank_of(outputs, 3), 2);
  EXPECT_EQ(rank_of(outputs, 0), 3);
}

TEST(Probabilities, AreTheSoftmaxUnlessTheyAreThereAlready) {
  const std::vector<float> outputs{1000, 1000 + std::log(3.0f)};
  EXPECT_NEAR(probabilities_of(outputs)[1], 0.75, 1e-4);
  EXPECT_EQ(probabilities_of(std::vector<float>{0.25f, 0.75f}, true)[0], 0.25f);
}

/// Seven 1x1 pictures with the pixels 0 to 6; the label is the pixel, but for the last.
MemoryDataset seven() {
  PictureBlock block{.height = 1, .width = 1, .channels = 1, .pixels = {0, 1, 2, 3, 4, 5, 6}, .sources = {}};
  block.sources.push_back({0, "seven"});
  return {std::move(block), {0, 1, 2, 3, 4, 5, 0}, {"a", "b", "c", "d", "e", "f", "g"}};
}

/// Output k is 2 k x - k^2, which is largest at k = x.
Graph nearest() {
  Graph net;
  net.input({.c = 1, .h = 1, .w = 1});
  net.add("fc", Linear{.out = 7}, {net.last()});
  for (std::size_t k = 0; k < 7; ++k) {
    net.params()[0].value.data()[k] = 2 * static_cast<float>(k);
    net.params()[1].value.data()[k] = -static_cast<float>(k * k);
  }
  return net;
}

Preprocess raw() {
  Preprocess preprocess{.height = 1, .width = 1, .channels = 1};
  preprocess.scale = 1;
  preprocess.mean = {0};
  preprocess.std = {1};
  return preprocess;
}

TEST(Evaluate, ANetworkThatEndsInASoftmaxHasTheLossOfItsLogits) {
  Graph net = nearest();
  const Evaluation wanted = evaluate(net, seven(), raw(), 7);
  net.add("prob", Softmax{}, {net.last()});
  const Evaluation got = evaluate(net, seven(), raw(), 7, 0, {.gives_probabilities = true});
  EXPECT_NEAR(got.loss, wanted.loss, 1e-5 * wanted.loss);
  EXPECT_EQ(got.confusion, wanted.confusion);
  for (std::size_t i = 0; i < 7; ++i)
    EXPECT_NEAR(*got.pictures[i].probability, *wanted.pictures[i].probability, 1e-5);
}

TEST(Evaluate, CountsEachPictureOnceAndNoPadding) {
  const MemoryDataset data = seven();
  for (const int batch : {1, 3, 7, 100}) {
    std::map<std::int64_t, float> seen;
    const Evaluation got =
        evaluate(nearest(), data, raw(), batch, 0,
                 {.on_outputs = [&](std::int64_t index, std::int32_t, std::span<const float> outputs) {
                   EXPECT_TRUE(seen.emplace(index, outputs[1]).second);
                 }});
    EXPECT_EQ(got.n, 7);
    EXPECT_EQ(got.right, 6);
    EXPECT_EQ(got.right5, 6);  // 0 is the last of all for the pixel 6
    EXPECT_EQ(got.confusion[6], 1);
    EXPECT_EQ(got.confusion[0], 1);
    double loss = 0;
    for (int x = 0; x < 7; ++x) {
      double total = 0;
      for (int k = 0; k < 7; ++k) total += std::exp(2.0 * k * x - k * k);
      const int label = x % 6;
      loss += std::log(total) - (2.0 * label * x - label * label);
    }
    EXPECT_NEAR(got.loss, loss / 7, 1e-5);
    EXPECT_EQ(seen.size(), 7u);
    EXPECT_EQ(seen.at(4), 7.0f);

    ASSERT_EQ(got.pictures.size(), 7u);
    double sum = 0;
    for (std::size_t i = 0; i < 7; ++i) {
      const PictureScore& score = got.pictures[i];
      EXPECT_EQ(score.index, static_cast<std::int64_t>(i));
      EXPECT_EQ(score.label, static_cast<std::int32_t>(i % 6));
      EXPECT_EQ(score.predicted, static_cast<std::int32_t>(i));
      sum += score.loss;
      // What is right has the label's probability.
      if (score.label == score.predicted) {
        EXPECT_NEAR(*score.probability, std::exp(-score.loss), 1e-6);
      }
    }
    EXPECT_NEAR(sum / 7, got.loss, 1e-9);
  }
}

TEST(Evaluate, OutputsThatAreNotFiniteNameTheLayer) {
  Graph net = nearest();
  net.params()[0].value.data()[3] = std::numeric_limits<float>::infinity();
  try {
    evaluate(net, seven(), raw(), 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::diverged);
    EXPECT_NE(std::string(error.what()).find("fc"), std::string::npos) << error.what();
  }
}

TEST(Evaluate, StopsWhenAsked) {
  const std::atomic<bool> stop = true;
  try {
    evaluate(nearest(), seven(), raw(), 2, 0, {.stop = &stop});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
  }
}

}  // namespace
}  // namespace enxerto
