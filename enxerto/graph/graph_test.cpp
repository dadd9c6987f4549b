#include "enxerto/graph/graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

/// input -> conv (4) -> bn -> relu -> add(relu, side) -> pool -> fc, with a side branch off the input.
Graph small_graph() {
  Graph graph;
  const NodeId image = graph.input({.c = 3, .h = 8, .w = 8});
  const NodeId side = graph.add("side", Conv2d{.out = 4, .bias = false}, {image});
  const NodeId conv = graph.add("stem.conv", Conv2d{.out = 4, .kernel = 3, .pad = 1}, {image});
  const NodeId bn = graph.add("stem.bn", BatchNorm{}, {conv});
  const NodeId relu = graph.add("relu", Activate{}, {bn});
  const NodeId sum = graph.add("sum", Add{}, {relu, side});
  const NodeId pool = graph.add("pool", GlobalAvgPool{}, {sum});
  graph.add("fc", Linear{.out = 5}, {pool});
  return graph;
}

std::vector<std::string> node_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.name);
  return names;
}

std::vector<std::string> param_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Param& param : graph.params()) names.push_back(param.name);
  return names;
}

template <class Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return {ErrorKind::interrupted, "nothing was thrown"};
}

std::vector<float> values(const Graph& graph, std::string_view name) {
  const auto data = graph.find_param(name)->value.data();
  return {data.begin(), data.end()};
}

double deviation(std::span<const float> data) {
  double sum = 0;
  for (const float x : data) sum += static_cast<double>(x) * x;
  return std::sqrt(sum / static_cast<double>(data.size()));
}

TEST(Graph, InfersShapesAndMakesParametersInOrder) {
  const Graph graph = small_graph();
  EXPECT_EQ(graph.input_shape(), (Shape{1, 3, 8, 8}));
  EXPECT_EQ(graph.output_shape(), (Shape{1, 5, 1, 1}));
  EXPECT_EQ(param_names(graph),
            (std::vector<std::string>{"side.weight", "stem.conv.weight", "stem.conv.bias", "stem.bn.weight",
                                      "stem.bn.bias", "stem.bn.running_mean", "stem.bn.running_var",
                                      "fc.weight", "fc.bias"}));
  EXPECT_EQ(values(graph, "stem.bn.running_var"), std::vector<float>(4, 1.0f));
  EXPECT_EQ(values(graph, "stem.bn.weight"), std::vector<float>(4, 1.0f));
  EXPECT_EQ(values(graph, "fc.bias"), std::vector<float>(5, 0.0f));
  EXPECT_FALSE(graph.find_param("stem.bn.running_var")->trainable());
  EXPECT_TRUE(graph.find_param("fc.weight")->decays());
  EXPECT_FALSE(graph.find_param("stem.bn.weight")->decays());
  EXPECT_EQ(graph.find_param("fc"), nullptr);
}

TEST(Graph, RefusesWhatCannotBeAndNamesTheLayer) {
  Graph graph = small_graph();
  const auto taken = error_of([&] { graph.add("fc", Linear{.out = 2}, {graph.last()}); });
  EXPECT_EQ(taken.kind(), ErrorKind::usage);
  EXPECT_NE(std::string(taken.what()).find("\"fc\""), std::string::npos);
  const auto large = error_of([&] { graph.add("conv9", Conv2d{.out = 2, .kernel = 9}, {graph.last()}); });
  EXPECT_EQ(large.kind(), ErrorKind::usage);
  EXPECT_NE(std::string(large.what()).find("\"conv9\""), std::string::npos);
  EXPECT_THROW(graph.add("later", Activate{}, {{99}}), Error);
  EXPECT_THROW(graph.add("before", Activate{}, {{-1}}), Error);
  EXPECT_THROW(graph.add("", Activate{}, {graph.last()}), Error);
  EXPECT_THROW(graph.input({.c = 3, .h = 8, .w = 8}), Error);
  EXPECT_THROW(Graph().add("first", Activate{}, {}), Error);
  EXPECT_THROW(Graph().input({.c = 3, .h = 0, .w = 8}), Error);
  EXPECT_THROW(Graph().input({.c = std::int64_t{1} << 32, .h = 1, .w = 1}), Error);
  EXPECT_EQ(graph.nodes().size(), 8u);
  EXPECT_EQ(graph.params().size(), 9u);
}

