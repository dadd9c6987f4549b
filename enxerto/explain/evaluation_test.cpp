#include "enxerto/explain/evaluation.h"

#include <gtest/gtest.h>

#include "enxerto/core/error.h"
#include "enxerto/explain/networks_for_tests.h"

namespace enxerto {
namespace {

using namespace tests;

ErrorKind kind_of_error(const Graph& graph, std::string_view layer, std::string_view told) {
  try {
    map_called(graph, layer);
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(told), std::string::npos) << error.what();
    return error.kind();
  }
  ADD_FAILURE() << layer << " was taken";
  return ErrorKind::io;
}

TEST(Evaluation, IsFrozenWholeAndEndsInLogits) {
  Graph graph = golden_graph();
  graph.set_side_outputs({graph.id_of("relu1")});
  const Graph evaluated = as_evaluated(graph);
  EXPECT_EQ(evaluated.node(evaluated.last()).name, "fc");
  EXPECT_TRUE(evaluated.side_outputs().empty());
  for (const Param& param : evaluated.params()) EXPECT_FALSE(param.trainable()) << param.name;
  EXPECT_EQ(graph.side_outputs().size(), 1u);  // what was given stays as it was
}

TEST(Evaluation, TheLastMapIsBeforeThePoolings) {
  EXPECT_EQ(last_map(as_evaluated(golden_graph())), "relu2");
  Graph graph;
  const NodeId conv = graph.add("conv", Conv2d{.out = 4}, {graph.input({1, 3, 8, 8})});
  const NodeId pool = graph.add("pool", MaxPool2d{.kernel = 2, .stride = 2}, {conv});
  graph.add("fc", Linear{.out = 2}, {graph.add("flat", Flatten{}, {pool})});
  EXPECT_EQ(last_map(graph), "conv");
  Graph none;
  none.add("fc", Linear{.out = 2}, {none.add("flat", Flatten{}, {none.input({1, 3, 8, 8})})});
  EXPECT_THROW(last_map(none), Error);
}

TEST(Evaluation, DepthIsShownByTheLastLayerOfEachNumberOfPlaces) {
  const Graph graph = as_evaluated(golden_graph());
  EXPECT_EQ(layers_over_depth(graph, 5), (std::vector<std::string>{"relu1", "relu2"}));
  EXPECT_EQ(layers_over_depth(graph, 1), (std::vector<std::string>{"relu2"}));
}

TEST(Evaluation, OnlyMapsBetweenInputAndOutputAreTaken) {
  Graph graph = as_evaluated(golden_graph());
  EXPECT_EQ(map_called(graph, "sum"), graph.id_of("sum"));
  EXPECT_EQ(kind_of_error(graph, "nonsense", "nonsense"), ErrorKind::not_found);
  EXPECT_EQ(kind_of_error(graph, "pool2", "not a map of places"), ErrorKind::usage);
  EXPECT_EQ(kind_of_error(graph, "input", "input"), ErrorKind::usage);
  EXPECT_EQ(kind_of_error(graph, "fc", "output"), ErrorKind::usage);
  Graph idle;
  const NodeId x = idle.input({1, 3, 8, 8});
  idle.add("idle", Conv2d{.out = 4}, {x});
  idle.add("pool", GlobalAvgPool{}, {idle.add("conv", Conv2d{.out = 4}, {x})});
  EXPECT_EQ(kind_of_error(idle, "idle", "does not depend on it"), ErrorKind::usage);
}

}  // namespace
}  // namespace enxerto
