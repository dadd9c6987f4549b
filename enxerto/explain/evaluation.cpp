#include "enxerto/explain/evaluation.h"

#include <variant>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/rebuild.h"

namespace enxerto {
namespace {

bool is_map(const Shape& shape) { return shape.h * shape.w > 1; }

bool is_pooling(const AnyLayer& layer) {
  return std::holds_alternative<MaxPool2d>(layer) || std::holds_alternative<AvgPool2d>(layer) ||
         std::holds_alternative<AdaptiveAvgPool2d>(layer) || std::holds_alternative<GlobalAvgPool>(layer);
}

}  // namespace

Graph as_evaluated(const Graph& graph) {
  Graph made = rebuilt(graph, {.logits = true});
  // What only side outputs need goes, and so do they.
  made.cut_after(made.node(made.last()).name);
  for (int i = 0; i <= made.last().index; ++i) made.set_frozen({i}, true);
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
  Graph whole = graph.clone();
  whole.cut_after(graph.node(graph.last()).name);
  for (const Node& node : whole.nodes())
    if (node.name == layer) return id;
  throw Error(ErrorKind::usage, text("layer \"", layer, "\": the output does not depend on it"));
}

std::string last_map(const Graph& graph) {
  Graph whole = graph.clone();
  whole.cut_after(graph.node(graph.last()).name);
  for (int i = whole.last().index - 1; i > 0; --i) {
    const Node& node = whole.node({i});
    if (is_map(node.out) && !is_pooling(node.layer)) return node.name;
  }
  throw Error(ErrorKind::usage, "no layer of the network makes a map of places");
}

}  // namespace enxerto
