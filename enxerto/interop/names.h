/// Node names made from what the files of others say.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "enxerto/graph/graph.h"

namespace enxerto {

/// `wanted` as a name that the graph has not given yet and that a model file can hold: bytes that do not
/// print and what is not UTF-8 become "_", at most 200 bytes, "layer" where nothing is left; "_2", "_3"...
/// follow where it is taken.
std::string free_node_name(const Graph& graph, std::string_view wanted);

/// The same for many names: free_node_name() looks through all nodes for each number that it tries; here a
/// name knows its next number, so that a file full of one name costs nothing.
class NameGiver {
 public:
  std::string give(std::string_view wanted);

 private:
  std::unordered_set<std::string> taken_{"input"};
  std::unordered_map<std::string, int> next_;
};

}  // namespace enxerto
