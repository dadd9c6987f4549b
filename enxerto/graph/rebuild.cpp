#include "enxerto/graph/rebuild.h"

#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

/// The head's layer with so many outputs.
AnyLayer with_outputs(const Node& head, int classes) {
  AnyLayer layer = head.layer;
  if (auto* linear = std::get_if<Linear>(&layer)) return linear->out = classes, layer;
  auto* conv = std::get_if<Conv2d>(&layer);
  if (conv && conv->groups == 1) return conv->out = classes, layer;
  throw Error(ErrorKind::usage, text("layer \"", head.name, "\" is the last with parameters, and a ",
                                     kind_of(layer), " cannot be given another number of outputs"));
}

/// A reshape of what the head made, to a list of its outputs.
bool lists_outputs(const Node& node, std::int64_t outputs) {
  const auto* move = std::get_if<Rearrange>(&node.layer);
  return move && move->c == outputs && move->h == 1 && move->w == 1;
}

}  // namespace

const Node& head_of(const Graph& graph) {
  for (std::size_t i = graph.nodes().size(); i-- > 0;)
    if (!graph.nodes()[i].params.empty()) return graph.nodes()[i];
  throw Error(ErrorKind::usage, "the network has no layer with parameters");
}

Graph rebuilt(const Graph& graph, const Rebuild& changes) {
  const Node* head = changes.classes ? &head_of(graph) : nullptr;
  bool behind_head = false;
  Graph made;
  std::vector<NodeId> moved;
  for (const Node& node : graph.nodes()) {
    if (std::holds_alternative<Input>(node.layer)) {
      moved.push_back(made.input(changes.image.value_or(node.out)));
      continue;
    }
    std::vector<NodeId> inputs;
    for (const NodeId id : node.inputs) inputs.push_back(moved[static_cast<std::size_t>(id.index)]);
    const bool is_last = &node == &graph.nodes().back();
    if (changes.logits && is_last && std::holds_alternative<Softmax>(node.layer)) {
      moved.push_back(inputs[0]);
      continue;
    }
    AnyLayer layer = &node == head ? with_outputs(node, changes.classes) : node.layer;
    if (auto* norm = std::get_if<BatchNorm>(&layer); norm && changes.batch_norm_eps)
      norm->eps = *changes.batch_norm_eps;
    if (behind_head && lists_outputs(node, head->out.c)) layer = Flatten{};
    behind_head = behind_head || &node == head;
    if (std::holds_alternative<Rearrange>(layer) &&
        made.node(inputs[0]).out != graph.node(node.inputs[0]).out)
      throw Error(ErrorKind::usage, text("layer \"", node.name, "\" moves single places of a ",
                                         format_shape(graph.node(node.inputs[0]).out),
                                         ", which another size has elsewhere; keep the input's size"));
    const NodeId id = made.add(node.name, std::move(layer), std::move(inputs));
    made.set_frozen(id, node.frozen);
    moved.push_back(id);
  }
  std::vector<NodeId> side_outputs;
  for (const NodeId id : graph.side_outputs())
    side_outputs.push_back(moved[static_cast<std::size_t>(id.index)]);
  made.set_side_outputs(std::move(side_outputs));
  // Names are the same, and so is the order.
  for (std::size_t i = 0; i < graph.params().size(); ++i) {
    const Param& from = graph.params()[i];
    Param& to = made.params()[i];
    ensure(from.name == to.name, "a network is rebuilt in its order");
    if (from.spec.shape == to.spec.shape) std::ranges::copy(from.value.data(), to.value.data().begin());
    // A linear layer's inputs may not change: its old weights would mean nothing.
    const bool is_head = head && std::ranges::find(head->params, static_cast<int>(i)) != head->params.end();
    if (from.spec.shape != to.spec.shape && !is_head)
      throw Error(ErrorKind::usage,
                  text("parameter \"", from.name, "\" has the shape ", format_shape(from.spec.shape),
                       " and would need ", format_shape(to.spec.shape), "; keep the input's size"));
  }
  return made;
}

}  // namespace enxerto
