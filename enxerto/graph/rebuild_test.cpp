#include "enxerto/graph/rebuild.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

/// A convolution, a head and a softmax, as Keras's MobileNet ends: the head a 1x1 convolution, then a
/// reshape.
Graph classifier() {
  Graph g;
  NodeId x = g.add("conv", Conv2d{.out = 4, .kernel = 3}, {g.input({1, 3, 8, 8})});
  const NodeId aux = g.add("aux", GlobalAvgPool{}, {x});
  x = g.add("pool", GlobalAvgPool{}, {x});
  x = g.add("head", Conv2d{.out = 5}, {x});
  x = g.add("reshape", Rearrange{.c = 5, .h = 1, .w = 1, .sizes = {5}, .strides = {1}}, {x});
  g.add("softmax", Softmax{}, {x});
  g.set_side_outputs({aux});
  g.init({}, Rng(1));
  g.freeze("conv");
  return g;
}

TEST(Rebuild, ChangesClassesAndSizeAndKeepsTheRest) {
  const Graph graph = classifier();
  EXPECT_EQ(head_of(graph).name, "head");
  const Graph made = rebuilt(graph, {.image = Shape{1, 3, 12, 10}, .classes = 3, .logits = true});
  EXPECT_EQ(made.input_shape(), (Shape{1, 3, 12, 10}));
  EXPECT_EQ(made.output_shape(), (Shape{.c = 3}));
  EXPECT_EQ(made.node(made.last()).name, "reshape");
  EXPECT_TRUE(std::ranges::equal(made.find_param("conv.weight")->value.data(),
                                 graph.find_param("conv.weight")->value.data()));
  EXPECT_EQ(made.find_param("head.weight")->value.shape(), (Shape{3, 4}));
  EXPECT_TRUE(made.nodes()[1].frozen);
  EXPECT_EQ(made.node(made.side_outputs()[0]).name, "aux");
}

TEST(Rebuild, GivesEveryBatchNormItsEps) {
  Graph graph;
  graph.add("bn", BatchNorm{.eps = 1e-3f}, {graph.input({1, 2, 4, 4})});
  graph.params()[0].value.data()[1] = 7;
  const Graph made = rebuilt(graph, {.batch_norm_eps = 1e-5f});
  EXPECT_EQ(std::get<BatchNorm>(made.nodes()[1].layer).eps, 1e-5f);
  EXPECT_EQ(made.params()[0].value.data()[1], 7);
  EXPECT_EQ(std::get<BatchNorm>(rebuilt(graph, {}).nodes()[1].layer).eps, 1e-3f);
}

TEST(Rebuild, RefusesWhatCannotBe) {
  Graph fixed;
  fixed.add("fc", Linear{.out = 2}, {fixed.input({1, 1, 4, 4})});
  EXPECT_THROW(rebuilt(fixed, {.image = Shape{1, 1, 5, 5}}), Error);
  Graph norm;
  norm.add("bn", BatchNorm{}, {norm.input({1, 1, 4, 4})});
  EXPECT_THROW(rebuilt(norm, {.classes = 2}), Error);
  // Rows turned upside down by number: of a larger picture it would be a part.
  Graph moves;
  moves.add("flip", Rearrange{.c = 1, .h = 2, .w = 2, .sizes = {2, 2}, .strides = {0, 1}, .offset = 2},
            {moves.input({1, 1, 2, 2})});
  EXPECT_THROW(rebuilt(moves, {.image = Shape{1, 1, 4, 4}}), Error);
  EXPECT_EQ(rebuilt(moves, {}).output_shape(), (Shape{1, 1, 2, 2}));
  Graph nothing;
  nothing.input({1, 1, 4, 4});
  EXPECT_THROW(rebuilt(nothing, {.classes = 2}), Error);
}

}  // namespace
}  // namespace enxerto
