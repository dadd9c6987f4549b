#include "enxerto/graph/lower.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "enxerto/testing/graphs.h"

namespace enxerto {
namespace {

using tests::busy_graph;
using tests::difference;
using tests::gradient_of;
using tests::random_tensor;

TEST(Lower, ASumOfTwoBatchNormsInsideIsFoldedRight) {
  // A convolution that has a sum inside already, as a graph made by hand may, before a batch norm.
  Graph graph;
  const NodeId image = graph.input({.c = 3, .h = 8, .w = 8});
  const NodeId sum = graph.add("conv", Conv2d{.out = 3, .kernel = 3, .pad = 1}, {image, image});
  graph.add("norm", BatchNorm{}, {sum});
  graph.init(parse_init("he_normal"), Rng(3));
  for (Param& param : graph.params())
    if (param.name.starts_with("norm"))
      for (float& v : param.value.data()) v += 0.4f;
  const Tensor images = random_tensor({2, 3, 8, 8}, 20);
  Executor fast(graph, {.batch = 2}), plain(graph, {.batch = 2, .lower = false});
  EXPECT_LT(difference(plain.forward(images.view()).data, fast.forward(images.view()).data), 1e-5);
}

TEST(Lower, TheLastNodeStaysTheOutput) {
  Graph graph;
  const NodeId image = graph.input({.c = 3, .h = 8, .w = 8});
  const NodeId a = graph.add("a", Activate{}, {image});
  graph.add("b", Flatten{}, {image});  // that nobody reads
  graph.add("drop", Dropout{}, {a});
  const Tensor images = random_tensor({2, 3, 8, 8}, 21);
  Executor executor(graph, {.batch = 2}), plain(graph, {.batch = 2, .lower = false});
  EXPECT_EQ(difference(plain.forward(images.view()).data, executor.forward(images.view()).data), 0);
}

TEST(Lower, FoldsAndFusesWhatIsNotTrainedAndKeepsNames) {
  const Graph graph = busy_graph();
  const Graph inference = lower(graph.clone(), false);
  for (const Node& node : inference.nodes()) {
    EXPECT_FALSE(std::holds_alternative<BatchNorm>(node.layer)) << node.name;
    EXPECT_FALSE(std::holds_alternative<Dropout>(node.layer)) << node.name;
    EXPECT_FALSE(std::holds_alternative<Add>(node.layer)) << node.name;
  }
  EXPECT_NE(inference.find_param("stem.conv.bias"), nullptr);
  const Graph training = lower(graph.clone(), true);
  EXPECT_EQ(training.params().size(), graph.params().size());
  for (const Param& param : training.params())
    EXPECT_TRUE(std::ranges::equal(param.value.data(), graph.find_param(param.name)->value.data()))
        << param.name;
}

TEST(Lower, ReluGoesBehindMaxPoolingWhereItIsTrainedAndChangesNoBit) {
  Graph graph;
  NodeId x = graph.input({1, 3, 12, 12});
  x = graph.add("conv1", Conv2d{.out = 16, .kernel = 3, .pad = 1}, {x});
  x = graph.add("relu1", Activate{}, {x});
  x = graph.add("pool1", MaxPool2d{.kernel = 3, .stride = 2, .pad = 1}, {x});
  x = graph.add("conv2", Conv2d{.out = 16, .kernel = 3, .pad = 1}, {x});
  const NodeId read_twice = graph.add("relu2", Activate{}, {x});
  x = graph.add("pool2", MaxPool2d{.kernel = 3, .stride = 1, .pad = 1}, {read_twice});
  x = graph.add("add", Add{}, {x, read_twice});
  graph.add("fc", Linear{.out = 5}, {graph.add("flatten", Flatten{}, {x})});
  graph.init(parse_init("he_normal"), Rng(3));
  std::vector<std::string> names;
  const Graph lowered = lower(graph.clone(), true);
  for (const Node& node : lowered.nodes()) names.push_back(node.name);
  EXPECT_EQ(names, (std::vector<std::string>{"input", "conv1", "pool1", "relu1", "conv2", "relu2", "pool2",
                                             "add", "flatten", "fc"}));

  Executor as_written(graph, {.batch = 4, .train = true, .lower = false});
  Executor fast(graph, {.batch = 4, .train = true});
  const Tensor images = random_tensor({4, 3, 12, 12}, 5), dout = random_tensor({4, 5, 1, 1}, 6);
  const ConstView wanted = as_written.forward(images.view()), got = fast.forward(images.view());
  EXPECT_TRUE(std::ranges::equal(wanted.data, got.data));
  as_written.backward(dout.view());
  fast.backward(dout.view());
  for (const char* name : {"conv1.weight", "conv1.bias", "conv2.weight", "fc.weight"})
    EXPECT_TRUE(std::ranges::equal(gradient_of(as_written, name).data(), gradient_of(fast, name).data()))
        << name;
  EXPECT_LT(fast.memory_bytes(), as_written.memory_bytes());
}

}  // namespace
}  // namespace enxerto
