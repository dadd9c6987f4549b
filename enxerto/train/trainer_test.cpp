#include "enxerto/train/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/train/tiny_test.h"

namespace enxerto {
namespace {

using tests::error_of;
using tests::expect_same_bits;
using tests::Listener;
using tests::tiny_config;
using tests::tiny_data;
using tests::tiny_lists;
using tests::tiny_net;

bool mentions(const std::string& message, std::string_view part) {
  return message.find(part) != std::string::npos;
}

TEST(Train, LearnsEightPicturesByHeart) {
  const auto data = tiny_data(8);
  TrainConfig config = tiny_config(Adam{});
  config.epochs = 60;
  config.augment = {};
  config.metric = Metric::train_loss;
  Graph net = tiny_net(0);
  const TrainResult result = train(net, *data, nullptr, config);
  EXPECT_LT(result.train_loss, 0.05);
  EXPECT_FALSE(result.val);
  const Evaluation again = evaluate(net, *data, config.preprocess);
  EXPECT_EQ(again.right, 8);
}

TEST(Train, InBfloat16LearnsAsWellWithTheSameBitsEachTime) {
  const auto data = tiny_data();
  TrainConfig config = tiny_config(Adam{});
  config.bf16 = true;
  config.epochs = 20;
  config.metric = Metric::train_loss;
  Graph net = tiny_net(0), again = tiny_net(0), whole = tiny_net(0);
  if (!has_bf16()) {
    const auto [kind, message] = error_of([&] { train(net, *data, nullptr, config); });
    EXPECT_EQ(kind, ErrorKind::unsupported);
    EXPECT_TRUE(mentions(message, "bfloat16")) << message;
    GTEST_SKIP() << "this processor has no bfloat16 arithmetic";
  }
  const double loss = train(net, *data, nullptr, config).train_loss;
  train(again, *data, nullptr, config);
  expect_same_bits(net.state(), again.state());
  config.bf16 = false;
  const double in_float = train(whole, *data, nullptr, config).train_loss;
  EXPECT_NEAR(loss, in_float, 0.1 * in_float + 0.02);
}

TEST(Train, OfAllLossesBringsTheTrainingLossDown) {
  const auto data = tiny_data();
  for (const char* loss : {"cross_entropy", "mse", "bce"}) {
    TrainConfig config = tiny_config();
    config.loss = parse_loss(loss);
    config.metric = Metric::train_loss;
    config.epochs = 6;
    std::vector<double> losses;
    Listener listener;
    listener.epoch = [&](const EpochReport& report, const Graph&, const TrainState&) {
      losses.push_back(report.train_loss);
      return true;
    };
    std::vector<Observer*> observers{&listener};
    Graph net = tiny_net(0);
    train(net, *data, nullptr, config, observers);
    EXPECT_LT(losses.back(), losses.front()) << loss;
  }
}

TEST(Train, TheSameRunHasTheSameBitsForAnyNumberOfWorkersAndRecomputedAndAnotherSeedHasOthers) {
  const auto data = tiny_data(), val = tiny_data(10, 2);
  std::map<std::string, NamedTensors> ends;
  for (const auto& [name, workers, seed, recompute] : {std::tuple{"first", 0, 3, false},
                                                       {"again", 0, 3, false},
                                                       {"workers", 2, 3, false},
                                                       {"recomputed", 0, 3, true},
                                                       {"seed", 0, 4, false}}) {
    TrainConfig config = tiny_config();
    config.workers = workers;
    config.recompute = recompute;
    config.seed = static_cast<std::uint64_t>(seed);
    Graph net = tiny_net();
    train(net, *data, val.get(), config);
    ends[name] = net.state();
  }
  expect_same_bits(ends["first"], ends["again"]);
  expect_same_bits(ends["first"], ends["workers"]);
  expect_same_bits(ends["first"], ends["recomputed"]);
  EXPECT_FALSE(std::ranges::equal(ends["first"][0].value.data(), ends["seed"][0].value.data()));
}

TEST(Train, MixedPicturesAndListsOfLabelsHaveTheSameBitsForAnyNumberOfWorkers) {
  for (const bool lists : {false, true}) {
    const auto data = lists ? tiny_lists() : tiny_data(), val = lists ? tiny_lists(10, 2) : tiny_data(10, 2);
    TrainConfig config = tiny_config();
    config.augment.mixup_alpha = 0.4;
    config.augment.cutmix_alpha = 1;
    if (lists) config.loss = BinaryCrossEntropy{}, config.metric = Metric::val_map;
    Graph alone = tiny_net(), together = tiny_net(), unmixed = tiny_net();
    const TrainResult result = train(alone, *data, val.get(), config);
    config.workers = 3;
    train(together, *data, val.get(), config);
    expect_same_bits(alone.state(), together.state());
    EXPECT_EQ(result.val->multi_label.has_value(), lists);
    if (lists) {
      EXPECT_EQ(result.best_value, *result.val->multi_label->mean_average_precision());
      EXPECT_EQ(result.val->n, 10);
      EXPECT_EQ(result.val->multi_label->labelled, 8);
    }
    config.augment.mixup_alpha = config.augment.cutmix_alpha = 0;
    train(unmixed, *data, val.get(), config);
    EXPECT_FALSE(std::ranges::equal(alone.state()[0].value.data(), unmixed.state()[0].value.data()));
  }
}

TEST(Train, OfListsOfLabelsLearnsByHeart) {
  const auto data = tiny_lists(8);
  TrainConfig config = tiny_config(Adam{});
  config.augment = {};
  config.epochs = 300;
  config.penalty = {};
  config.loss = BinaryCrossEntropy{};
  config.metric = Metric::train_loss;
  Graph net = tiny_net(0);
  train(net, *data, nullptr, config);
  const Evaluation end = evaluate(net, *data, config.preprocess);
  EXPECT_EQ(end.multi_label->exact, 8);
  EXPECT_EQ(end.multi_label->mean_average_precision(), 1);
  EXPECT_EQ(end.right, end.labelled());
}

TEST(Train, SaysWhatDoesNotFitListsOfLabels) {
  const auto data = tiny_lists(), single = tiny_data();
  const auto refuses = [](const Dataset& train_data, const Dataset& val, const TrainConfig& config,
                          const char* said) {
    Graph net = tiny_net();
    const auto [kind, what] = error_of([&] { train(net, train_data, &val, config); });
    EXPECT_EQ(kind, ErrorKind::usage);
    EXPECT_NE(what.find(said), std::string::npos) << what;
  };
  TrainConfig config = tiny_config();
  refuses(*data, *data, config, "bce");
  config.loss = BinaryCrossEntropy{};
  refuses(*data, *single, config, "several labels");
  config.metric = Metric::val_map;
  refuses(*single, *single, config, "val_map");
}

TEST(Train, ReportsEachStepAndEpoch) {
  const auto data = tiny_data(), val = tiny_data(10, 2);
  std::vector<StepReport> steps;
  std::vector<EpochReport> epochs;
  Listener listener;
  listener.step = [&](const StepReport& report) { steps.push_back(report); };
  listener.epoch = [&](const EpochReport& report, const Graph&, const TrainState& state) {
    EXPECT_EQ(state.epoch, report.epoch);
    EXPECT_EQ(state.step, report.step);
    epochs.push_back(report);
    return true;
  };
  std::vector<Observer*> observers{&listener};
  Graph net = tiny_net();
  const TrainConfig config = tiny_config();
  const TrainResult result = train(net, *data, val.get(), config, observers);
  ASSERT_EQ(steps.size(), 16u);
  ASSERT_EQ(epochs.size(), 4u);
  EXPECT_EQ(steps[5].epoch, 2);
  EXPECT_EQ(steps[5].step, 6);
  EXPECT_EQ(steps[5].step_in_epoch, 2);
  EXPECT_EQ(steps[5].steps_per_epoch, 4);
  Schedule schedule = config.schedule;
  schedule.total = 16;
  EXPECT_DOUBLE_EQ(steps[5].lr, lr_at(schedule, 5));
  EXPECT_GT(steps[5].grad_norm, 0);
  EXPECT_GT(steps[5].images_per_second, 0);
  double loss = 0;
  for (int i = 4; i < 8; ++i) loss += steps[static_cast<std::size_t>(i)].loss;
  EXPECT_NEAR(epochs[1].train_loss, loss / 4, 1e-12);
  EXPECT_EQ(epochs[1].val->n, 10);
  EXPECT_EQ(result.steps, 16);
  EXPECT_EQ(result.epochs, 4);
  EXPECT_EQ(result.best_value, epochs[static_cast<std::size_t>(result.best_epoch) - 1].val->loss);
  EXPECT_EQ(result.val->loss, result.best_value);
}

/// The wrong labels: the better a network learns, the worse it does on them.
class Flipped final : public Dataset {
 public:
  explicit Flipped(std::shared_ptr<const Dataset> data) : data_(std::move(data)), labels_(labels_of(*data_)) {
    for (std::int32_t& label : labels_) label = 1 - label;
  }
  std::int64_t size() const override { return data_->size(); }
  Sample get(std::int64_t index, const DecodeOptions& = {}) const override {
    Sample sample = data_->get(index);
    sample.label = label(index);
    return sample;
  }
  std::int32_t label(std::int64_t index) const override { return labels_[static_cast<std::size_t>(index)]; }
  std::span<const std::int32_t> labels(std::int64_t index) const override {
    return {&labels_[static_cast<std::size_t>(index)], 1};
  }
  bool multi_label() const override { return false; }
  std::string name(std::int64_t index) const override { return data_->name(index); }
  std::span<const std::string> classes() const override { return data_->classes(); }

