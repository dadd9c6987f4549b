#include "enxerto/transfer/tune.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/transfer/pictures_for_tests.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto {
namespace {

TuneConfig config(int epochs, std::vector<Phase> phases) {
  return {.training = {.epochs = epochs,
                       .batch = 6,
                       .seed = 5,
                       .preprocess = Preprocess::imagenet(16, 16),
                       .optimizer = Adam{},
                       .schedule = {.base = 0.01}},
          .phases = std::move(phases)};
}

struct Listener final : Observer {
  void on_start(const RunStart& start) override { starts.push_back(start); }
  bool on_epoch(const EpochReport& epoch, const Graph& graph, const TrainState& state) override {
    losses.push_back(epoch.train_loss);
    losses.push_back(epoch.val->loss);
    notes += epoch.note;
    if (state.epoch == keep_after) {
      kept = graph.clone();
      kept_state = state.clone();
      return going_on;
    }
    return true;
  }
  std::vector<RunStart> starts;
  std::vector<double> losses;
  std::string notes;
  int keep_after = 0;
  bool going_on = true;
  Graph kept;
  TrainState kept_state;
};

TrainResult run(Graph& graph, const TuneConfig& config, Listener& listener, TrainState from = {},
                std::uint64_t seed = 3) {
  Observer* const observer = &listener;
  return tune(graph, *pictures(24, seed), pictures(7).get(), config, {&observer, 1}, std::move(from));
}

bool same_params(const Graph& a, const Graph& b, std::string_view prefix = "") {
  return std::ranges::all_of(a.params(), [&](const Param& param) {
    return !param.name.starts_with(prefix) ||
           std::ranges::equal(param.value.data(), b.find_param(param.name)->value.data());
  });
}

const std::vector<Phase> two_phases{{1, "stem.relu"}, {3, ""}};

TEST(Tune, FrozenLayersKeepTheirBitsAndTheOthersMove) {
  const Graph start = network();
  Graph graph = start.clone();
  Listener listener;
  const TrainResult result = run(graph, config(3, {{1, "stem.relu"}}), listener);
  EXPECT_EQ(result.epochs, 3);
  EXPECT_TRUE(same_params(graph, start, "stem"));  // running statistics of its batch norm too
  EXPECT_FALSE(same_params(graph, start, "block.conv"));
  EXPECT_FALSE(same_params(graph, start, "head"));
}

TEST(Tune, EachPhaseSaysWhatItIsGoingToTake) {
  Graph graph = network();
  Listener listener;
  run(graph, config(4, two_phases), listener);
  ASSERT_EQ(listener.starts.size(), 2u);
  const RunStart &first = listener.starts[0], &second = listener.starts[1];
  EXPECT_FALSE(first.goes_on);
  EXPECT_TRUE(second.goes_on);
  EXPECT_EQ(second.first_epoch, 3);
  EXPECT_GT(second.executor_bytes, first.executor_bytes);  // it trains more layers
}

TEST(Tune, KeptOrComputedAnewTheRunHasTheSameBits) {
  for (const int views : {0, 2}) {
    TuneConfig kept = config(4, two_phases);
    kept.training.augment.flip = 0.5;
    kept.views = views;
    TuneConfig anew = kept;
    anew.features.memory_bytes = 0;
    Graph one = network(), other = network();
    Listener heard_one, heard_other;
    run(one, kept, heard_one);
    run(other, anew, heard_other);
    EXPECT_EQ(heard_one.losses, heard_other.losses);
    EXPECT_TRUE(same_params(one, other));
  }
}

TEST(Tune, WhereOthersFillTheFileItGoesOnAndSaysSo) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "tune_full_file";
  std::filesystem::remove_all(folder);
  TuneConfig kept = config(4, two_phases);
  TuneConfig filled = kept;
  filled.features.folder = folder;
  filled.features.memory_bytes = 7 * 8 * 8 * 8 * 4;  // for validation
  filled.features.file_bytes = 40 * 8 * 8 * 8 * 4;   // for one set of pictures, not for two
  Graph other = network();
  Listener heard_other;
  run(other, filled, heard_other, {}, 9);
  EXPECT_EQ(heard_other.notes, "");
  Graph one = network(), two = network();
  Listener heard_one, heard_two;
  run(one, kept, heard_one);
  run(two, filled, heard_two);
  EXPECT_NE(heard_two.notes.find("is full"), std::string::npos) << heard_two.notes;
  EXPECT_EQ(heard_one.losses, heard_two.losses);
  EXPECT_TRUE(same_params(one, two));
}

TEST(Tune, SaysWhatIsKept) {
  TuneConfig tuned = config(3, two_phases);
  std::vector<PhaseStart> heard;
  Graph graph = network();
  tune(
      graph, *pictures(24), nullptr,
      [&] {
        tuned.training.metric = Metric::train_loss;
        return tuned;
      }(),
      {}, {}, nullptr, [&](const PhaseStart& start) { heard.push_back(start); });
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0].cut, "stem.relu");
  EXPECT_TRUE(heard[0].kept);
  EXPECT_EQ(heard[0].bytes, 24 * 8 * 8 * 8 * 4);
  EXPECT_EQ(heard[1].cut, "");
}

