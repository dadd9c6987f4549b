#include "enxerto/graph/lower.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "enxerto/core/error.h"
#include "enxerto/kernels/onednn/onednn.h"

namespace enxerto {
namespace {

/// A layer with what follows it and runs inside it; or a relu and the max pooling that goes before it.
struct Chain {
  int head = -1, batch_norm = -1, add = -1, activation = -1, pool = -1;
  int end() const { return std::max({head, batch_norm, add, activation, pool}); }
};

class Lowering {
 public:
  Lowering(Graph& graph, bool train)
      : graph_(graph), train_(train), trained_(trained_at_or_below(graph)), consumers_(size()) {
    for (int i = 0; i < size(); ++i)
      for (const NodeId input : node(i).inputs) consumers_[at(input.index)].push_back(i);
  }

  Graph run() {
    find_chains();
    Graph out;
    std::vector<NodeId> moved(at(size()));
    for (int i = 0; i < size(); ++i) {
      const Chain* chain = ends_[at(i)] ? &*ends_[at(i)] : nullptr;
      if (!chain && absorbed_[at(i)]) continue;  // appears with the end of its chain
      const Node& head = node(chain ? chain->head : i);
      if (std::holds_alternative<Input>(head.layer)) {
        moved[at(i)] = out.input(head.out);
        continue;
      }
      if (vanishes(head) && !is_side_output(i) && i + 1 < size()) {  // the last node is the output
        moved[at(i)] = moved[at(head.inputs[0].index)];
        continue;
      }
      std::vector<NodeId> inputs;
      for (const NodeId input : head.inputs) inputs.push_back(moved[at(input.index)]);
      if (chain && chain->add >= 0) inputs.push_back(moved[at(other_operand(*chain))]);
      if (chain && chain->pool >= 0) inputs = {out.add(node(i).name, node(i).layer, inputs)};
      const NodeId id = out.add(head.name, chain ? merged(*chain) : head.layer, inputs);
      if (head.frozen) out.set_frozen(id, true);
      fill(out, id, head, chain);
      moved[at(i)] = id;
    }
    std::vector<NodeId> side_outputs;
    for (const NodeId id : graph_.side_outputs()) side_outputs.push_back(moved[at(id.index)]);
    out.set_side_outputs(std::move(side_outputs));
    return out;
  }

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  int size() const { return static_cast<int>(graph_.nodes().size()); }
  const Node& node(int i) const { return graph_.node({i}); }
  /// Nothing of it is trained, and nothing below.
  bool is_inference(int i) const { return !train_ || !trained_[at(i)]; }
  bool vanishes(const Node& node) const {
    return std::holds_alternative<Dropout>(node.layer) && (!train_ || node.frozen);
  }

  bool is_side_output(int i) const {
    return std::ranges::find(graph_.side_outputs(), NodeId{i}) != graph_.side_outputs().end();
  }
  /// The one node that reads node i, or nothing; whoever runs the network reads its outputs.
  std::optional<int> only_consumer(int i) const {
    if (is_side_output(i)) return std::nullopt;
    if (consumers_[at(i)].size() != 1 || absorbed_[at(consumers_[at(i)][0])]) return std::nullopt;
    return consumers_[at(i)][0];
  }
  template <class L>
  std::optional<int> followed_by(int i) const {
    const auto next = only_consumer(i);
    return next && std::holds_alternative<L>(node(*next).layer) ? next : std::nullopt;
  }

  void find_chains() {
    ends_.resize(at(size()));
    absorbed_.resize(at(size()), false);
    for (int i = 0; i < size(); ++i) {
      if (absorbed_[at(i)]) continue;
      const AnyLayer& layer = node(i).layer;
      const bool inference = is_inference(i);
      Chain chain{.head = i};
      if (const auto* conv = std::get_if<Conv2d>(&layer); conv && inference) {
        if (conv->activation != Activation::none) continue;
        take_batch_norm(chain);
        take_add(chain);
        take_activation(chain);
      } else if (const auto* linear = std::get_if<Linear>(&layer); linear && inference) {
        if (linear->activation != Activation::none) continue;
        take_activation(chain);
      } else if (const auto* norm = std::get_if<BatchNorm>(&layer)) {
        if (norm->activation != Activation::none || node(i).inputs.size() > 1) continue;
        take_add(chain);
        if (const auto next = followed_by<Activate>(chain.end())) {
          const Activation function = std::get<Activate>(node(*next).layer).function;
          if (can_end_in(function, chain.add >= 0)) chain.activation = *next;
        }
      } else if (const auto* activation = std::get_if<Activate>(&layer)) {
        // The largest, then relu: the same bits, forward and back, from fewer pixels; and the map before it
        // need not be kept.
        if (const auto next = followed_by<MaxPool2d>(i);
            next && activation->function == Activation::relu && !inference)
          chain.pool = *next;
      }
      if (chain.end() == i) continue;
      for (const int part : {chain.head, chain.batch_norm, chain.add, chain.activation, chain.pool})
        if (part >= 0) absorbed_[at(part)] = true;
      ends_[at(chain.end())] = chain;
    }
  }

