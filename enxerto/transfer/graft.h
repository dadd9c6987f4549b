/// Grafting: which layer of a network gives the features, and the new head that grows on them.
#pragma once

#include <string>
#include <string_view>

#include "enxerto/graph/graph.h"

namespace enxerto {

/// Where features come from.
struct Cut {
  std::string layer;
  bool pool = false;  ///< each channel's map is averaged: its mean is the feature
  friend bool operator==(const Cut&, const Cut&) = default;
};

/// The last list of features before the head, as most networks have one; else the last map before it, pooled
/// (SqueezeNet, Darknet, whose heads are convolutions over a map). Error{usage} where the head is all that
/// there is.
Cut usual_cut(const Graph& graph);

/// The network up to the layer, whose output is the last node's. Error{not_found}.
Graph features_of(const Graph& graph, const Cut& cut);

/// The features with a new linear layer of so many logits, at rest, called as the head of `graph`
/// (head_of() in rebuild.h). `cut` has to be of a layer before the head: Error{usage}. Keeps what is frozen.
Graph grafted(const Graph& graph, const Cut& cut, int classes);

}  // namespace enxerto