TEST(Graph, AParameterOfATrillionNumbersIsRefusedBeforeAnyMemoryIsAsked) {
  Graph graph;
  const NodeId image = graph.input({.c = 1000, .h = 1000, .w = 1});
  EXPECT_EQ(error_of([&] { graph.add("fc", Linear{.out = 1000000}, {image}); }).kind(), ErrorKind::usage);
}

TEST(Graph, StartingValuesHaveTheSpreadThatTheNamesPromise) {
  Graph graph;
  const NodeId image = graph.input({.c = 32, .h = 4, .w = 4});
  graph.add("conv", Conv2d{.out = 64, .kernel = 3}, {image});  // fans 288 and 576, 18432 numbers
  const auto spread = [&](std::string_view name) {
    graph.init(parse_init(name), Rng(1));
    return deviation(graph.find_param("conv.weight")->value.data());
  };
  EXPECT_NEAR(spread("he_normal"), std::sqrt(2.0 / 288), 2e-3);
  EXPECT_NEAR(spread("he_uniform"), std::sqrt(2.0 / 288), 2e-3);
  EXPECT_NEAR(spread("he_normal:fan_out"), std::sqrt(2.0 / 576), 2e-3);
  EXPECT_NEAR(spread("he_normal:1"), std::sqrt(1.0 / 288), 2e-3);
  EXPECT_NEAR(spread("xavier_normal"), std::sqrt(2.0 / (288 + 576)), 2e-3);
  EXPECT_NEAR(spread("xavier_uniform:2"), 2 * std::sqrt(2.0 / (288 + 576)), 2e-3);
  EXPECT_NEAR(spread("gaussian:0.01"), 0.01, 2e-4);
  EXPECT_NEAR(spread("uniform:0.1"), 0.1 / std::sqrt(3.0), 1e-3);
  EXPECT_EQ(spread("constant:0.25"), 0.25);
  for (const float x : values(graph, "conv.weight")) EXPECT_EQ(x, 0.25f);
  graph.init(parse_init("uniform:0.1"), Rng(1));
  for (const float x : values(graph, "conv.weight")) EXPECT_LE(std::abs(x), 0.1f);
}

TEST(Graph, AnUnknownInitialisationIsToldWhatThereIs) {
  for (const char* wrong : {"he", "uniform", "uniform:x", "he_normal:1:2", "gaussian:-1", "constant:fan_out",
                            "uniform:inf", "", "he_normal:"}) {
    const auto error = error_of([&] { parse_init(wrong); });
    EXPECT_EQ(error.kind(), ErrorKind::usage) << wrong;
    EXPECT_NE(std::string(error.what()).find("xavier_uniform"), std::string::npos) << wrong;
  }
}

TEST(Graph, ANewLayerChangesNoOtherLayersStart) {
  Graph small, large;
  const NodeId a = small.input({.c = 3, .h = 8, .w = 8}), b = large.input({.c = 3, .h = 8, .w = 8});
  small.add("conv", Conv2d{.out = 4}, {a});
  large.add("conv", Conv2d{.out = 4}, {large.add("before", Conv2d{.out = 3}, {b})});
  small.init({}, Rng(7));
  large.init({}, Rng(7));
  EXPECT_EQ(values(small, "conv.weight"), values(large, "conv.weight"));
  small.init({}, Rng(8));
  EXPECT_NE(values(small, "conv.weight"), values(large, "conv.weight"));
}

TEST(Graph, FreezingIsByPrefixAndInitLeavesTheFrozenAlone) {
  Graph graph = small_graph();
  graph.freeze("stem");
  EXPECT_TRUE(graph.find_param("stem.bn.running_mean")->frozen);
  EXPECT_FALSE(graph.find_param("stem.conv.weight")->trainable());
  EXPECT_TRUE(graph.find_param("side.weight")->trainable());
  EXPECT_TRUE(graph.nodes()[2].frozen);
  graph.init({}, Rng(1));
  EXPECT_EQ(values(graph, "stem.conv.weight"), std::vector<float>(4 * 27, 0.0f));
  EXPECT_NE(values(graph, "side.weight"), std::vector<float>(4 * 3, 0.0f));

  graph.unfreeze("stem.bn");
  EXPECT_TRUE(graph.find_param("stem.bn.weight")->trainable());
  graph.freeze_through("sum");
  EXPECT_FALSE(graph.find_param("side.weight")->trainable());
  EXPECT_TRUE(graph.find_param("fc.weight")->trainable());
  graph.unfreeze("");
  graph.freeze("");
  for (const Param& param : graph.params()) EXPECT_FALSE(param.trainable());

  EXPECT_EQ(error_of([&] { graph.freeze("layer9"); }).kind(), ErrorKind::not_found);
  EXPECT_EQ(error_of([&] { graph.freeze("relu"); }).kind(), ErrorKind::not_found);
  EXPECT_EQ(error_of([&] { graph.freeze_through("stem"); }).kind(), ErrorKind::not_found);
}

