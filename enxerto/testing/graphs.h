/// A network that has everything, and how far answers are apart.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <stdexcept>
#include <string_view>

#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/testing/random.h"

namespace enxerto::tests {

/// Everything that branches: a residual with and without a convolution on the way round, squeeze-and-
/// excitation, two branches put together, dropout, a frozen-able stem.
inline Graph busy_graph(float dropout = 0.25f) {
  Graph g;
  NodeId x = g.input({1, 3, 16, 16});
  x = g.add("stem.conv", Conv2d{.out = 32, .kernel = 3, .pad = 1, .bias = false}, {x});
  x = g.add("stem.bn", BatchNorm{}, {x});
  x = g.add("stem.relu", Activate{}, {x});
  NodeId y = g.add("a.conv1", Conv2d{.out = 32, .kernel = 3, .pad = 1, .bias = false}, {x});
  y = g.add("a.bn1", BatchNorm{}, {y});
  y = g.add("a.relu1", Activate{}, {y});
  y = g.add("a.conv2", Conv2d{.out = 32, .kernel = 3, .pad = 1, .bias = false}, {y});
  y = g.add("a.bn2", BatchNorm{}, {y});
  y = g.add("a.add", Add{}, {y, x});
  x = g.add("a.relu2", Activate{}, {y});
  NodeId side = g.add("b.down", Conv2d{.out = 24, .kernel = 1, .stride = 2, .bias = false}, {x});
  side = g.add("b.downbn", BatchNorm{}, {side});
  y = g.add("b.conv", Conv2d{.out = 24, .kernel = 3, .stride = 2, .pad = 1}, {x});
  y = g.add("b.bn", BatchNorm{}, {y});
  y = g.add("b.add", Add{}, {side, y});
  x = g.add("b.relu", Activate{}, {y});
  NodeId gate = g.add("se.pool", GlobalAvgPool{}, {x});
  gate = g.add("se.fc1", Conv2d{.out = 8}, {gate});
  gate = g.add("se.relu", Activate{}, {gate});
  gate = g.add("se.fc2", Conv2d{.out = 24}, {gate});
  gate = g.add("se.sigmoid", Activate{.function = Activation::hard_sigmoid}, {gate});
  x = g.add("se.scale", Multiply{}, {x, gate});
  const NodeId left = g.add("c.left", Conv2d{.out = 16, .kernel = 1}, {x});
  NodeId right = g.add("c.right", Conv2d{.out = 24, .kernel = 3, .pad = 1, .groups = 24}, {x});
  right = g.add("c.swish", Activate{.function = Activation::hard_swish}, {right});
  x = g.add("c.cat", Concat{}, {left, right});
  x = g.add("pool", MaxPool2d{.kernel = 3, .stride = 2, .pad = 1}, {x});
  x = g.add("flatten", Flatten{}, {x});
  x = g.add("drop", Dropout{.p = dropout}, {x});
  x = g.add("fc1", Linear{.out = 20}, {x});
  x = g.add("fc1.relu", Activate{}, {x});
  g.add("fc2", Linear{.out = 5}, {x});
  g.init(parse_init("he_normal"), Rng(3));
  // Statistics that are not those of a fresh network, so that folding is seen.
  for (Param& param : g.params())
    if (param.spec.role != Role::weight) {
      Rng rng(param.name.size());
      for (float& v : param.value.data()) v += rng.uniform(0.1f, 0.6f);
    }
  return g;
}

inline double difference(std::span<const float> wanted, std::span<const float> got) {
  double apart = 0, size = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    apart += std::pow(static_cast<double>(wanted[i]) - got[i], 2);
    size += static_cast<double>(wanted[i]) * wanted[i];
  }
  return std::sqrt(apart / (size + 1e-30));
}

inline const Update& update_of(const Executor& executor, std::string_view name) {
  for (const Update& update : executor.updates())
    if (update.name == name) return update;
  throw std::logic_error(text("no update ", name));
}

inline Tensor gradient_of(const Executor& executor, std::string_view name) {
  for (std::size_t i = 0; i < executor.updates().size(); ++i)
    if (executor.updates()[i].name == name) return executor.unpack(i, executor.updates()[i].grad);
  throw std::logic_error(text("no update ", name));
}

}  // namespace enxerto::tests