  void take_batch_norm(Chain& chain) const {
    // One that is trained behind what is frozen stays a layer, and what is there already is added behind it.
    const auto next = followed_by<BatchNorm>(chain.end());
    if (next && is_inference(*next) && node(chain.head).inputs.size() == 1 &&
        node(*next).inputs.size() == 1 &&
        std::get<BatchNorm>(node(*next).layer).activation == Activation::none)
      chain.batch_norm = *next;
  }
  void take_add(Chain& chain) const {
    if (node(chain.head).inputs.size() > 1) return;
    const auto next = followed_by<Add>(chain.end());
    // A convolution with a sum inside has no backward pass, which the other operand may want.
    const bool goes_backward = std::holds_alternative<BatchNorm>(node(chain.head).layer);
    if (next && (goes_backward || is_inference(*next)) && node(*next).inputs[0] != node(*next).inputs[1])
      chain.add = *next;
  }
  void take_activation(Chain& chain) const {
    const auto next = followed_by<Activate>(chain.end());
    if (next && onednn::can_fuse(std::get<Activate>(node(*next).layer).function)) chain.activation = *next;
  }
  int other_operand(const Chain& chain) const {
    const int mine = chain.batch_norm >= 0 ? chain.batch_norm : chain.head;
    const auto& inputs = node(chain.add).inputs;
    return inputs[0].index == mine ? inputs[1].index : inputs[0].index;
  }

  AnyLayer merged(const Chain& chain) const {
    AnyLayer layer = node(chain.head).layer;
    if (auto* conv = std::get_if<Conv2d>(&layer); conv && chain.batch_norm >= 0) conv->bias = true;
    if (chain.activation >= 0) {
      const auto& activation = std::get<Activate>(node(chain.activation).layer);
      if (auto* norm = std::get_if<BatchNorm>(&layer)) norm->activation = activation.function;
      if (auto* conv = std::get_if<Conv2d>(&layer))
        conv->activation = activation.function, conv->alpha = activation.alpha;
      if (auto* linear = std::get_if<Linear>(&layer))
        linear->activation = activation.function, linear->alpha = activation.alpha;
    }
    return layer;
  }

  /// The values of the new node's parameters: those of the head, or folded.
  void fill(Graph& out, NodeId id, const Node& head, const Chain* chain) {
    const std::vector<int>& made = out.node(id).params;
    for (std::size_t i = 0; i < head.params.size(); ++i)
      out.params()[at(made[i])].value = std::move(graph_.params()[at(head.params[i])].value);
    if (chain && chain->batch_norm >= 0) fold(out, made, node(chain->batch_norm));
  }
  std::span<const float> source(int param) const { return graph_.params()[at(param)].value.data(); }
  static std::span<float> target(Graph& out, int param) { return out.params()[at(param)].value.data(); }

  /// W' = W * gamma / sqrt(var + eps), b' = (b - mean) * gamma / sqrt(var + eps) + beta, per channel.
  void fold(Graph& out, const std::vector<int>& made, const Node& norm) const {
    const auto gamma = source(norm.params[0]), beta = source(norm.params[1]), mean = source(norm.params[2]),
               variance = source(norm.params[3]);
    const std::span<float> weight = target(out, made[0]), bias = target(out, made[1]);
    const std::size_t channels = bias.size(), row = weight.size() / channels;
    const float eps = std::get<BatchNorm>(norm.layer).eps;
    for (std::size_t c = 0; c < channels; ++c) {
      const double factor = gamma[c] / std::sqrt(static_cast<double>(variance[c]) + eps);
      for (float& w : weight.subspan(c * row, row)) w = static_cast<float>(w * factor);
      bias[c] = static_cast<float>((static_cast<double>(bias[c]) - mean[c]) * factor + beta[c]);
    }
  }

  Graph& graph_;
  bool train_;
  std::vector<bool> trained_, absorbed_;
  std::vector<std::vector<int>> consumers_;
  std::vector<std::optional<Chain>> ends_;  ///< by the chain's last node
};

}  // namespace

std::vector<bool> trained_at_or_below(const Graph& graph) {
  std::vector<bool> trained;
  for (const Node& node : graph.nodes()) {
    const auto is_trained = [&](int param) {
      return graph.params()[static_cast<std::size_t>(param)].trainable();
    };
    trained.push_back(std::ranges::any_of(node.params, is_trained) ||
                      std::ranges::any_of(node.inputs, [&](NodeId input) {
                        return trained[static_cast<std::size_t>(input.index)];
                      }));
  }
  return trained;
}

Graph lower(Graph graph, bool train) { return Lowering(graph, train).run(); }

}  // namespace enxerto
