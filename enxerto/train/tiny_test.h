// A network, data and observers that are small enough for tests.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "enxerto/data/shapes.h"
#include "enxerto/train/trainer.h"

namespace enxerto::tests {

/// Convolution, batch norm, dropout: all that a resume could get wrong.
inline Graph tiny_net(float dropout = 0.25f) {
  Graph net;
  const auto chain = [&](const char* name, AnyLayer layer) { net.add(name, std::move(layer), {net.last()}); };
  net.input({.n = 1, .c = 1, .h = 12, .w = 12});
  chain("conv1", Conv2d{.out = 8, .kernel = 3, .pad = 1, .bias = false});
  chain("bn1", BatchNorm{});
  chain("relu1", Activate{});
  chain("pool1", MaxPool2d{});
  chain("drop", Dropout{.p = dropout});
  chain("flatten", Flatten{});
  chain("fc", Linear{.out = 2});
  net.init({}, Rng(1));
  return net;
}

inline std::shared_ptr<const Dataset> tiny_data(std::int64_t count = 36, std::uint64_t seed = 1) {
  return make_crosses_and_circles(count, 12, seed);
}

/// Pictures of crosses and circles whose labels are lists: of every second
/// picture both, of every fifth none.
inline std::shared_ptr<const Dataset> tiny_lists(std::int64_t count = 36, std::uint64_t seed = 1) {
  const auto drawn = tiny_data(count, seed);
  PictureBlock block{.height = 12, .width = 12, .channels = 1, .pixels = {}, .sources = {{0, "lists"}}};
  LabelTable labels;
  labels.multi = true;
  for (std::int64_t i = 0; i < count; ++i) {
    const Sample sample = drawn->get(i);
    block.pixels.insert(block.pixels.end(), sample.image.pixels.begin(), sample.image.pixels.end());
    std::vector<std::int32_t> its{sample.label};
    if (i % 2) its = {0, 1};
    if (i % 5 == 0) its.clear();
    labels.add(its);
  }
  return std::make_shared<const MemoryDataset>(std::move(block), std::move(labels),
                                               std::vector<std::string>{"circle", "cross"});
}

/// 36 pictures make 4 steps an epoch, with 4 pictures left over.
inline TrainConfig tiny_config(const OptimizerConfig& optimizer = Momentum{}) {
  TrainConfig config{.epochs = 4, .batch = 8, .seed = 3, .preprocess = Preprocess::plain(12, 12, 1)};
  config.augment = {.flip = 0.5, .shift_px = 1};
  config.optimizer = optimizer;
  config.schedule.base = 0.01;
  config.penalty.l2 = 1e-3;
  config.clip_norm = 5;
  return config;
}

struct Listener final : Observer {
  std::function<void(const StepReport&)> step;
  std::function<bool(const EpochReport&, const Graph&, const TrainState&)> epoch;
  void on_step(const StepReport& report) override {
    if (step) step(report);
  }
  bool on_epoch(const EpochReport& report, const Graph& graph, const TrainState& state) override {
    return epoch ? epoch(report, graph, state) : true;
  }
};

inline void expect_same_bits(const NamedTensors& wanted, const NamedTensors& got) {
  ASSERT_EQ(wanted.size(), got.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(wanted[i].name, got[i].name);
    EXPECT_TRUE(std::ranges::equal(wanted[i].value.data(), got[i].value.data())) << wanted[i].name;
  }
}

/// The Error that `call` throws.
template <class F>
std::pair<ErrorKind, std::string> error_of(const F& call) {
  try {
    call();
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  }
  ADD_FAILURE() << "no Error was thrown";
  return {};
}

}  // namespace enxerto::tests
