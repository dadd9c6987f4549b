#include "enxerto/transfer/proof.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

ContentKey key_of(const Graph& graph, const Node& node) {
  ContentHash hash;
  for (const int param : node.params) hash.add(graph.params()[static_cast<std::size_t>(param)].value.data());
  return hash.key();
}

double distance(const Graph& before, const Graph& after, const Node& node) {
  double moved = 0, length = 0;
  for (const int index : node.params) {
    const Param& param = before.params()[static_cast<std::size_t>(index)];
    if (!param.spec.trainable()) continue;
    const auto was = param.value.data(), is = after.params()[static_cast<std::size_t>(index)].value.data();
    for (std::size_t i = 0; i < was.size(); ++i) {
      const double step = static_cast<double>(is[i]) - was[i];
      moved += step * step;
      length += static_cast<double>(was[i]) * was[i];
    }
  }
  return moved == 0 ? 0 : std::sqrt(moved / length);
}

}  // namespace

std::vector<LayerChange> compare_layers(const Graph& before, const Graph& after,
                                        const std::vector<std::string>& trained) {
  ensure(before.nodes().size() == after.nodes().size(), "the networks have the same structure");
  std::vector<LayerChange> changes;
  for (int i = 0; i <= before.last().index; ++i) {
    const Node& node = before.node({i});
    if (node.params.empty()) continue;
    changes.push_back({.layer = node.name,
                       .trained = std::ranges::find(trained, node.name) != trained.end(),
                       .before = key_of(before, node),
                       .after = key_of(after, after.node({i})),
                       .moved = distance(before, after, node)});
  }
  return changes;
}

std::vector<std::string> broken_promises(const std::vector<LayerChange>& changes) {
  std::vector<std::string> broken;
  for (const LayerChange& change : changes)
    if (!change.trained && !change.same()) broken.push_back(change.layer);
  return broken;
}

nlohmann::json to_json(const std::vector<LayerChange>& changes) {
  nlohmann::json trained = nlohmann::json::array();
  ContentHash hash;
  std::int64_t frozen = 0, same = 0;
  for (const LayerChange& change : changes) {
    if (change.trained) {
      trained.push_back({{"layer", change.layer}, {"moved", nullptr}});
      if (std::isfinite(change.moved)) trained.back()["moved"] = change.moved;
      continue;
    }
    ++frozen;
    same += change.same();
    hash.add(change.after);
  }
  return {{"frozen", frozen},
          {"frozen_same", same},
          {"frozen_hash", format_key(hash.key())},
          {"trained", trained}};
}

}  // namespace enxerto
