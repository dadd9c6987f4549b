#include "enxerto/graph/split.h"

#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/lower.h"
#include "enxerto/graph/rebuild.h"

namespace enxerto {
namespace {

std::size_t at(NodeId id) { return static_cast<std::size_t>(id.index); }

bool is_cut_point(const Graph& graph, NodeId id) {
  const std::vector<NodeId> points = cut_points(graph);
  return std::ranges::find(points, id) != points.end();
}

/// The cut points next to a node where there is none.
std::string nearest(const Graph& graph, NodeId wanted) {
  std::string before, after;
  for (const NodeId id : cut_points(graph)) {
    if (id.index < wanted.index) before = graph.node(id).name;
    if (id.index > wanted.index && after.empty()) after = graph.node(id).name;
  }
  if (before.empty() && after.empty()) return "it comes apart nowhere";
  return text("it does before and after that, at ", before, before.empty() || after.empty() ? "" : " and ",
              after);
}

}  // namespace

std::vector<bool> needed_by_last(const Graph& graph) {
  std::vector<bool> needed(graph.nodes().size(), false);
  needed.back() = true;
  // Nodes stand after their inputs, so one walk back tells.
  for (std::size_t i = needed.size(); i-- > 0;)
    if (needed[i])
      for (const NodeId id : graph.nodes()[i].inputs) needed[at(id)] = true;
  return needed;
}

std::vector<NodeId> cut_points(const Graph& graph) {
  const std::vector<bool> needed = needed_by_last(graph);
  // The last node that reads each.
  std::vector<int> last_reader(needed.size(), -1);
  for (int i = 0; i <= graph.last().index; ++i)
    if (needed[at({i})])
      for (const NodeId id : graph.node({i}).inputs) last_reader[at(id)] = i;
  std::vector<NodeId> points;
  int reach = 0;  // the last reader of all nodes before this one
  for (int i = 0; i < graph.last().index; ++i) {
    if (!needed[at({i})]) continue;
    if (i > 0 && reach <= i) points.push_back({i});
    reach = std::max(reach, last_reader[at({i})]);
  }
  return points;
}

SplitGraph split_at(const Graph& graph, std::string_view cut) {
  const NodeId id = graph.id_of(cut);
  if (!is_cut_point(graph, id))
    throw Error(ErrorKind::usage,
                text("layer \"", cut, "\": the network does not come apart there: ", nearest(graph, id)));
  SplitGraph made{.prefix = graph.clone(), .suffix = {}};
  made.prefix.cut_after(cut);
  const std::vector<bool> needed = needed_by_last(graph);
  std::vector<NodeId> moved(needed.size());
  moved[at(id)] = made.suffix.input(graph.node(id).out);
  for (int i = id.index + 1; i <= graph.last().index; ++i) {
    if (!needed[at({i})]) continue;
    const Node& node = graph.node({i});
    std::vector<NodeId> inputs;
    for (const NodeId input : node.inputs) inputs.push_back(moved[at(input)]);
    moved[at({i})] = made.suffix.add(node.name, node.layer, std::move(inputs));
    made.suffix.set_frozen(moved[at({i})], node.frozen);
  }
  copy_params(graph, made.suffix);
  return made;
}

std::optional<NodeId> frozen_cut(const Graph& graph) {
  const std::vector<bool> needed = needed_by_last(graph), trained = trained_at_or_below(graph);
  int first_moving = graph.last().index;
  for (int i = graph.last().index; i >= 0; --i) {
    const Node& node = graph.node({i});
    const bool drops = std::holds_alternative<Dropout>(node.layer) && !node.frozen;
    if (needed[at({i})] && (trained[at({i})] || drops)) first_moving = i;
  }
  std::optional<NodeId> last;
  for (const NodeId id : cut_points(graph))
    if (id.index < first_moving) last = id;
  return last;
}

std::optional<NodeId> features_cut(const Graph& graph) {
  const auto head = graph.id_of(head_of(graph).name).index;
  std::optional<NodeId> last;
  for (const NodeId id : cut_points(graph)) {
    const Node& node = graph.node(id);
    if (id.index < head && !is_map(node.out) && !std::holds_alternative<Dropout>(node.layer)) last = id;
  }
  return last;
}

std::string free_name(const Graph& graph, std::string name) {
  while (std::ranges::any_of(graph.nodes(), [&](const Node& node) { return node.name == name; })) name += "_";
  return name;
}

void copy_params(const Graph& from, Graph& to) {
  for (Param& param : to.params())
    if (const Param* source = from.find_param(param.name); source && source->spec.shape == param.spec.shape)
      std::ranges::copy(source->value.data(), param.value.data().begin());
}

}  // namespace enxerto
