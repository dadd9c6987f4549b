#include "examples/training.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <numbers>
#include <optional>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"

namespace enxerto::lab {

void use_threads(const Lab& lab, std::string_view real_takes) {
  set_threads(lab.real() ? 0 : 1);
  if (lab.real())
    std::cerr << "--real takes about " << real_takes << " on two cores that have nothing else to do\n";
}

Batch make_moons(std::int64_t count, double noise, std::uint64_t seed) {
  Batch moons;
  moons.images = Tensor({.n = count, .c = 2});
  auto to = moons.images.data().begin();
  Rng rng(seed);
  for (std::int64_t i = 0; i < count; ++i) {
    const bool lower = i % 2 == 1;
    const double angle = std::numbers::pi * rng.uniform(), side = lower ? -1 : 1;
    *to++ = static_cast<float>(side * std::cos(angle) + (lower ? 0.5 : -0.5) + noise * rng.normal());
    *to++ = static_cast<float>(side * (std::sin(angle) - 0.25) + noise * rng.normal());
    moons.labels.push_back(lower);
    moons.indices.push_back(i);
  }
  return moons;
}

Graph make_mlp(std::int64_t inputs, const std::vector<int>& outputs, Activation activation) {
  Graph net;
  net.input({.c = inputs});
  for (std::size_t i = 1; i <= outputs.size(); ++i) {
    net.add(text("fc", i), Linear{.out = outputs[i - 1]}, {net.last()});
    if (i < outputs.size()) net.add(text("act", i), Activate{activation}, {net.last()});
  }
  return net;
}

bool OneBatch::next(Batch& batch) {
  if (std::exchange(handed_out_, true)) return false;
  batch.images = batch_.images.clone();
  batch.labels = batch_.labels;
  batch.indices = batch_.indices;
  return true;
}

TrainConfig fixed_rate(int epochs, const OptimizerConfig& optimizer, double lr) {
  TrainConfig config{.epochs = epochs, .optimizer = optimizer, .metric = Metric::train_loss};
  config.schedule.curve = Schedule::Curve::constant;
  config.schedule.base = lr;
  return config;
}

std::vector<double> train_steps(Graph& graph, const Batch& batch, const TrainConfig& config,
                                const std::function<void(const EpochReport&, const Graph&)>& heard,
                                const Batch* val) {
  std::vector<double> losses;
  Listener listener;
  listener.heard = [&](const EpochReport& report, const Graph& now) {
    losses.push_back(report.train_loss);
    if (heard) heard(report, now);
  };
  const std::array<Observer*, 1> observers{&listener};
  std::vector<std::string> classes;
  for (std::int64_t c = 0; c < graph.output_shape().size(); ++c) classes.push_back(text(c));
  OneBatch source(batch);
  std::optional<OneBatch> val_source;
  if (val) val_source.emplace(*val);
  try {
    train(graph, {.train = source, .val = val ? &*val_source : nullptr, .classes = classes}, config,
          observers);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::diverged) throw;
  }
  return losses;
}

}  // namespace enxerto::lab
