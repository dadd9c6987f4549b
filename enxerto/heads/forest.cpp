#include "enxerto/heads/forest.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/heads/bins.h"
#include "enxerto/heads/parallel.h"

namespace enxerto {
namespace {

constexpr int most_trees = 100'000;

std::size_t place(std::int64_t i) { return static_cast<std::size_t>(i); }

void check_config(const ForestConfig& config) {
  if (config.trees < 1 || config.trees > most_trees)
    throw Error(ErrorKind::usage, text("a forest of ", config.trees, " trees: from 1 to ", most_trees));
}

/// The row's average of the trees that `counts` lets count. Returns how many did.
template <class F>
int average(const Forest& forest, std::span<const float> row, std::span<double> to, const F& counts) {
  std::ranges::fill(to, 0.0);
  int counted = 0;
  for (std::size_t t = 0; t < forest.trees.size(); ++t) {
    if (!counts(t)) continue;
    ++counted;
    const std::span<const float> its = forest.trees[t].probabilities_of(row);
    for (std::size_t k = 0; k < to.size(); ++k) to[k] += static_cast<double>(its[k]);
  }
  for (double& each : to) each /= std::max(counted, 1);
  return counted;
}

/// in_bag[t][i]: whether tree t has seen row i.
void measure_out_of_bag(const Rows& rows, std::span<const float> weights,
                        const std::vector<std::vector<bool>>& in_bag, ForestFit& fit) {
  std::vector<std::int8_t> outcome(place(rows.n()), -1);  // -1: cannot be told
  parallel_for((rows.n() + 255) / 256, [&](std::int64_t piece) {
    std::vector<double> mean(place(rows.classes));
    for (std::int64_t i = piece * 256; i < std::min(rows.n(), piece * 256 + 256); ++i) {
      const std::size_t at = place(i);
      if (!(weights[at] > 0)) continue;
      const std::span<const float> row = rows.x.data.subspan(place(i * rows.c()), place(rows.c()));
      if (average(fit.forest, row, mean, [&](std::size_t t) { return !in_bag[t][at]; }) == 0) continue;
      outcome[at] = std::ranges::max_element(mean) - mean.begin() == rows.y[at] ? 1 : 0;
    }
  });
  const auto right = std::ranges::count(outcome, 1);
  fit.out_of_bag_rows = right + std::ranges::count(outcome, 0);
  if (fit.out_of_bag_rows > 0)
    fit.out_of_bag_accuracy = static_cast<double>(right) / static_cast<double>(fit.out_of_bag_rows);
}

/// The rows that have a weight, by what is drawn together.
std::vector<std::vector<std::size_t>> groups_of(std::span<const float> weights,
                                                std::span<const std::int32_t> group_of_row) {
  if (!group_of_row.empty() && group_of_row.size() != weights.size())
    throw Error(ErrorKind::usage,
                text("there are ", group_of_row.size(), " group numbers for ", weights.size(), " rows"));
  std::vector<std::vector<std::size_t>> groups(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!(weights[i] > 0)) continue;
    const std::size_t group = group_of_row.empty() ? i : place(group_of_row[i]);
    if (group >= groups.size())
      throw Error(ErrorKind::usage, text("group ", group, " of ", groups.size(), " rows"));
    groups[group].push_back(i);
  }
  std::erase_if(groups, [](const auto& group) { return group.empty(); });
  return groups;
}

}  // namespace

Tensor Forest::probabilities(ConstView x) const {
  if (x.shape.c != columns() || x.shape.h != 1 || x.shape.w != 1)
    throw Error(ErrorKind::usage, text("features of ", format_shape(x.shape), " for a forest of ", columns(),
                                       " columns: they come from another network or cut"));
  Tensor made({.n = x.shape.n, .c = classes()});
  const auto count = place(classes());
  parallel_for((x.shape.n + 63) / 64, [&](std::int64_t piece) {
    std::vector<double> mean(count);
    for (std::int64_t i = piece * 64; i < std::min(x.shape.n, piece * 64 + 64); ++i) {
      average(*this, x.data.subspan(place(i * columns()), place(columns())), mean,
              [](std::size_t) { return true; });
      for (std::size_t k = 0; k < count; ++k) made.data()[place(i) * count + k] = static_cast<float>(mean[k]);
    }
  });
  return made;
}

ForestFit fit_forest(const Rows& rows, const ForestConfig& config) {
  check_config(config);
  TreeConfig each{.max_depth = config.max_depth,
                  .min_leaf = config.min_leaf,
                  .max_features = config.max_features,
                  .class_weights = {},
                  .seed = config.seed};
  check_tree_config(rows, each);
  if (each.max_features == 0)
    each.max_features =
        std::max<std::int64_t>(1, std::llround(std::floor(std::sqrt(static_cast<double>(rows.c())))));
  const std::vector<float> weights = weights_of_rows(rows, config.class_weights);
  const std::vector<std::vector<std::size_t>> there = groups_of(weights, config.group_of_row);
  if (there.empty()) throw Error(ErrorKind::usage, "no row has a weight: give at least two classes some");

  const Bins bins(rows.x);
  ForestFit fit;
  fit.forest.trees.resize(place(config.trees));
  std::vector<std::vector<bool>> in_bag(fit.forest.trees.size());
  parallel_for(config.trees, [&](std::int64_t t) {
    // A tree is a function of the seed and its number: it does not matter which thread grows it.
    Rng rng = Rng(config.seed).child(0x7EE, static_cast<std::uint64_t>(t));
    std::vector<float> drawn(weights.size(), 0.0f);
    std::vector<bool> seen(weights.size(), false);
    for (std::size_t i = 0; i < there.size(); ++i) {
      for (const std::size_t row : there[rng.below(there.size())]) {
        drawn[row] += weights[row];
        seen[row] = true;
      }
    }
    fit.forest.trees[place(t)] = grow_tree(rows, bins, drawn, each, rng);
    in_bag[place(t)] = std::move(seen);
  });
  measure_out_of_bag(rows, weights, in_bag, fit);
  return fit;
}

void append_forest(const Forest& forest, NamedTensors& tensors) {
  for (std::size_t t = 0; t < forest.trees.size(); ++t)
    append_tree(forest.trees[t], text("trees.", t, "."), tensors);
}

Forest forest_from(const NamedTensors& tensors, int classes, std::int64_t columns) {
  Forest made;
  while (find_tensor(tensors, text("trees.", made.trees.size(), ".feature")))
    made.trees.push_back(tree_from(tensors, text("trees.", made.trees.size(), "."), classes, columns));
  if (made.trees.empty())
    throw Error(ErrorKind::corrupt, "a forest has to have \"trees.0.feature\" and so on");
  return made;
}

}  // namespace enxerto
