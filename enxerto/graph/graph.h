/// Graph: a model as data. Reading and writing one never runs it; running it never changes its structure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "enxerto/core/random.h"
#include "enxerto/layers/layers.h"
#include "enxerto/tensor/named_tensors.h"

namespace enxerto {

struct NodeId {
  int index = -1;
  friend bool operator==(const NodeId&, const NodeId&) = default;
};

struct Node {
  std::string name;
  AnyLayer layer;
  std::vector<NodeId> inputs;
  std::vector<int> params;  ///< indices into Graph::params(), in the layer's order
  Shape out;                ///< of one image
  bool frozen = false;
};

/// A tensor of a layer, "layer1.0.conv1.weight".
struct Param {
  std::string name;
  ParamSpec spec;
  Tensor value;
  bool frozen = false;  ///< its node is
  /// Weight decay and penalties are for weights, not for biases and batch norm.
  bool decays() const { return spec.role == Role::weight; }
  bool trainable() const { return spec.trainable() && !frozen; }
};

/// How weights start. `value` is the constant, the bound e of uniform [-e, e], the standard deviation of
/// gaussian, or for Xavier (Glorot & Bengio 2010) and He (He et al. 2015) the gain (0: the usual one, 1
/// and sqrt(2)). Fans are those of PyTorch: in = c*h*w of the weight, out = n*h*w.
struct Init {
  enum class Kind { constant, uniform, gaussian, xavier_uniform, xavier_normal, he_uniform, he_normal };
  Kind kind = Kind::he_normal;
  float value = 0.0f;
  bool fan_out = false;  ///< for He: variance 2 / fan_out instead of 2 / fan_in
};
/// "he_normal", "uniform:0.1", "xavier_uniform"; Error{usage} lists what there is.
Init parse_init(std::string_view text);

/// Nodes in the order in which they run, and the tensors that they own. Shapes are those of one image;
/// the executor knows the batch. The last node is the output. Copies are spelled clone().
class Graph {
 public:
  Graph() = default;
  Graph(Graph&&) = default;
  Graph& operator=(Graph&&) = default;
  Graph clone() const;

  /// {c, h, w} of one picture; n is ignored. The first node, called "input".
  NodeId input(const Shape& image);
  /// Infers shapes, makes parameters (zero; scales and running variances one). Throws Error{usage} where
  /// the layer cannot take these inputs or the name is taken.
  NodeId add(std::string name, AnyLayer layer, std::vector<NodeId> inputs);

  /// Fills every trainable parameter: weights by `init`, each from its own child of rng, so adding a
  /// layer changes no other; biases and shifts zero, scales one; running statistics 0 and 1.
  void init(const Init& init, Rng rng);
  /// Nodes whose name starts with `prefix` keep their values, running statistics included, and get no
  /// gradient. Error{not_found} where no node with parameters has it. "" freezes all.
  void freeze(std::string_view prefix);
  /// The same for every node before and at the one called `name`.
  void freeze_through(std::string_view name);
  void unfreeze(std::string_view prefix);
  void set_frozen(NodeId id, bool frozen);  ///< one node
  /// Drops all nodes after it, and side outputs: a feature extractor remains. Error{not_found}.
  void cut_after(std::string_view name);
  /// Nodes beside the last one whose values are wanted too: auxiliary heads, a detector's second output. Each
  /// once, neither the input nor the last node: Error{usage}. Who does not ask for them runs the network
  /// without them.
  void set_side_outputs(std::vector<NodeId> ids);

  /// Error{not_found} where no node is called so.
  NodeId id_of(std::string_view name) const;
  const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id.index)]; }
  std::span<const Node> nodes() const { return nodes_; }
  std::span<Param> params() { return params_; }
  std::span<const Param> params() const { return params_; }
  const Param* find_param(std::string_view name) const;
  std::span<const NodeId> side_outputs() const { return side_outputs_; }
  NodeId last() const { return {static_cast<int>(nodes_.size()) - 1}; }
  Shape input_shape() const;   ///< n = 1
  Shape output_shape() const;  ///< n = 1

  /// All parameters under their names, copied.
  NamedTensors state() const;
  /// Takes the values of these. Throws Error{corrupt} that lists at once every tensor missing, left over
  /// or of the wrong shape; `where` opens the text.
  void load_state(const NamedTensors& state, std::string_view where);

 private:
  std::vector<Node> nodes_;
  std::vector<Param> params_;
  std::vector<NodeId> side_outputs_;
};

}  // namespace enxerto
