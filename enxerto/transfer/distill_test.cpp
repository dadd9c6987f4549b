#include "enxerto/transfer/distill.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/data/loader.h"
#include "enxerto/graph/executor.h"
#include "enxerto/graph/split.h"
#include "enxerto/transfer/pictures_for_tests.h"

namespace enxerto {
namespace {

constexpr int count = 22, columns = 8, constant = 3;
const Preprocess small = Preprocess::imagenet(16, 16);

/// network(), whose feature `constant` is the same of every picture.
Graph teaching_network() {
  Graph graph = network();
  for (Param& param : graph.params())
    if (param.name == "stem.bn.weight" || param.name == "block.bn.weight")
      param.value.data()[constant] = 0;
    else if (param.name == "stem.bn.bias" || param.name == "block.bn.bias")
      param.value.data()[constant] = 0.7f;
  return graph;
}

Teacher teacher(bool of_classes = false) {
  SplitGraph parts = split_at(teaching_network(), "pool");
  Teacher made{.prefix = {.graph = std::move(parts.prefix), .preprocess = small, .batch = 8},
               .temperature = 2};
  if (of_classes) made.rest = std::move(parts.suffix);
  return made;
}

/// The targets that a whole epoch in shuffled order hands out, by the picture that they came with.
std::vector<std::vector<float>> targets_of_epoch(const Dataset& data, std::int64_t its_columns,
                                                 const TargetRows& rows, int epoch) {
  TargetFeed feed(
      std::make_unique<Loader>(
          data,
          LoaderConfig{
              .batch = 5, .workers = 2, .shuffle = true, .seed = 4, .preprocess = small, .augment = {}}),
      its_columns, rows);
  std::vector<std::vector<float>> made(static_cast<std::size_t>(data.size()));
  std::vector<std::int64_t> order;
  Batch batch;
  for (feed.start(epoch); feed.next(batch);)
    for (std::size_t i = 0; i < batch.indices.size(); ++i) {
      const auto row = batch.targets.data().subspan(i * static_cast<std::size_t>(its_columns),
                                                    static_cast<std::size_t>(its_columns));
      order.push_back(batch.indices[i]);
      made[static_cast<std::size_t>(batch.indices[i])].assign(row.begin(), row.end());
    }
  EXPECT_EQ(std::ssize(order), data.size());
  EXPECT_FALSE(std::ranges::is_sorted(order)) << "nothing was shuffled";
  return made;
}

std::vector<float> row_of(const Features& features, std::int64_t picture) {
  std::vector<float> row(static_cast<std::size_t>(features.row_shape().size()));
  features.read(picture, 1, row);
  return row;
}

TEST(Distill, TargetsGoWithTheirPicturesInAnyOrder) {
  const auto data = pictures(count);
  const Teacher taught = teacher();
  const Features features = compute_features(taught.prefix, *data);
  for (const int epoch : {1, 2}) {
    const auto targets = targets_of_epoch(*data, columns, feature_targets(features, {}), epoch);
    for (int i = 0; i < count; ++i) EXPECT_EQ(targets[static_cast<std::size_t>(i)], row_of(features, i)) << i;
  }
}

TEST(Distill, TargetsAreStandardizedAndConstantColumnsAreZero) {
  const auto data = pictures(count);
  const Teacher taught = teacher();
  const Features features = compute_features(taught.prefix, *data);
  Tensor room;
  const Standardization by = standardization_of(flat(features.matrix(1, room)));
  const auto targets = targets_of_epoch(*data, columns, feature_targets(features, by), 1);
  for (std::size_t k = 0; k < columns; ++k) {
    double sum = 0, squares = 0;
    for (const auto& row : targets) sum += static_cast<double>(row[k]);
    for (const auto& row : targets) squares += std::pow(static_cast<double>(row[k]) - sum / count, 2);
    EXPECT_NEAR(sum / count, 0, 1e-5) << k;
    if (k == constant)
      for (const auto& row : targets) EXPECT_EQ(row[k], 0.0f);
    else
      EXPECT_NEAR(squares / count, 1, 1e-4) << k;
  }
}

TEST(Distill, ProbabilitiesAreTheSoftmaxOfTheTeachersLogits) {
  const auto data = pictures(count);
  const Teacher taught = teacher(true);
  const Features features = compute_features(taught.prefix, *data);
  const auto targets =
      targets_of_epoch(*data, 3, class_targets(features, *taught.rest, taught.temperature, 5), 1);
  Executor whole(*taught.rest, {.batch = 1});
  for (int i = 0; i < count; ++i) {
    Tensor row(taught.rest->input_shape());
    features.read(i, 1, row.data());
    const ConstView logits = whole.forward(std::as_const(row).view());
    double total = 0;
    for (const float logit : logits.data) total += std::exp(static_cast<double>(logit) / taught.temperature);
    for (std::size_t k = 0; k < 3; ++k)
      EXPECT_NEAR(targets[static_cast<std::size_t>(i)][k],
                  std::exp(static_cast<double>(logits.data[k]) / taught.temperature) / total, 1e-6)
          << i;
  }
}

/// As many outputs as `outputs`, and a dropout, which is to do nothing.
Graph student(int outputs) {
  Graph graph;
  NodeId x =
      graph.add("conv", Conv2d{.out = 6, .kernel = 3, .stride = 2, .pad = 1}, {graph.input({1, 3, 16, 16})});
  x = graph.add("bn", BatchNorm{}, {x});
  x = graph.add("relu", Activate{.function = Activation::relu}, {x});
  x = graph.add("pool", GlobalAvgPool{}, {x});
  x = graph.add("dropout", Dropout{.p = 0.9f}, {x});
  graph.add("head", Linear{.out = outputs}, {x});
  graph.init({}, Rng(2));
  return graph;
}

TrainConfig training(const Teacher& taught) {
  TrainConfig config{.epochs = 6,
                     .batch = 6,
                     .seed = 5,
                     .preprocess = small,
                     .optimizer = Adam{},
                     .schedule = {.base = 0.02}};
  config.augment.flip = 0.5;
  if (taught.rest)
    config.loss = CrossEntropy{};
  else
    config.loss = MeanSquaredError{};
  return config;
}

struct Losses final : Observer {
  bool on_epoch(const EpochReport& epoch, const Graph&, const TrainState&) override {
    train.push_back(epoch.train_loss);
    EXPECT_FALSE(epoch.train_top1);
    EXPECT_TRUE(epoch.val && epoch.val->only_loss && epoch.val->n == 7);
    return true;
  }
  std::vector<double> train;
};

TEST(Distill, TheStudentComesNearerTwiceWithTheSameBits) {
  for (const bool of_classes : {false, true}) {
    const Teacher taught = teacher(of_classes);
    const std::vector<std::string> outputs(static_cast<std::size_t>(taught.outputs()), "output");
    const Unlabelled data(pictures(count), outputs), val(pictures(7), outputs);
    std::vector<Graph> made;
    std::vector<Losses> heard(2);
    for (Losses& losses : heard) {
      made.push_back(student(static_cast<int>(taught.outputs())));
      Observer* const observer = &losses;
      distill(made.back(), taught, data, &val, training(taught), {}, {&observer, 1});
    }
    EXPECT_LT(heard[0].train.back(), heard[0].train.front());
    EXPECT_EQ(heard[0].train, heard[1].train);
    for (const Param& param : made[0].params())
      EXPECT_TRUE(std::ranges::equal(param.value.data(), made[1].find_param(param.name)->value.data()))
          << param.name;
  }
}

TEST(Distill, LabelsAreNotAsked) {
  const auto data = pictures(count);
  const auto bare = std::make_shared<Unlabelled>(data, std::vector<std::string>(3, "output"));
  EXPECT_EQ(bare->size(), count);
  EXPECT_EQ(bare->label(4), unlabelled);
  EXPECT_EQ(bare->get(4).label, unlabelled);
  const Teacher taught = teacher(true);
  Graph with = student(3), without = student(3);
  TrainConfig config = training(taught);
  config.metric = Metric::train_loss;
  distill(with, taught, *data, nullptr, config, {});
  distill(without, taught, *bare, nullptr, config, {});
  for (const Param& param : with.params())
    EXPECT_TRUE(std::ranges::equal(param.value.data(), without.find_param(param.name)->value.data()))
        << param.name;
}

TEST(Distill, WhatMakesNoSenseIsRefused) {
  const auto data = pictures(count);
  Graph graph = student(columns);
  TrainConfig mixed = training(teacher());
  mixed.metric = Metric::train_loss;
  mixed.augment.mixup_alpha = 0.2;
  EXPECT_THROW(distill(graph, teacher(), *data, nullptr, mixed, {}), Error);
  Teacher cold = teacher(true);
  cold.temperature = 0;
  EXPECT_THROW(distill(graph, cold, *data, nullptr, training(cold), {}), Error);
}

}  // namespace
}  // namespace enxerto
