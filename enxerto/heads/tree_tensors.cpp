// Trees as tensors, and back.
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/heads/tree.h"

namespace enxerto {
namespace {

constexpr std::int64_t most_counted = std::int64_t{1} << 24;  // floats count to this without a gap

/// A list of whole numbers in [low, high].
std::vector<std::int32_t> whole_numbers(const NamedTensor& from, std::int64_t low, std::int64_t high) {
  std::vector<std::int32_t> made;
  for (const float each : from.value.data()) {
    if (!(each >= static_cast<float>(low) && each <= static_cast<float>(high)) || each != std::floor(each))
      throw Error(ErrorKind::corrupt, text("\"", from.name, "\" holds ", each,
                                           ": it has to be a whole number from ", low, " to ", high));
    made.push_back(static_cast<std::int32_t>(each));
  }
  return made;
}

}  // namespace

void append_tree(const Tree& tree, const std::string& prefix, NamedTensors& tensors) {
  const auto nodes = static_cast<std::int64_t>(tree.feature.size());
  if (nodes > most_counted || tree.columns > most_counted)
    throw Error(ErrorKind::unsupported, text("a tree of ", nodes, " nodes on ", tree.columns,
                                             " columns cannot be saved: 2^24 of each at most"));
  const auto add = [&](const char* name, const auto& values, std::vector<std::int64_t> dims) {
    Tensor made(shape_of(dims));
    for (std::size_t i = 0; i < values.size(); ++i) made.data()[i] = static_cast<float>(values[i]);
    tensors.push_back({prefix + name, std::move(dims), std::move(made)});
  };
  add("feature", tree.feature, {nodes});
  add("next", tree.next, {nodes});
  add("threshold", tree.threshold, {nodes});
  add("leaves", tree.leaves, {static_cast<std::int64_t>(tree.leaves.size()) / tree.classes, tree.classes});
}

Tree tree_from(const NamedTensors& tensors, const std::string& prefix, int classes, std::int64_t columns) {
  const auto find = [&](const char* name, std::size_t rank) -> const NamedTensor& {
    const NamedTensor* const found = find_tensor(tensors, prefix + name);
    if (!found || found->dims.size() != rank || found->value.empty())
      throw Error(ErrorKind::corrupt, text("\"", prefix, name, "\" of a tree has to be there, of ", rank,
                                           rank == 1 ? " dimension" : " dimensions"));
    return *found;
  };
  const NamedTensor &feature = find("feature", 1), &next = find("next", 1), &threshold = find("threshold", 1),
                    &leaves = find("leaves", 2);
  const std::int64_t nodes = feature.dims[0];
  if (next.dims != feature.dims || threshold.dims != feature.dims || leaves.dims[1] != classes ||
      nodes > most_counted || columns > most_counted)
    throw Error(ErrorKind::corrupt, text("the sizes of the tree \"", prefix, "\" do not fit together"));
  Tree made;
  made.classes = classes;
  made.columns = columns;
  made.feature = whole_numbers(feature, -1, columns - 1);
  made.next = whole_numbers(next, 0, nodes - 1);
  for (const float each : leaves.value.data())
    if (!(each >= 0 && each <= 1))
      throw Error(ErrorKind::corrupt, text("\"", leaves.name, "\" holds ", each, ", which is no share"));
  made.threshold.assign(threshold.value.data().begin(), threshold.value.data().end());
  made.leaves.assign(leaves.value.data().begin(), leaves.value.data().end());
  for (std::int64_t node = 0; node < nodes; ++node) {
    const auto at = static_cast<std::size_t>(node);
    const bool fits = made.feature[at] < 0 ? made.next[at] < leaves.dims[0]
                                           : made.next[at] > node && made.next[at] + 1 < nodes;
    if (!fits)
      throw Error(ErrorKind::corrupt, text("node ", node, " of the tree \"", prefix, "\" leads to ",
                                           made.next[at], ", which is no leaf and no later node"));
  }
  return made;
}

}  // namespace enxerto