TEST(Graph, CuttingDropsWhatTheNewOutputDoesNotNeed) {
  Graph graph = small_graph();
  graph.init({}, Rng(1));
  const auto before = values(graph, "stem.bn.weight");
  graph.cut_after("relu");
  EXPECT_EQ(node_names(graph), (std::vector<std::string>{"input", "stem.conv", "stem.bn", "relu"}));
  EXPECT_EQ(param_names(graph),
            (std::vector<std::string>{"stem.conv.weight", "stem.conv.bias", "stem.bn.weight", "stem.bn.bias",
                                      "stem.bn.running_mean", "stem.bn.running_var"}));
  EXPECT_EQ(graph.output_shape(), (Shape{1, 4, 8, 8}));
  EXPECT_EQ(graph.nodes()[2].inputs, (std::vector<NodeId>{{1}}));
  EXPECT_EQ(graph.nodes()[2].params, (std::vector<int>{2, 3, 4, 5}));
  EXPECT_EQ(values(graph, "stem.bn.weight"), before);
  EXPECT_EQ(graph.add("head", Linear{.out = 2}, {graph.last()}).index, 4);
  EXPECT_EQ(error_of([&] { graph.cut_after("nowhere"); }).kind(), ErrorKind::not_found);
}

TEST(Graph, CuttingAfterTheLastLayerOrTheInputIsFine) {
  Graph graph = small_graph();
  graph.cut_after("fc");
  EXPECT_EQ(graph.nodes().size(), 8u);
  graph.cut_after("input");
  EXPECT_EQ(graph.nodes().size(), 1u);
  EXPECT_TRUE(graph.params().empty());
}

TEST(Graph, ACloneSharesNothing) {
  Graph graph = small_graph();
  graph.init({}, Rng(1));
  Graph copy = graph.clone();
  EXPECT_EQ(values(copy, "fc.weight"), values(graph, "fc.weight"));
  copy.params()[0].value.data()[0] = 42;
  EXPECT_NE(graph.params()[0].value.data()[0], 42);
  EXPECT_EQ(node_names(copy), node_names(graph));
}

TEST(Graph, StateGoesRoundBitForBit) {
  Graph graph = small_graph(), other = small_graph();
  graph.init({}, Rng(1));
  const NamedTensors state = graph.state();
  EXPECT_EQ(find_tensor(state, "stem.conv.weight")->dims, (std::vector<std::int64_t>{4, 3, 3, 3}));
  EXPECT_EQ(find_tensor(state, "fc.weight")->dims, (std::vector<std::int64_t>{5, 4}));
  EXPECT_EQ(find_tensor(state, "fc.bias")->dims, (std::vector<std::int64_t>{5}));
  other.load_state(state, "test");
  for (const Param& param : graph.params()) EXPECT_EQ(values(graph, param.name), values(other, param.name));
}

TEST(Graph, AllThatIsWrongWithWeightsIsListedAtOnceAndNothingIsTaken) {
  Graph graph = small_graph();
  NamedTensors state = graph.state();
  for (NamedTensor& tensor : state)
    for (float& x : tensor.value.data()) x = 9;
  std::erase_if(state, [](const NamedTensor& tensor) { return tensor.name.starts_with("stem.bn.b"); });
  for (NamedTensor& tensor : state)
    if (tensor.name == "fc.bias") tensor = {"fc.bias", {6}, Tensor({.n = 6})};
  state.push_back({"head.weight", {1}, Tensor(Shape{})});
  const auto error = error_of([&] { graph.load_state(state, "model.safetensors"); });
  EXPECT_EQ(error.kind(), ErrorKind::corrupt);
  EXPECT_STREQ(error.what(),
               "model.safetensors: the weights are not those of this network: stem.bn.bias is missing; "
               "fc.bias is {6} and should be {5}; head.weight belongs to no layer");
  EXPECT_EQ(values(graph, "side.weight"), std::vector<float>(12, 0.0f));
}

}  // namespace
}  // namespace enxerto
