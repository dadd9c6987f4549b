/// A graph's structure as JSON, and back. Weights travel apart, as NamedTensors (docs/formats/model-file.md).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "enxerto/graph/graph.h"

namespace enxerto {

/// {"version": 1, "nodes": [{"name", "kind", "inputs": [places of earlier nodes], "frozen", "options"}],
/// "side_outputs": [places of nodes], where there are any}.
nlohmann::json graph_to_json(const Graph& graph);

/// Takes nothing on trust: throws Error{corrupt} that names the node for unknown kinds and keys, wrong
/// types, inputs that do not stand before their node and sizes that make no sense, Error{unsupported} for
/// a newer version. No more than `most_parameters` floats are allocated. An option that is missing has its
/// default, so that layers can grow.
Graph graph_from_json(const nlohmann::json& json, std::int64_t most_parameters = std::int64_t{1} << 31);

}  // namespace enxerto
