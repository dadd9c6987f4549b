/// What training did to each layer: the proof that frozen ones are as they were, and how far the others
/// moved.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "enxerto/core/content_hash.h"
#include "enxerto/graph/graph.h"

namespace enxerto {

struct LayerChange {
  std::string layer;
  bool trained = false;      ///< it was free to move
  ContentKey before, after;  ///< of all its parameters, running statistics included
  bool same() const { return before == after; }
  /// ||after - before|| / ||before|| over all trainable parameters; 0 where nothing moved, infinite where
  /// there was nothing before.
  double moved = 0;
};

/// Of each layer with parameters, in the order of running. `trained`: names of those that were free to move.
/// Networks of the same structure.
std::vector<LayerChange> compare_layers(const Graph& before, const Graph& after,
                                        const std::vector<std::string>& trained);

/// Layers that were frozen and are not the same. Empty: the proof holds.
std::vector<std::string> broken_promises(const std::vector<LayerChange>& changes);

/// {"frozen", "frozen_same": counts, "trained": [{"layer", "moved": null where it was nothing before}],
/// "frozen_hash": of all frozen together}.
nlohmann::json to_json(const std::vector<LayerChange>& changes);

}  // namespace enxerto
