#include "enxerto/explain/evaluation.h"

#include <algorithm>
#include <variant>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/graph/split.h"

namespace enxerto {
namespace {

bool is_pooling(const AnyLayer& layer) {
  return std::holds_alternative<MaxPool2d>(layer) || std::holds_alternative<AvgPool2d>(layer) ||
         std::holds_alternative<AdaptiveAvgPool2d>(layer) || std::holds_alternative<GlobalAvgPool>(layer);
}

/// Maps between input and output that are no poolings' outputs, in the order of running.
std::vector<const Node*> maps_of(const Graph& graph) {
  const std::vector<bool> needed = needed_by_last(graph);
  std::vector<const Node*> maps;
  for (std::size_t i = 1; i + 1 < needed.size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (needed[i] && is_map(node.out) && !is_pooling(node.layer)) maps.push_back(&node);
  }
  return maps;
}

}  // namespace

Graph as_evaluated(const Graph& graph) {
  Graph made = rebuilt(graph, {.logits = true});
  // What only side outputs need goes, and so do they.
  made.cut_after(made.node(made.last()).name);
  made.freeze("");
  return made;
}

NodeId map_called(const Graph& graph, std::string_view layer) {
  const NodeId id = graph.id_of(layer);
  if (id.index == 0 || id == graph.last())
    throw Error(ErrorKind::usage, text("layer \"", layer, "\" is the network's ",
                                       id.index == 0 ? "input" : "output", "; choose one between"));
  if (!is_map(graph.node(id).out))
    throw Error(ErrorKind::usage,
                text("layer \"", layer, "\" makes a list, ", format_shape(graph.node(id).out),
                     ", not a map of places; choose one before"));
  if (!needed_by_last(graph)[static_cast<std::size_t>(id.index)])
    throw Error(ErrorKind::usage, text("layer \"", layer, "\": the output does not depend on it"));
  return id;
}

std::string last_map(const Graph& graph) {
  const std::vector<const Node*> maps = maps_of(graph);
  if (maps.empty()) throw Error(ErrorKind::usage, "no layer of the network makes a map of places");
  return maps.back()->name;
}

std::vector<std::string> layers_over_depth(const Graph& graph, int count) {
  std::vector<const Node*> last_ones;
  for (const Node* node : maps_of(graph)) {
    if (!last_ones.empty() && last_ones.back()->out.h * last_ones.back()->out.w == node->out.h * node->out.w)
      last_ones.pop_back();
    last_ones.push_back(node);
  }
  std::vector<std::string> names;
  const std::size_t all = last_ones.size(), wanted = std::min(all, static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < wanted; ++i)
    names.push_back(last_ones[wanted == 1 ? all - 1 : i * (all - 1) / (wanted - 1)]->name);
  return names;
}

}  // namespace enxerto
