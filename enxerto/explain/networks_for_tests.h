/// Networks that the tests of this folder explain. Not installed.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/explain/evaluation.h"
#include "enxerto/graph/executor.h"

namespace enxerto::tests {

/// The tests run in the repository's root. Made by tools/make_explain_golden.py.
inline const nlohmann::json& golden() {
  static const auto once = nlohmann::json::parse(read_text_file("enxerto/explain/golden.json"));
  return once;
}

/// PyTorch's network, with a softmax that is not to be explained.
inline Graph golden_graph() {
  Graph g;
  NodeId x = g.input({1, 3, 10, 12});
  x = g.add("conv1", Conv2d{.out = 6, .kernel = 3, .pad = 1}, {x});
  x = g.add("bn1", BatchNorm{}, {x});
  x = g.add("relu1", Activate{}, {x});
  const NodeId pool = g.add("pool1", MaxPool2d{.kernel = 2, .stride = 2}, {x});
  x = g.add("conv2", Conv2d{.out = 8, .kernel = 3, .pad = 1, .bias = false}, {pool});
  x = g.add("bn2", BatchNorm{}, {x});
  x = g.add("sum", Add{}, {x, g.add("skip", Conv2d{.out = 8}, {pool})});
  x = g.add("relu2", Activate{}, {x});
  x = g.add("pool2", GlobalAvgPool{}, {x});
  x = g.add("drop", Dropout{.p = 0.5f}, {x});
  x = g.add("fc", Linear{.out = 4}, {x});
  g.add("softmax", Softmax{}, {x});
  for (Param& param : g.params()) {
    const auto values = golden().at("parameters").at(param.name).get<std::vector<float>>();
    ensure(values.size() == param.value.data().size(), "the golden network is this one");
    std::ranges::copy(values, param.value.data().begin());
  }
  return g;
}

inline Tensor golden_image() {
  Tensor made({1, 3, 10, 12});
  std::ranges::copy(golden().at("image").get<std::vector<float>>(), made.data().begin());
  return made;
}

/// Grey noise in which a striped square lies somewhere: the direction of its stripes is the class.
struct Planted {
  Tensor image{Shape{1, 1, 32, 32}};
  int label = 0, top = 0, left = 0;
  static constexpr int side = 8;
};

inline Planted planted(Rng rng) {
  Planted made;
  for (float& x : made.image.data()) x = 0.5f * rng.normal();
  made.label = static_cast<int>(rng.below(2));
  made.top = static_cast<int>(rng.below(32 - Planted::side + 1));
  made.left = static_cast<int>(rng.below(32 - Planted::side + 1));
  for (int y = 0; y < Planted::side; ++y)
    for (int x = 0; x < Planted::side; ++x)
      made.image.data()[static_cast<std::size_t>((made.top + y) * 32 + made.left + x)] =
          (made.label ? x : y) / 2 % 2 ? 1.5f : -1.5f;
  return made;
}

/// Learns to tell the two by plain gradient descent; a second or two.
inline Graph trained_on_planted() {
  constexpr int batch = 32;
  Graph g;
  NodeId x = g.input({1, 1, 32, 32});
  x = g.add("conv1", Conv2d{.out = 12, .kernel = 5, .pad = 2}, {x});
  x = g.add("bn1", BatchNorm{}, {x});
  x = g.add("relu1", Activate{}, {x});
  x = g.add("pool1", MaxPool2d{.kernel = 2, .stride = 2}, {x});
  x = g.add("conv2", Conv2d{.out = 16, .kernel = 3, .pad = 1}, {x});
  x = g.add("bn2", BatchNorm{}, {x});
  x = g.add("relu2", Activate{}, {x});
  x = g.add("pool2", GlobalAvgPool{}, {x});
  g.add("fc", Linear{.out = 2}, {x});
  g.init({}, Rng(5));
  Executor executor(g, {.batch = batch, .train = true});
  Tensor images({batch, 1, 32, 32}), dout({batch, 2, 1, 1});
  for (std::uint64_t step = 0; step < 250; ++step) {
    std::vector<int> labels;
    for (std::uint64_t i = 0; i < batch; ++i) {
      const Planted each = planted(Rng(1).child(step, i));
      std::ranges::copy(each.image.data(), images.data().begin() + static_cast<std::ptrdiff_t>(i) * 1024);
      labels.push_back(each.label);
    }
    const ConstView out = executor.forward(images.view());
    for (std::size_t i = 0; i < batch; ++i) {
      const float second = 1 / (1 + std::exp(out.data[2 * i] - out.data[2 * i + 1]));
      dout.data()[2 * i + 1] = (second - static_cast<float>(labels[i])) / batch;
      dout.data()[2 * i] = -dout.data()[2 * i + 1];
    }
    executor.backward(dout.view());
    for (const Update& update : executor.updates())
      for (std::size_t i = 0; i < update.value.size(); ++i) update.value[i] -= 0.2f * update.grad[i];
  }
  executor.store(g);
  return g;
}

/// The map's highest place, as a pixel of the picture.
struct Pixel {
  double y, x;
};
template <class Map>
Pixel highest(const Map& map, int height, int width) {
  const auto at = static_cast<int>(std::ranges::max_element(map.values) - map.values.begin());
  return {(at / map.width + 0.5) * height / map.height, (at % map.width + 0.5) * width / map.width};
}

inline bool lies_in_patch(const Pixel& at, const Planted& picture) {
  return at.y >= picture.top && at.y <= picture.top + Planted::side && at.x >= picture.left &&
         at.x <= picture.left + Planted::side;
}

}  // namespace enxerto::tests
