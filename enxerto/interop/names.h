/// Node names made from what the files of others say.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace enxerto {

/// Gives each node of a graph a name of its own. A name knows its next number, so that a file full of one
/// name costs nothing.
class NameGiver {
 public:
  /// `wanted` as a name that was not given yet (nor is the input's, "input") and that a model file can hold:
  /// bytes that do not print and what is not UTF-8 become "_", at most 200 bytes, "layer" where nothing is
  /// left; "_2", "_3"... follow where it is taken.
  std::string give(std::string_view wanted);

 private:
  std::unordered_set<std::string> taken_{"input"};
  std::unordered_map<std::string, int> next_;
};

}  // namespace enxerto
