/// A small network and pictures that it can learn, for the tests of this folder. Not installed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "enxerto/core/random.h"
#include "enxerto/data/dataset.h"
#include "enxerto/graph/graph.h"

namespace enxerto {

/// A small network with batch norm and a residual, for pictures of 16 x 16 and 3 classes.
inline Graph network() {
  Graph graph;
  NodeId x =
      graph.add("stem", Conv2d{.out = 8, .kernel = 3, .stride = 2, .pad = 1}, {graph.input({1, 3, 16, 16})});
  x = graph.add("stem.bn", BatchNorm{}, {x});
  const NodeId stem = graph.add("stem.relu", Activate{.function = Activation::relu}, {x});
  x = graph.add("block.conv", Conv2d{.out = 8, .kernel = 3, .pad = 1}, {stem});
  x = graph.add("block.bn", BatchNorm{}, {x});
  x = graph.add("block.sum", Add{}, {x, stem});
  x = graph.add("pool", GlobalAvgPool{}, {x});
  graph.add("head", Linear{.out = 3}, {x});
  graph.init({}, Rng(7));
  return graph;
}

inline std::shared_ptr<const Dataset> pictures(int n, std::uint64_t seed = 3) {
  PictureBlock block{.height = 20, .width = 18, .channels = 3, .pixels = {}, .sources = {{0, "noise"}}};
  std::vector<std::int32_t> labels;
  Rng rng(seed);
  for (int i = 0; i < n; ++i) {
    labels.push_back(i % 3);
    for (int value = 0; value < 20 * 18 * 3; ++value)
      block.pixels.push_back(
          static_cast<std::uint8_t>(rng.below(128) + 60 * static_cast<unsigned>(i % 3 == value % 3)));
  }
  return std::make_shared<MemoryDataset>(std::move(block), std::move(labels),
                                         std::vector<std::string>{"a", "b", "c"});
}

}  // namespace enxerto
