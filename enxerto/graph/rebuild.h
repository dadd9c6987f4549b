/// The same network for other pictures or other classes.
#pragma once

#include <optional>

#include "enxerto/graph/graph.h"

namespace enxerto {

/// The layer that makes the outputs: the last one with parameters. Error{usage} where there is none.
const Node& head_of(const Graph& graph);

struct Rebuild {
  std::optional<Shape> image = std::nullopt;           ///< {c, h, w} of the input; else as it is
  int classes = 0;                                     ///< outputs of the head; 0: as they are
  bool logits = false;                                 ///< without a softmax at the end, as losses want it
  std::optional<float> batch_norm_eps = std::nullopt;  ///< of every batch norm; else as they are
};

/// The network with these changes. Parameters that keep their shape keep their values, the others are at rest
/// (Graph::add); frozen layers stay frozen, side outputs stay. Throws Error{usage} that names the layer which
/// cannot take the change, such as a head that is no linear layer or convolution, or a linear layer whose
/// inputs would be others.
Graph rebuilt(const Graph& graph, const Rebuild& changes);

}  // namespace enxerto
