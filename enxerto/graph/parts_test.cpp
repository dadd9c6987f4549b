#include "enxerto/graph/parts.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "enxerto/core/system.h"
#include "enxerto/graph/lower.h"
#include "enxerto/testing/graphs.h"

namespace enxerto {
namespace {

using tests::busy_graph;
using tests::difference;
using tests::random_tensor;

/// Maps so large that a few pictures at a time are a part, then a map that is small, a branch, lists.
Graph graph_with_large_maps(int channels = 16) {
  Graph g;
  NodeId x = g.input({1, 3, 256, 256});
  x = g.add("conv1", Conv2d{.out = channels, .kernel = 3, .pad = 1}, {x});
  x = g.add("relu1", Activate{}, {x});
  const NodeId pool = g.add("pool", MaxPool2d{.kernel = 8, .stride = 8}, {x});
  const NodeId conv2 = g.add("conv2", Conv2d{.out = channels, .kernel = 3, .pad = 1}, {pool});
  x = g.add("add", Add{}, {conv2, pool});
  x = g.add("means", GlobalAvgPool{}, {x});
  x = g.add("flatten", Flatten{}, {x});
  x = g.add("fc1", Linear{.out = 20}, {x});
  g.add("fc2", Linear{.out = 5}, {g.add("fc1.relu", Activate{}, {x})});
  g.init(parse_init("he_normal"), Rng(3));
  return g;
}

TEST(Parts, EndBehindTheMapsBeforeLayersWithWeights) {
  // Wide 3x3 convolutions: four pictures for each thread.
  const Graph wide = graph_with_large_maps(32);
  std::vector<PartLevel> levels = part_levels(wide, 30, 2);
  ASSERT_EQ(levels.size(), 1u);
  EXPECT_EQ(wide.node(levels[0].last).name, "flatten");
  EXPECT_EQ(levels[0].size, 8);
  EXPECT_EQ(levels[0].count, 4);
  std::vector<int> begins;
  for (int part = 0; part < levels[0].count; ++part) begins.push_back(levels[0].begin(part, 30));
  EXPECT_EQ(begins, (std::vector<int>{0, 8, 16, 22}));
  EXPECT_EQ(part_levels(wide, 30, 1).at(0).size, 4);
  EXPECT_TRUE(part_levels(wide, 8, 2).empty());           // as many as are kept together anyway
  EXPECT_TRUE(part_levels(busy_graph(), 64, 2).empty());  // small maps
  Graph lists;
  lists.add("fc", Linear{.out = 5}, {lists.input({1, 3, 1, 1})});
  EXPECT_TRUE(part_levels(lists, 1 << 20, 2).empty());
  Graph to_the_end = wide.clone();
  to_the_end.cut_after("add");
  EXPECT_EQ(part_levels(to_the_end, 30, 2).at(0).last, to_the_end.last());
}

TEST(Parts, OfLargeMapsAreAPictureForEachThread) {
  const Graph large = graph_with_large_maps(16);
  const std::vector<PartLevel> levels = part_levels(large, 4000, 2);
  ASSERT_EQ(levels.size(), 2u);
  EXPECT_EQ(large.node(levels[0].last).name, "pool");
  EXPECT_EQ(levels[0].size, 2);
  EXPECT_EQ(large.node(levels[1].last).name, "flatten");
  EXPECT_EQ(levels[1].size, 64);  // what reads and writes 3 x 16 x 32 x 32 fits 12 MiB so often
  EXPECT_EQ(levels[1].count, 63);
  EXPECT_EQ(levels[0].count, 32);
  const std::vector<PartLevel> of_few = part_levels(large, 9, 2);
  ASSERT_EQ(of_few.size(), 1u);  // all together behind the large ones
  EXPECT_EQ(large.node(of_few[0].last).name, "pool");
  EXPECT_EQ(of_few[0].count, 5);
  EXPECT_TRUE(part_levels(large, 2, 2).empty());
}

TEST(Parts, AnswerAsTheWholeBatchDoesInLessMemory) {
  struct Case {
    const char* last;
    int channels, batch;
    std::size_t levels;
  };
  set_threads(2);
  constexpr int few = 19;
  for (const auto& [last, channels, batch, levels] : {Case{"fc2", 32, few, 1}, Case{"flatten", 16, few, 1},
                                                      Case{"add", 32, few, 1}, Case{"fc2", 16, 67, 2}}) {
    Graph graph = graph_with_large_maps(channels);
    graph.cut_after(last);
    const std::vector<PartLevel> parts = part_levels(lower(graph.clone(), false), batch, threads());
    ASSERT_EQ(parts.size(), levels);
    const int part = parts[0].size;
    for (const bool bf16 : {false, true}) {
      Executor divided(graph, {.batch = batch, .bf16 = bf16}), small(graph, {.batch = part, .bf16 = bf16});
      const Tensor images = random_tensor({batch, 3, 256, 256}, 7);
      for (int again = 0; again < 2; ++again) {
        const ConstView all = divided.forward(images.view());
        const std::size_t width = all.data.size() / static_cast<std::size_t>(batch);
        for (const int begin : {0, batch / 2, batch - part}) {
          const std::size_t picture = 3 * 256 * 256;
          const ConstView answer =
              small.forward({{part, 3, 256, 256},
                             images.view().data.subspan(static_cast<std::size_t>(begin) * picture,
                                                        static_cast<std::size_t>(part) * picture)});
          // The layers on lists take the whole batch: other kernels perhaps.
          EXPECT_LT(difference(answer.data,
                               all.data.subspan(static_cast<std::size_t>(begin) * width, answer.data.size())),
                    1e-6)
              << last << " from picture " << begin;
        }
      }
      EXPECT_LT(divided.memory_bytes(), small.memory_bytes() * 3 / 2);
      EXPECT_EQ(divided.find_not_finite(images.view(), 0), "");
      std::int64_t runs = 0;
      for (const StepProfile& step : divided.profile()) runs = std::max(runs, step.runs);
      EXPECT_EQ(runs, 2);
    }
  }
  set_threads(0);
}

TEST(Parts, ANetworkOfItsInputAloneGivesIt) {
  Graph graph;
  graph.input({.c = 3, .h = 224, .w = 224});
  const Tensor images = random_tensor({32, 3, 224, 224}, 22);
  Executor executor(graph, {.batch = 32});
  EXPECT_EQ(difference(images.data(), executor.forward(images.view()).data), 0);
}

}  // namespace
}  // namespace enxerto
