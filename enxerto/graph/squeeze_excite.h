/// Squeeze-and-excitation in a graph, whose layers an inference program runs as one kernel.
#pragma once

#include <optional>
#include <vector>

#include "enxerto/graph/graph.h"
#include "enxerto/kernels/spec.h"

namespace enxerto {

struct SqueezeExcitation {
  NodeId map{};                ///< what is multiplied
  std::vector<NodeId> inside;  ///< means, layers and activations: nobody else reads them
  std::vector<int> params;     ///< in the order of the spec
  SqueezeExciteSpec spec;      ///< for one picture
};

/// What this product of a map and a factor per channel is the end of: means of that very map, two layers on
/// them with an activation each. Empty where it is another product.
std::optional<SqueezeExcitation> squeeze_excitation_at(const Graph& graph, NodeId multiply);

}  // namespace enxerto
