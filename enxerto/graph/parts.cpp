#include "enxerto/graph/parts.h"

#include <algorithm>

#include "enxerto/graph/split.h"

namespace enxerto {
namespace {

constexpr std::int64_t most_floats = std::int64_t{3} << 20;  ///< that one node reads and writes in a part

/// Winograd's kernels read four times as many weights for each part.
bool is_wide_3x3(const Node& node, const Shape& in) {
  const auto* conv = std::get_if<Conv2d>(&node.layer);
  return conv && conv->groups == 1 && conv->kernel == Size2(3) && in.c >= 32;
}

/// The last node to run part by part: behind all maps, before the next layer that has weights. Empty where
/// there are no maps.
std::optional<NodeId> last_of_parts(const Graph& program) {
  int last_map = -1;
  for (int i = 0; i <= program.last().index; ++i)
    if (is_map(program.node({i}).out)) last_map = i;
  if (last_map < 0) return std::nullopt;
  std::vector<NodeId> ends = cut_points(program);
  ends.push_back(program.last());
  std::optional<NodeId> found;
  for (const NodeId end : ends) {
    if (end.index < last_map) continue;
    const auto begin = program.nodes().begin();
    const auto has_params = [](const Node& node) { return !node.params.empty(); };
    if (found && std::any_of(begin + found->index + 1, begin + end.index + 1, has_params)) break;
    found = end;
  }
  return found;
}

}  // namespace

Parts divided(const Graph& program, int batch, int threads) {
  const Parts whole{.size = batch};
  const std::optional<NodeId> last = last_of_parts(program);
  if (!last || !program.side_outputs().empty()) return whole;
  std::int64_t most = 1;  // of one picture
  int least_per_thread = 2;
  for (int i = 0; i <= last->index; ++i) {
    const Node& node = program.node({i});
    std::int64_t floats = node.out.size();
    for (const NodeId input : node.inputs) floats += program.node(input).out.size();
    most = std::max(most, floats);
    if (!node.inputs.empty() && is_wide_3x3(node, program.node(node.inputs[0]).out)) least_per_thread = 4;
  }
  const auto wanted =
      std::max<std::int64_t>(most_floats / most, static_cast<std::int64_t>(least_per_thread) * threads);
  if (wanted >= batch) return whole;
  const auto up = [](int a, int b) { return (a + b - 1) / b; };
  const int count = up(batch, static_cast<int>(wanted));
  return {.last = *last, .size = up(batch, count), .count = count};
}

}  // namespace enxerto
