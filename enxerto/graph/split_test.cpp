#include "enxerto/graph/split.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/graph/executor.h"

namespace enxerto {
namespace {

std::vector<std::string> names_of(const Graph& graph, const std::vector<NodeId>& ids) {
  std::vector<std::string> names;
  for (const NodeId id : ids) names.push_back(graph.node(id).name);
  return names;
}

/// stem -> (branch + stem) -> pool -> drop -> head, and an auxiliary head on the stem.
Graph residual() {
  Graph graph;
  const NodeId stem = graph.add("stem", Conv2d{.out = 4, .kernel = 3, .pad = 1}, {graph.input({1, 3, 8, 8})});
  const NodeId aux = graph.add("aux", GlobalAvgPool{}, {stem});
  NodeId x = graph.add("branch.conv", Conv2d{.out = 4, .kernel = 3, .pad = 1}, {stem});
  x = graph.add("branch.bn", BatchNorm{}, {x});
  x = graph.add("sum", Add{}, {x, stem});
  x = graph.add("relu", Activate{.function = Activation::relu}, {x});
  x = graph.add("pool", GlobalAvgPool{}, {x});
  x = graph.add("drop", Dropout{}, {x});
  graph.add("head", Linear{.out = 5}, {x});
  graph.set_side_outputs({aux});
  graph.init({}, Rng(1));
  return graph;
}

TEST(Split, ComesApartOnlyWhereOneValuePasses) {
  const Graph graph = residual();
  EXPECT_EQ(names_of(graph, cut_points(graph)),
            (std::vector<std::string>{"stem", "sum", "relu", "pool", "drop"}));
}

TEST(Split, HalvesDoWhatTheWholeDoes) {
  const Graph graph = residual();
  Tensor images({2, 3, 8, 8});
  Rng rng(3);
  for (float& x : images.data()) x = rng.normal();
  Executor whole(graph, {.batch = 2});
  const ConstView wanted = whole.forward(images.view());
  for (const NodeId id : cut_points(graph)) {
    const std::string cut = graph.node(id).name;
    const SplitGraph halves = split_at(graph, cut);
    EXPECT_EQ(halves.prefix.node(halves.prefix.last()).name, cut);
    EXPECT_FALSE(halves.prefix.find_param("head.weight"));
    Executor first(halves.prefix, {.batch = 2}), second(halves.suffix, {.batch = 2});
    const ConstView got = second.forward(first.forward(images.view()));
    ASSERT_EQ(got.shape, wanted.shape);
    for (std::size_t i = 0; i < got.data.size(); ++i)
      EXPECT_NEAR(got.data[i], wanted.data[i], 1e-5) << cut << " " << i;
  }
}

TEST(Split, RefusesAPlaceWithinABlockAndNamesItsEnds) {
  try {
    split_at(residual(), "branch.bn");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("at stem and sum"), std::string::npos) << error.what();
  }
  EXPECT_THROW(split_at(residual(), "nothing"), Error);
}

TEST(Split, TheFrozenCutIsTheLastBeforeAnythingMoves) {
  Graph graph = residual();
  EXPECT_FALSE(frozen_cut(graph));
  graph.freeze("stem");
  EXPECT_EQ(graph.node(*frozen_cut(graph)).name, "stem");
  graph.freeze("branch.conv");  // batch norm still moves
  EXPECT_EQ(graph.node(*frozen_cut(graph)).name, "stem");
  graph.freeze("branch");
  EXPECT_EQ(graph.node(*frozen_cut(graph)).name, "pool");  // dropout draws anew at each step
  graph.freeze_through("drop");
  EXPECT_EQ(graph.node(*frozen_cut(graph)).name, "drop");
}

TEST(Split, AFreeNameIsNoNodesYet) {
  Graph graph = residual();
  EXPECT_EQ(free_name(graph, "features"), "features");
  EXPECT_EQ(free_name(graph, "head"), "head_");
  graph.add("head_", Softmax{}, {graph.last()});
  EXPECT_EQ(free_name(graph, "head"), "head__");
}

TEST(Split, FeaturesAreTheListBeforeTheHead) {
  const Graph graph = residual();
  EXPECT_EQ(graph.node(*features_cut(graph)).name, "pool");
}

}  // namespace
}  // namespace enxerto
