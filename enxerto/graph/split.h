/// A network in two: what is frozen and what is trained, each a graph of its own.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "enxerto/graph/graph.h"

namespace enxerto {

/// The nodes where the network comes apart: all that later nodes need of earlier ones goes through the one.
/// In the order of running, neither the input nor the last node. Only what the last node needs counts: side
/// outputs (auxiliary heads) and what leads to them does not.
std::vector<NodeId> cut_points(const Graph& graph);

/// For each node whether the last one needs it.
std::vector<bool> needed_by_last(const Graph& graph);

/// Of one picture: more than one place, {c, h, w}, and no list.
constexpr bool is_map(const Shape& shape) { return shape.h > 1 || shape.w > 1; }

struct SplitGraph {
  Graph prefix;  ///< up to the cut, which is its last node
  Graph suffix;  ///< what follows; its input is as the cut's output
};

/// Two networks that do one after the other what this one does. Names of nodes and parameters stay, and so
/// does what is frozen; side outputs and what only they need are left out. Throws Error{not_found} where
/// there is no such node, Error{usage} with the nearest cut points where the network does not come apart
/// there.
SplitGraph split_at(const Graph& graph, std::string_view cut);

/// The last cut point that nothing trainable, and no dropout that is not frozen, stands at or before: what a
/// frozen network need compute only once for a picture. Empty where there is none.
std::optional<NodeId> frozen_cut(const Graph& graph);

/// The last cut point before the head (head_of() in rebuild.h) whose output is a list, {c, 1, 1}, and no
/// dropout: what a picture's features usually are. Empty where there is none, as in a network whose head is a
/// convolution over a map.
std::optional<NodeId> features_cut(const Graph& graph);

/// `name`, with as many "_" behind it as it takes to be no node's yet.
std::string free_name(const Graph& graph, std::string name);

/// Gives `to` the values of the parameters that `from` has under the same names and shapes.
void copy_params(const Graph& from, Graph& to);

}  // namespace enxerto