TEST(Tune, ARunThatGoesOnHasTheSameBits) {
  const TuneConfig tuned = config(5, two_phases);
  Graph whole = network();
  Listener all;
  run(whole, tuned, all);
  for (const int stopped_after : {1, 2, 3}) {
    Graph graph = network();
    Listener first, second;
    first.keep_after = stopped_after;
    first.going_on = false;
    run(graph, tuned, first);
    Graph again = first.kept.clone();
    run(again, tuned, second, std::move(first.kept_state));
    std::vector<double> losses = first.losses;
    losses.insert(losses.end(), second.losses.begin(), second.losses.end());
    EXPECT_EQ(losses, all.losses) << stopped_after;
    EXPECT_TRUE(same_params(again, whole)) << stopped_after;
  }
}

TEST(Tune, TheBestEpochOfAnEarlierPhaseIsGivenBackWhole) {
  TuneConfig tuned = config(4, two_phases);
  tuned.training.metric = Metric::val_loss;
  tuned.training.min_delta = 1e9;  // the first epoch stays the best
  const Graph start = network();
  Graph graph = start.clone();
  Listener listener;
  listener.keep_after = 1;
  const TrainResult result = run(graph, tuned, listener);
  EXPECT_EQ(result.best_epoch, 1);
  EXPECT_TRUE(same_params(graph, listener.kept));
  EXPECT_TRUE(same_params(graph, start, "stem"));
}

TEST(Tune, PatienceGivesWhatIsFreedLastAChance) {
  Graph graph = network();
  Listener listener;
  TuneConfig impatient = config(9, {{1, "stem.relu"}, {5, ""}});
  impatient.training.patience = 2;
  impatient.training.min_delta = 1e9;  // the first epoch stays the best
  const TrainResult result = run(graph, impatient, listener);
  EXPECT_EQ(result.best_epoch, 1);
  EXPECT_EQ(result.epochs, 6);
  EXPECT_TRUE(result.stopped_early);
}

TEST(Tune, PhasesHaveToMakeSense) {
  Graph graph = network();
  Listener listener;
  EXPECT_THROW(run(graph, config(3, {}), listener), Error);
  EXPECT_THROW(run(graph, config(3, {{2, ""}}), listener), Error);
  EXPECT_THROW(run(graph, config(3, {{1, ""}, {1, ""}}), listener), Error);
  EXPECT_THROW(run(graph, config(3, {{1, ""}, {4, ""}}), listener), Error);
  EXPECT_THROW(run(graph, config(3, {{1, "nothing"}}), listener), Error);
}

TEST(Tune, BlocksEndWhereNamesChange) {
  EXPECT_EQ(block_ends(network()), (std::vector<std::string>{"stem.relu", "pool"}));
  const Graph resnet = make_net("resnet18", {.image = Shape{1, 3, 64, 64}, .classes = 3});
  EXPECT_EQ(block_ends(resnet).size(), 9u);  // the stem and eight blocks
  EXPECT_EQ(block_ends(resnet).back(), "avgpool");
  EXPECT_EQ(block_ends(resnet)[0], "maxpool");
}

TEST(Tune, BatchNormsStayAsTheyAreWhereTheyAreToldTo) {
  for (const bool frozen : {true, false}) {
    Graph graph = network();
    const Graph before = graph.clone();
    TuneConfig tuning = config(4, {{}});
    tuning.freeze_batch_norm = frozen;
    Listener listener;
    run(graph, tuning, listener);
    int norms = 0, others = 0;
    for (int i = 1; i <= graph.last().index; ++i) {
      const Node& node = graph.node({i});
      if (node.params.empty()) continue;
      const bool norm = std::holds_alternative<BatchNorm>(node.layer);
      EXPECT_EQ(same_params(graph, before, node.name + "."), norm && frozen) << node.name;
      ++(norm ? norms : others);
    }
    EXPECT_GT(norms, 0);
    EXPECT_GT(others, 1);
  }
}

TEST(Tune, UnfreezesFromTheBack) {
  const Graph resnet = make_net("resnet18", {.image = Shape{1, 3, 64, 64}, .classes = 3});
  const auto phases = unfreezing(resnet, 10, 2, 0.5);
  ASSERT_EQ(phases.size(), 3u);
  EXPECT_EQ(phases[0], (Phase{1, "avgpool"}));
  EXPECT_EQ(phases[1].first_epoch, 4);
  EXPECT_EQ(phases[1].frozen_through.substr(0, 8), "layer3.0");
  EXPECT_EQ(phases[2].frozen_through.substr(0, 8), "layer2.0");
  EXPECT_EQ(unfreezing(resnet, 10, 1, 1).back().frozen_through, "");
}

TEST(Tune, RatesFallTowardsTheInput) {
  const Graph resnet = make_net("resnet18", {.image = Shape{1, 3, 64, 64}, .classes = 3});
  const auto rates = falling_rates(resnet, 0.5, 0.01);
  EXPECT_NEAR(rates.front().scale, 0.01, 1e-9);
  EXPECT_NEAR(rates.back().scale, 0.5, 1e-9);
  EXPECT_TRUE(std::ranges::is_sorted(rates, {}, &LayerRate::scale));
  EXPECT_EQ(rates.front().prefix, "conv1.");
}

}  // namespace
}  // namespace enxerto
