#include "enxerto/graph/parts.h"

#include <algorithm>

#include "enxerto/graph/split.h"

namespace enxerto {
namespace {

constexpr std::int64_t last_cache = std::int64_t{3} << 20;  ///< floats
constexpr std::int64_t second_cache = std::int64_t{1} << 18;

bool is_wide_3x3(const Graph& program, const Node& node) {
  const auto* conv = std::get_if<Conv2d>(&node.layer);
  return conv && conv->groups == 1 && conv->kernel == Size2(3) && program.node(node.inputs[0]).out.c >= 32;
}

/// What a node reads and writes for one picture, in floats.
std::int64_t traffic(const Graph& program, const Node& node) {
  std::int64_t floats = node.out.size();
  for (const NodeId input : node.inputs) floats += program.node(input).out.size();
  return floats;
}

/// A level of parts of some `wanted` pictures, all of about one size; nothing where that is all of them.
std::optional<PartLevel> level_of(NodeId last, std::int64_t wanted, int total) {
  if (wanted >= total) return std::nullopt;
  const auto up = [](int a, int b) { return (a + b - 1) / b; };
  const int count = up(total, static_cast<int>(wanted));
  return PartLevel{.last = last, .size = up(total, count), .count = count};
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

/// The last node to run picture by picture: behind the largest maps, as long as what goes on from there gets
/// smaller, since that is copied. Index -1 where no map is so large.
NodeId last_of_large(const Graph& program, NodeId last) {
  NodeId found{-1};
  bool shrinks = false;
  const auto nodes = program.nodes();
  for (const NodeId cut : cut_points(program)) {
    if (cut.index >= last.index) break;
    const auto is_large = [&](const Node& node) { return traffic(program, node) > second_cache; };
    const bool more = std::any_of(nodes.begin() + found.index + 1, nodes.begin() + cut.index + 1, is_large);
    shrinks = more || (shrinks && program.node(cut).out.size() < program.node(found).out.size());
    if (shrinks) found = cut;
  }
  return found;
}

}  // namespace

std::vector<PartLevel> part_levels(const Graph& program, int batch, int threads) {
  const std::optional<NodeId> last = last_of_parts(program);
  if (!last || last->index == 0 || !program.side_outputs().empty()) return {};
  const auto nodes = program.nodes().first(static_cast<std::size_t>(last->index) + 1);
  const bool wide = std::ranges::any_of(nodes, [&](const Node& node) { return is_wide_3x3(program, node); });
  const NodeId inner = wide ? NodeId{-1} : last_of_large(program, *last);
  std::int64_t most = 1;
  for (const Node& node : nodes.subspan(static_cast<std::size_t>(inner.index + 1)))
    most = std::max(most, traffic(program, node));
  const auto outer =
      level_of(*last, std::max<std::int64_t>(last_cache / most, std::int64_t{wide ? 4 : 2} * threads), batch);
  std::vector<PartLevel> levels;
  if (inner.index >= 0)
    if (const auto level = level_of(inner, threads, outer ? outer->size : batch)) levels.push_back(*level);
  if (outer) levels.push_back(*outer);
  return levels;
}

}  // namespace enxerto
