#include "enxerto/graph/recompute.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "enxerto/core/random.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/lower.h"

namespace enxerto {
namespace {

/// Convolutions one after the other, each output of another size.
Graph chain(std::uint64_t seed, int length) {
  Rng rng(seed);
  Graph graph;
  NodeId x = graph.input({1, 3, 8, 8});
  for (int i = 0; i < length; ++i) {
    const int out = 1 + static_cast<int>(rng.uniform(0.0f, 40.0f)), stride = i % 5 == 4 ? 2 : 1;
    x = graph.add(text("conv", i), Conv2d{.out = out, .kernel = 3, .stride = stride, .pad = 1}, {x});
  }
  return graph;
}

/// Of each node that is trained or lies above one that is, as if nothing were written over.
std::vector<OutputSize> sizes_of(const Graph& graph) {
  const std::vector<bool> trained = trained_at_or_below(graph);
  std::vector<OutputSize> sizes;
  for (int i = 0; i <= graph.last().index; ++i)
    sizes.push_back({.floats = trained[static_cast<std::size_t>(i)] ? graph.node({i}).out.size() : 0});
  return sizes;
}

std::int64_t floats(const Graph& graph, int node) { return graph.node({node}).out.size(); }

/// The most floats at one time: what blocks have handed on so far, what lies inside one, and the largest
/// gradients of one of its nodes.
std::int64_t most_at_once(const Graph& graph, const std::vector<NodeId>& ends) {
  std::int64_t most = 0, kept = 0;
  int begin = 0;
  for (const NodeId end : ends) {
    std::int64_t inside = 0, gradients = 0;
    for (int node = begin + 1; node <= end.index; ++node) {
      if (node < end.index) inside += floats(graph, node);
      gradients = std::max(gradients, floats(graph, node) + (node > 1 ? floats(graph, node - 1) : 0));
    }
    most = std::max(most, kept + inside + gradients);
    kept += floats(graph, end.index);
    begin = end.index;
  }
  return most;
}

/// Those of blocks that are computed anew, and the last node.
std::vector<NodeId> ends_of(const std::vector<InBlock>& parts) {
  std::vector<NodeId> ends;
  for (int i = 0; i < static_cast<int>(parts.size()); ++i)
    if (parts[static_cast<std::size_t>(i)] == InBlock::end) ends.push_back({i});
  ends.push_back({static_cast<int>(parts.size()) - 1});
  return ends;
}

TEST(RecomputeBlocks, TakeTheLeastMemoryOfAllWaysToCut) {
  constexpr int length = 11;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const Graph graph = chain(seed, length);
    std::int64_t least = most_at_once(graph, {graph.last()});
    for (int ways = 1; ways < 1 << (length - 1); ++ways) {
      std::vector<NodeId> ends;
      for (int i = 1; i < length; ++i)
        if ((ways >> (i - 1)) & 1) ends.push_back({i});
      ends.push_back(graph.last());
      least = std::min(least, most_at_once(graph, ends));
    }
    const auto got = most_at_once(graph, ends_of(recompute_blocks(graph, sizes_of(graph))));
    EXPECT_LE(static_cast<double>(got), 1.02 * static_cast<double>(least) + 2);
    EXPECT_GE(got, least);
  }
}

TEST(RecomputeBlocks, EndNowhereInWhatIsWrittenOver) {
  const Graph graph = chain(2, 12);
  std::vector<OutputSize> sizes = sizes_of(graph);
  for (std::size_t i = 1; i < sizes.size(); i += 2) sizes[i].overwritten = true;
  const std::vector<InBlock> parts = recompute_blocks(graph, sizes);
  EXPECT_GT(std::ranges::count(parts, InBlock::end), 0);
  for (std::size_t i = 1; i < parts.size(); i += 2) EXPECT_NE(parts[i], InBlock::end) << i;
}

TEST(RecomputeBlocks, LeaveAloneWhatIsFrozenAndTheLastBlock) {
  Graph graph = chain(1, 12);
  graph.freeze_through("conv5");
  const std::vector<InBlock> parts = recompute_blocks(graph, sizes_of(graph));
  const auto last_end = std::find(parts.rbegin(), parts.rend(), InBlock::end).base() - parts.begin();
  for (int i = 0; i < static_cast<int>(parts.size()); ++i)
    EXPECT_EQ(parts[static_cast<std::size_t>(i)] == InBlock::none, i <= 6 || i >= last_end) << i;
  EXPECT_GT(std::ranges::count(parts, InBlock::inside), 0);
}

TEST(RecomputeBlocks, AreNoneWhereTheNetworkComesApartNowhere) {
  // The images themselves go on to the end.
  Graph graph;
  const NodeId images = graph.input({1, 4, 8, 8});
  Graph only_input = graph.clone();
  NodeId x = images;
  for (int i = 0; i < 4; ++i) x = graph.add(text("conv", i), Conv2d{.out = 4, .kernel = 3, .pad = 1}, {x});
  graph.add("add", Add{}, {x, images});
  for (const Graph* each : {&graph, &only_input}) {
    const std::vector<InBlock> parts = recompute_blocks(*each, sizes_of(*each));
    EXPECT_EQ(std::ranges::count(parts, InBlock::none), std::ssize(parts));
  }
}

}  // namespace
}  // namespace enxerto
