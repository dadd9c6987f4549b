#include "enxerto/graph/squeeze_excite.h"

#include <algorithm>

namespace enxerto {
namespace {

/// Goes from the factors up to the means.
class Way {
 public:
  Way(const Graph& graph, NodeId multiply) : graph_(graph), reader_(multiply) {}

  /// The node above, if only the one below reads it.
  std::optional<NodeId> step(NodeId node) {
    const auto reads = [&](const Node& each) { return std::ranges::count(each.inputs, node); };
    std::ptrdiff_t readers = std::ranges::count(graph_.side_outputs(), node);
    for (const Node& each : graph_.nodes()) readers += reads(each);
    if (readers != 1 || reads(graph_.node(reader_)) != 1) return std::nullopt;
    reader_ = node;
    inside.push_back(node);
    return graph_.node(node).inputs.empty() ? std::nullopt : std::optional(graph_.node(node).inputs[0]);
  }

  std::vector<NodeId> inside;

 private:
  const Graph& graph_;
  NodeId reader_;
};

struct Dense {
  std::vector<int> params;
  ActivationSpec activation;
};

/// A layer on one pixel with a bias, as convolution or as linear layer.
std::optional<Dense> dense_of(const Node& node) {
  if (const auto* conv = std::get_if<Conv2d>(&node.layer); conv && conv->kernel == Size2(1) &&
                                                           conv->groups == 1 && conv->bias &&
                                                           node.inputs.size() == 1 && conv->pad == Padding(0))
    return Dense{node.params, {conv->activation, conv->alpha}};
  if (const auto* linear = std::get_if<Linear>(&node.layer); linear && linear->bias)
    return Dense{node.params, {linear->activation, linear->alpha}};
  return std::nullopt;
}

bool makes_means(const AnyLayer& layer) {
  const auto* pool = std::get_if<AdaptiveAvgPool2d>(&layer);
  return std::holds_alternative<GlobalAvgPool>(layer) || (pool && pool->out == Size2(1));
}

}  // namespace

std::optional<SqueezeExcitation> squeeze_excitation_at(const Graph& graph, NodeId multiply) {
  const Node& product = graph.node(multiply);
  if (!std::holds_alternative<Multiply>(product.layer)) return std::nullopt;
  const NodeId map = product.inputs[0];
  const Shape shape = graph.node(map).out;
  SqueezeExcitation found{.map = map, .inside = {}, .params = {}, .spec = {.shape = shape}};
  Way way(graph, multiply);
  std::optional<NodeId> at = product.inputs[1];
  for (const bool excites : {true, false}) {
    ActivationSpec function{};
    if (const auto* activate = std::get_if<Activate>(&graph.node(*at).layer)) {
      function = {activate->function, activate->alpha};
      if (at = way.step(*at); !at) return std::nullopt;
    }
    const Node& node = graph.node(*at);
    const std::optional<Dense> dense = dense_of(node);
    if (!dense || (at = way.step(*at), !at)) return std::nullopt;
    if (dense->activation.kind != Activation::none) {
      if (function.kind != Activation::none) return std::nullopt;
      function = dense->activation;
    }
    found.params.insert(found.params.begin(), dense->params.begin(), dense->params.end());
    if (excites)
      found.spec.excite = function;
    else
      found.spec.squeeze = function, found.spec.squeezed = node.out.c;
  }
  const auto means = makes_means(graph.node(*at).layer) ? way.step(*at) : std::nullopt;
  if (means != map) return std::nullopt;
  found.inside = std::move(way.inside);
  return found;
}

}  // namespace enxerto
