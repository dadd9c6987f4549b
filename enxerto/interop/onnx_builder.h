/// A graph while it is being read: nodes may still change, and those that nobody needs are left out at the
/// end. For this folder only.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "enxerto/graph/graph.h"
#include "enxerto/interop/names.h"
#include "enxerto/interop/onnx_constant.h"
#include "enxerto/interop/onnx_view.h"

namespace enxerto::onnx {

/// Shared, because a large weight should not be held twice.
using Numbers = std::shared_ptr<const std::vector<float>>;

struct Draft {
  std::string name;
  AnyLayer layer;
  std::vector<int> inputs;
  std::vector<Numbers> params;
  Shape out;
  bool frozen = false;
  std::string output{};  ///< the value of the file that is this node's alone, where there is one
};

/// The shape in which a value is computed: a first size of 1 is the batch's; the rest becomes {c, h, w}, two
/// sizes {c, 1, w}, and of more than three those in the middle are joined to h.
Shape picture_shape(const Sizes& dims);

class Builder {
 public:
  Builder(const Shape& image, Budget& budget);

  /// Throws Error{usage} where the layer cannot take this, {corrupt} where a parameter has other sizes.
  int add(const std::string& name, AnyLayer layer, std::vector<int> inputs, std::vector<Numbers> params = {},
          bool frozen = false);
  /// Another parameter of a node, in the layer's order, where the layer has changed to have it.
  void add_param(int node, Numbers numbers);
  Draft& draft(int node) { return drafts_[static_cast<std::size_t>(node)]; }
  std::int64_t size(int node) const { return drafts_[static_cast<std::size_t>(node)].out.size(); }

  /// The node whose output has the view's elements in order as `target`: the node itself, a Flatten or a
  /// Rearrange called `name` + "/rearrange", made once.
  int arrange(int node, const Strided& view, const Shape& target, const std::string& name);

  /// A node of its own with the same values.
  int copy(int node, const std::string& name);

  /// The graph of what these nodes need, the first of them last, the others side outputs.
  Graph finish(std::span<const int> outputs);
  /// For each node whether `node` needs it, itself included.
  std::vector<bool> needed_by(std::span<const int> nodes) const;

 private:
  void emit(Graph& graph, int node, std::vector<NodeId>& made, NameGiver& names);

  struct Arrangement {
    int node;
    std::vector<Digit> digits;
    std::int64_t offset;
    Shape target;
    int made;
  };
  Budget& budget_;
  std::vector<Draft> drafts_;
  std::vector<std::vector<Arrangement>> arrangements_;  ///< of each node
};

}  // namespace enxerto::onnx