 private:
  std::shared_ptr<const Dataset> data_;
  std::vector<std::int32_t> labels_;
};

TEST(EarlyStopping, EndsTheRunAndRestoresTheBestWeights) {
  const auto data = tiny_data();
  const Flipped val(tiny_data(16, 2));
  TrainConfig config = tiny_config(Adam{});
  config.epochs = 40;
  config.patience = 3;
  config.schedule = {.curve = Schedule::Curve::constant, .base = 0.01};
  for (const Metric metric : {Metric::val_loss, Metric::val_top1}) {
    config.metric = metric;
    NamedTensors best;
    Listener listener;
    listener.epoch = [&](const EpochReport& report, const Graph& graph, const TrainState&) {
      if (report.best) best = graph.state();
      return true;
    };
    std::vector<Observer*> observers{&listener};
    Graph net = tiny_net();
    const TrainResult result = train(net, *data, &val, config, observers);
    EXPECT_TRUE(result.stopped_early);
    EXPECT_EQ(result.epochs, result.best_epoch + 3);
    expect_same_bits(best, net.state());
    EXPECT_EQ(metric == Metric::val_loss ? result.val->loss : result.val->top1(), result.best_value);
  }
}

TEST(Train, AnObserverMayEndIt) {
  const auto data = tiny_data();
  TrainConfig config = tiny_config();
  config.metric = Metric::train_loss;
  Listener listener;
  listener.epoch = [](const EpochReport& report, const Graph&, const TrainState&) {
    return report.epoch < 2;
  };
  std::vector<Observer*> observers{&listener};
  Graph net = tiny_net();
  EXPECT_EQ(train(net, *data, nullptr, config, observers).epochs, 2);
}

TEST(Train, NaNStopsTheRunNamingTheLayer) {
  const auto data = tiny_data();
  TrainConfig config = tiny_config();
  config.metric = Metric::train_loss;
  Graph net = tiny_net();
  for (Param& param : net.params())
    if (param.name == "fc.weight") param.value.data()[0] = std::numeric_limits<float>::quiet_NaN();
  const auto [kind, message] = error_of([&] { train(net, *data, nullptr, config); });
  EXPECT_EQ(kind, ErrorKind::diverged);
  EXPECT_TRUE(mentions(message, "\"fc\"") && mentions(message, "step 1 ") && mentions(message, "--lr"))
      << message;
}

TEST(Train, ARateThatIsTooLargeEndsInDiverged) {
  const auto data = tiny_data();
  TrainConfig config = tiny_config();
  config.metric = Metric::train_loss;
  config.clip_norm = 0;
  config.schedule = {.curve = Schedule::Curve::constant, .base = 1e30};
  Graph net = tiny_net();
  EXPECT_EQ(error_of([&] { train(net, *data, nullptr, config); }).first, ErrorKind::diverged);
}

TEST(Train, FrozenLayersKeepTheirBitsAndAllFrozenIsRefused) {
  const auto data = tiny_data();
  TrainConfig config = tiny_config();
  config.metric = Metric::train_loss;
  Graph net = tiny_net();
  net.freeze_through("bn1");
  const NamedTensors before = net.state();
  train(net, *data, nullptr, config);
  const NamedTensors after = net.state();
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_EQ(std::ranges::equal(before[i].value.data(), after[i].value.data()),
              !before[i].name.starts_with("fc"))
        << before[i].name;
  net.freeze("");
  EXPECT_TRUE(mentions(error_of([&] { train(net, *data, nullptr, config); }).second, "frozen"));
}

TEST(Train, WhatDoesNotFitTogetherIsSaid) {
  const auto data = tiny_data(), val = tiny_data(10, 2);
  const auto message_of = [&](const std::function<void(TrainConfig&)>& change, const Dataset* validation) {
    TrainConfig config = tiny_config();
    change(config);
    Graph net = tiny_net();
    const auto [kind, message] = error_of([&] { train(net, *data, validation, config); });
    EXPECT_EQ(kind, ErrorKind::usage) << message;
    return message;
  };
  EXPECT_TRUE(mentions(message_of([](TrainConfig&) {}, nullptr), "validation"));
  EXPECT_TRUE(mentions(message_of([](TrainConfig& c) { c.epochs = 0; }, val.get()), "epochs"));
  EXPECT_TRUE(mentions(message_of([](TrainConfig& c) { c.preprocess.height = 13; }, val.get()), "1x1x12x12"));
  EXPECT_TRUE(mentions(message_of([](TrainConfig& c) { c.schedule.base = -1; }, val.get()), "rate"));
  EXPECT_TRUE(mentions(message_of([](TrainConfig& c) { c.penalty.l1 = -1; }, val.get()), "l1"));

  Graph three = tiny_net();
  three.cut_after("flatten");
  three.add("fc", Linear{.out = 3}, {three.last()});
  EXPECT_TRUE(mentions(error_of([&] { train(three, *data, val.get(), tiny_config()); }).second, "3 outputs"));
  Graph softmax = tiny_net();
  softmax.add("softmax", Softmax{}, {softmax.last()});
  EXPECT_TRUE(mentions(error_of([&] { train(softmax, *data, val.get(), tiny_config()); }).second, "softmax"));
}

TEST(Train, FewerPicturesThanABatchMakeOneBatch) {
  EXPECT_EQ(steps_per_epoch(36, 8), 4);
  EXPECT_EQ(steps_per_epoch(8, 8), 1);
  EXPECT_EQ(steps_per_epoch(5, 8), 1);
  const auto data = tiny_data(5);
  TrainConfig config = tiny_config();
  config.metric = Metric::train_loss;
  Graph net = tiny_net();
  EXPECT_EQ(train(net, *data, nullptr, config).steps, 4);
}

TEST(Restarts, TheBestIsKeptAndAllAreReported) {
  const auto data = tiny_data();
  TrainConfig config = tiny_config();
  config.metric = Metric::train_loss;
  config.epochs = 2;
  Graph net = tiny_net();
  std::map<std::uint64_t, NamedTensors> ends;
  const auto run = [&](Graph& graph, std::uint64_t seed) {
    if (seed == 12) throw Error(ErrorKind::diverged, "it blew up");
    config.seed = seed;
    TrainResult result = train(graph, *data, nullptr, config);
    ends[seed] = graph.state();
    return result;
  };
  const Restarts made = train_with_restarts(net, {}, 4, 10, Metric::train_loss, run);
  ASSERT_EQ(made.all.size(), 4u);
  EXPECT_TRUE(std::isnan(made.all[2].value));
  EXPECT_EQ(made.all[2].error, "it blew up");
  for (const Restart& restart : made.all) EXPECT_FALSE(restart.value < made.all[made.best].value);
  EXPECT_EQ(made.result.best_value, made.all[made.best].value);
  expect_same_bits(ends.at(made.all[made.best].seed), net.state());
  EXPECT_EQ(error_of([&] { train_with_restarts(net, {}, 1, 12, Metric::train_loss, run); }).first,
            ErrorKind::diverged);
}

TEST(Train, AuxiliaryHeadsAddTheirShareOfTheLossAndLearn) {
  const auto data = tiny_data(8);
  TrainConfig config = tiny_config();
  config.metric = Metric::train_loss;
  config.epochs = 1;
  config.penalty = {};
  const auto first_loss = [&](bool with_aux, Graph& net) {
    if (with_aux) {
      // Two equal logits for each picture: ln 2 at the start.
      net = tiny_net(0);
      Graph made;
      NodeId x = made.input(net.input_shape());
      NodeId aux;
      for (std::size_t i = 1; i < net.nodes().size(); ++i) {
        x = made.add(net.nodes()[i].name, net.nodes()[i].layer, {x});
        if (net.nodes()[i].name == "pool1") aux = made.add("aux", Linear{.out = 2}, {x});
      }
      made.init({}, Rng(1));
      for (Param& param : made.params())
        if (param.name == "aux.weight") std::ranges::fill(param.value.data(), 0.0f);
      made.set_side_outputs({aux});
      net = std::move(made);
    }
    double loss = 0;
    Listener listener;
    listener.step = [&](const StepReport& report) { loss = report.loss; };
    std::vector<Observer*> observers{&listener};
    train(net, *data, nullptr, config, observers);
    return loss;
  };
  Graph plain_net = tiny_net(0), aux_net;
  const double without = first_loss(false, plain_net), with = first_loss(true, aux_net);
  EXPECT_NEAR(with, without + auxiliary_share * std::log(2.0), 1e-5);
  const auto aux = aux_net.find_param("aux.weight")->value.data();
  EXPECT_TRUE(std::ranges::any_of(aux, [](float w) { return w != 0; }));
  EXPECT_EQ(evaluate(aux_net, *data, config.preprocess).n, 8);

  Graph other = tiny_net(0);
  other.set_side_outputs({NodeId{1}});
  EXPECT_TRUE(mentions(error_of([&] { train(other, *data, nullptr, config); }).second, "conv1"));
}

}  // namespace
}  // namespace enxerto
