#include "enxerto/train/layer_signs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/train/tiny_test.h"

namespace enxerto {
namespace {

using tests::tiny_config;
using tests::tiny_data;

/// A convolution behind a ReLU, and two classes.
Graph small_net() {
  Graph net;
  net.input({.n = 1, .c = 1, .h = 12, .w = 12});
  net.add("conv", Conv2d{.out = 4, .kernel = 3, .pad = 1}, {net.last()});
  net.add("relu", Activate{}, {net.last()});
  net.add("flatten", Flatten{}, {net.last()});
  net.add("fc", Linear{.out = 2}, {net.last()});
  net.init({}, Rng(1));
  return net;
}

std::span<float> values_of(Graph& net, std::string_view name) {
  const auto found = std::ranges::find(net.params(), name, &Param::name);
  return found->value.data();
}

/// Of one backward pass with random pictures and a random gradient.
std::vector<LayerSigns> signs_of(Graph& net) {
  Executor executor(net, {.batch = 8, .train = true});
  Rng rng(5);
  Tensor images({.n = 8, .c = 1, .h = 12, .w = 12}), dout({.n = 8, .c = 2});
  for (float& x : images.data()) x = rng.uniform(-0.5f, 0.5f);
  for (float& g : dout.data()) g = rng.uniform(-0.5f, 0.5f);
  executor.forward(images.view(), 0);
  executor.backward(dout.view());
  return layer_signs(executor);
}

TEST(LayerSigns, OfAHealthyNetworkHaveNormsAndNothingElse) {
  Graph net = small_net();
  const auto signs = signs_of(net);
  ASSERT_EQ(signs.size(), 2u);
  double squares = 0;
  for (const char* name : {"conv.weight", "conv.bias"})
    for (const float w : values_of(net, name)) squares += w * w;
  EXPECT_EQ(signs[0].name, "conv");
  EXPECT_NEAR(signs[0].norm, std::sqrt(squares), 1e-6);
  EXPECT_GT(signs[0].grad_norm, 0);
  EXPECT_EQ(signs[0].filters, 4);
  EXPECT_EQ(signs[0].equal, 0);
  EXPECT_EQ(signs[0].still, 0);
  EXPECT_EQ(signs[1].name, "fc");
  EXPECT_EQ(signs[1].filters, 2);
  EXPECT_TRUE(find_faults(signs, 5, 8).empty());
}

TEST(LayerSigns, CountFiltersThatAreCopies) {
  Graph net = small_net();
  const auto weights = values_of(net, "conv.weight");
  for (std::size_t i = 9; i < 27; ++i) weights[i] = weights[i % 9];  // the second and third as the first
  const auto signs = signs_of(net);
  EXPECT_EQ(signs[0].equal, 2);
  const auto faults = find_faults(signs, 5, 8);
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0], (LayerFault{.kind = FaultKind::equal, .layer = "conv", .layers = 1}));
  EXPECT_TRUE(find_faults(signs, 0, 8).empty()) << "before the first step they may be equal";
}

TEST(LayerSigns, CopiesThatRoundingDroveApartAreCopiesAndNeighboursAreNot) {
  Graph net = small_net();
  const auto weights = values_of(net, "conv.weight");
  for (std::size_t i = 9; i < 18; ++i) weights[i] = weights[i - 9] * (1 + 1e-4f * static_cast<float>(i % 3));
  for (std::size_t i = 18; i < 27; ++i) weights[i] = weights[i - 18] * 1.05f;
  for (std::size_t i = 27; i < 36; ++i) weights[i] = -weights[i - 27];
  EXPECT_EQ(signs_of(net)[0].equal, 1);
}

TEST(LayerSigns, CountFiltersBehindADeadRelu) {
  Graph net = small_net();
  for (const std::size_t filter : {0u, 1u, 3u}) values_of(net, "conv.bias")[filter] = -1000;
  const auto signs = signs_of(net);
  EXPECT_EQ(signs[0].still, 3);
  const auto faults = find_faults(signs, 5, 8);
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].kind, FaultKind::dead);
  EXPECT_TRUE(find_faults(signs, 5, 2).empty()) << "dropout could have done it";
}

TEST(LayerSigns, VanishingAndExplodingGradientsAreFaults) {
  const std::vector<LayerSigns> layers{{.name = "a", .grad_norm = 1e-6},
                                       {.name = "b", .grad_norm = 1e-5},
                                       {.name = "c", .grad_norm = 1e-1},
                                       {.name = "d", .grad_norm = 1}};
  EXPECT_EQ(find_faults(layers, 1, 8),
            (std::vector<LayerFault>{{.kind = FaultKind::vanishing, .layer = "a", .layers = 2}}));
  const std::vector<LayerSigns> wild{{.name = "a", .grad_norm = 1500}, {.name = "b", .grad_norm = 30}};
  EXPECT_EQ(find_faults(wild, 1, 8),
            (std::vector<LayerFault>{{.kind = FaultKind::exploding, .layer = "a", .layers = 1}}));
  EXPECT_NE(format_fault(find_faults(wild, 1, 8)[0]).find("--clip"), std::string::npos);
  EXPECT_TRUE(find_faults({}, 1, 8).empty());
}

TEST(LayerSigns, ATrainingReportsThemOnceAnEpochAndASymmetricNetworkIsNoticed) {
  Graph net = small_net();
  for (const char* name : {"conv.weight", "fc.weight"})
    for (float& w : values_of(net, name)) w = 0.01f;
  std::vector<EpochReport> reports;
  tests::Listener listener;
  listener.epoch = [&](const EpochReport& report, const Graph&, const TrainState&) {
    reports.push_back(report);
    return true;
  };
  Observer* observers[] = {&listener};
  TrainConfig config = tiny_config();
  config.epochs = 2;
  const auto data = tiny_data(), val = tiny_data(12, 2);
  train(net, *data, val.get(), config, observers);
  ASSERT_EQ(reports.size(), 2u);
  for (const EpochReport& report : reports) {
    ASSERT_EQ(report.layers.size(), 2u);
    EXPECT_EQ(report.layers[0].equal, 3) << "all four filters learn the same";
    ASSERT_FALSE(report.faults.empty());
    EXPECT_EQ(report.faults[0].kind, FaultKind::equal);
    EXPECT_EQ(report.faults[0].layer, "conv");
    const auto json = report.to_json();
    EXPECT_EQ(json.at("layers")[0].at("name"), "conv");
    EXPECT_EQ(json.at("layers")[0].at("equal"), 3);
    EXPECT_EQ(json.at("faults")[0].at("kind"), "equal");
  }
}

TEST(LayerSigns, WatchingChangesNoBit) {
  const auto data = tiny_data(), val = tiny_data(12, 2);
  Graph watched = tests::tiny_net(), alone = tests::tiny_net();
  tests::Listener listener;
  Observer* observers[] = {&listener};
  train(watched, *data, val.get(), tiny_config(), observers);
  train(alone, *data, val.get(), tiny_config());
  tests::expect_same_bits(alone.state(), watched.state());
}

}  // namespace
}  // namespace enxerto
