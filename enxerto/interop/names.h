/// Node names made from what the files of others say.
#pragma once

#include <string>
#include <string_view>

#include "enxerto/graph/graph.h"

namespace enxerto {

/// `wanted` as a name that the graph has not given yet and that a model file can hold: bytes that do not
/// print and what is not UTF-8 become "_", at most 200 bytes, "layer" where nothing is left; "_2", "_3"...
/// follow where it is taken.
std::string free_node_name(const Graph& graph, std::string_view wanted);

}  // namespace enxerto
