/// The graph of an ONNX file in the making: operators, values and numbers with names that are unique. For
/// this folder only.
#pragma once

#include <onnx.pb.h>

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "enxerto/graph/graph.h"

namespace enxerto::onnx {

using Ints = std::vector<std::int64_t>;

/// A value of the file. The shape is that of one picture; rank 4 is {n, c, h, w}, rank 2 {n, c} of one pixel.
struct Written {
  std::string name;
  Shape shape;
  int rank = 4;
};

/// Numbers of the file. The bytes lie in the graph that is written, or in the Emitter.
struct Initializer {
  TensorProto head;  ///< all but the bytes
  std::span<const std::uint8_t> bytes;
};

TensorProto tensor_head(const std::string& name, const Ints& dims, TensorProto::DataType type);
NodeProto make_node(std::string_view op, const std::string& name, const std::vector<std::string>& inputs,
                    const std::string& output);
void set_int(NodeProto& node, const char* name, std::int64_t value);
void set_ints(NodeProto& node, const char* name, const Ints& values);
void set_float(NodeProto& node, const char* name, float value);

/// Throws Error{unsupported} where protobuf cannot hold so many bytes.
void check_file_size(std::uint64_t bytes);

/// Collects operators layer by layer: begin(), add() and its attributes as often as it takes, end().
class Emitter {
 public:
  /// `reserved` are names that the values of nodes have to leave alone; the graph outlives the emitter.
  Emitter(const Graph& graph, const std::vector<std::string>& reserved);

  /// From here on names open with that of this node. Its value will be called `value`, which is reserved.
  void begin(const Node& node, const std::string& value);
  /// The layer's value under its name; `made` is what the last operator made, or passes an older value on.
  Written end(Written made);
  /// The same for a value that leaves the file: what only passes on is copied.
  Written end_as_output(Written made);

  /// One more operator. It has the name of its layer and its own; the layer's alone where main() or last.
  Written add(std::string_view op, const std::vector<std::string>& inputs, const Shape& shape, int rank);
  Emitter& main();  ///< of the last operator: it has the parameters
  Emitter& with_int(const char* name, std::int64_t value);
  Emitter& with_ints(const char* name, const Ints& values);
  Emitter& with_float(const char* name, float value);

  std::string param(std::size_t index);                    ///< of the layer's parameters, in their own sizes
  std::string param(std::size_t index, const Ints& dims);  ///< in these
  std::string constant(const char* name, const Ints& dims, const std::vector<float>& values);
  std::string constant(const char* name, const Ints& values);
  std::string scalar(float value);  ///< shared by all layers

  Written as_rank(const Written& value, int rank);  ///< rank 2 of one pixel only

  std::string unique(std::string wanted);  ///< a name for a value, claimed
  std::vector<NodeProto>& nodes() { return nodes_; }
  std::vector<Initializer>& initializers() { return initializers_; }

 private:
  void initializer(TensorProto head, std::span<const std::uint8_t> bytes);

  const Graph& graph_;
  const Node* node_ = nullptr;
  std::string value_;
  std::size_t first_ = 0;  ///< operator of this layer
  bool has_main_ = false;
  std::vector<NodeProto> nodes_;
  std::vector<Initializer> initializers_;
  std::deque<std::vector<std::uint8_t>> owned_;
  std::map<float, std::string> scalars_;
  std::unordered_set<std::string> values_, node_names_;
};

}  // namespace enxerto::onnx
