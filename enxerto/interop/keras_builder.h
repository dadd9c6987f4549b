/// Turns the operations of a Keras model into nodes, one after the other.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "enxerto/graph/graph.h"
#include "enxerto/interop/keras_flatten.h"
#include "enxerto/interop/names.h"
#include "enxerto/weights/keras_file.h"

namespace enxerto::keras {

/// A layer that cannot be taken; the text says why.
struct Refusal {
  std::string why;
};

/// What an operation gives, and what is not yet done about it.
struct Value {
  NodeId node{};
  bool is_map = true;       ///< {h, w, c} in Keras, a vector otherwise
  Shape flattened{.n = 0};  ///< of a vector that was {c, h, w} and has our order of elements, not Keras's
  Padding pad{};            ///< zeros that the one convolution behind has to add
};

/// The weights of a file by name, and what is wrong about them.
class Weights {
 public:
  explicit Weights(const NamedTensors& tensors);

  /// The tensor, which must have these sizes (-1: any); null, and a line for the error, where it has not.
  const NamedTensor* take(const std::string& name, const std::vector<std::int64_t>& dims);
  /// Tensors of this layer are not wanted: the states of random generators.
  void ignore(const std::string& layer);
  /// Throws Error{corrupt} with all lines, tensors that nobody asked for included.
  void check(const std::string& file) const;

 private:
  std::map<std::string_view, const NamedTensor*> tensors_;
  std::set<std::string_view> asked_;
  std::vector<std::string> wrong_;
};

class Builder {
 public:
  Builder(const FlatModel& model, const KerasFile& keras, const std::string& file, const Shape& size);
  Graph run();

 private:
  using Inputs = const std::vector<Value>&;
  using Method = Value (Builder::*)(const Operation&, Inputs);

  // keras_builder.cpp: the frame
  void take_picture(const Shape& size);
  void step(std::size_t index);
  Value build(const Operation& operation, Inputs inputs);
  static Method method_for(const Operation& operation);
  Value add(const std::string& name, AnyLayer layer, std::vector<NodeId> inputs, bool is_map);
  /// A node of the same shape that stands for a layer whose weights do not fit, so that those behind it are
  /// looked at too. The graph is thrown away.
  Value stand_in(const std::string& name, const Value& in, const Shape& out, bool is_map);
  Shape shape(const Value& value) const { return graph_.node(value.node).out; }
  void fill(const Value& value, std::size_t param, const std::vector<float>& numbers);
  void freeze(const Value& value) { graph_.set_frozen(value.node, true); }
  Value plain(const Value& value);        ///< padding made a node
  Value keras_order(const Value& value);  ///< the elements of a vector put into Keras's order

  // keras_weighted.cpp: layers with weights
  Value conv2d(const Operation& operation, Inputs inputs);
  Value depthwise(const Operation& operation, Inputs inputs);
  Value separable(const Operation& operation, Inputs inputs);
  Value dense(const Operation& operation, Inputs inputs);
  Value batch_norm(const Operation& operation, Inputs inputs);
  Value normalization(const Operation& operation, Inputs inputs);
  Value rescaling(const Operation& operation, Inputs inputs);
  Value depthwise_part(const Operation& operation, const Value& in, const std::string& name, bool bias);
  std::vector<float> per_channel(const Value& value, const std::vector<float>& numbers) const;
  Value affine(const Value& in, std::vector<float> scale, std::vector<float> shift, const std::string& name);
  Value affine(const Value& in, double scale, double shift, const std::string& name);

  // keras_plain.cpp: layers without
  Value activation(const Value& in, const Json& what, const std::string& name);
  Value named_activation(const Value& in, const std::string& what, const std::string& name);
  Value clipped(const Value& in, double most, const std::string& name);
  Value activation_layer(const Operation& operation, Inputs inputs);
  Value relu_layer(const Operation& operation, Inputs inputs);
  Value leaky_relu_layer(const Operation& operation, Inputs inputs);
  Value softmax_layer(const Operation& operation, Inputs inputs);
  Value zero_padding(const Operation& operation, Inputs inputs);
  Value cropping(const Operation& operation, Inputs inputs);
  Value upsampling(const Operation& operation, Inputs inputs);
  Value pooling(const Operation& operation, Inputs inputs);
  Value global_pooling(const Operation& operation, Inputs inputs);
  Value flatten(const Operation& operation, Inputs inputs);
  Value reshape(const Operation& operation, Inputs inputs);
  Value identity(const Operation& operation, Inputs inputs);
  Value dropout(const Operation& operation, Inputs inputs);
  Value sum(const Operation& operation, Inputs inputs);
  Value product(const Operation& operation, Inputs inputs);
  Value difference(const Operation& operation, Inputs inputs);
  Value quotient(const Operation& operation, Inputs inputs);
  Value concatenate(const Operation& operation, Inputs inputs);
  Value function_layer(const Operation& operation, Inputs inputs);
  Value with_constant(const Operation& operation, Inputs inputs, double scale, double shift);
  Value spread(const Value& value, const Shape& shape, const std::string& name);

  const FlatModel& model_;
  const std::string& file_;
  Weights weights_;
  bool keras2_;
  NameGiver names_;
  std::size_t made_numbers_ = 0;  ///< of constants
  Graph graph_;
  std::vector<std::optional<Value>> values_;  ///< of each operation, empty where it could not be built
  std::vector<int> consumers_;
  std::vector<const Operation*> only_consumer_;
  std::vector<std::string> refused_;
};

// Options of a layer; a Refusal where they make no sense.
std::vector<int> ints_at(const Json& config, std::string_view key, std::size_t count, int least,
                         int otherwise);
Size2 size_at(const Json& config, std::string_view key, int otherwise);
double number_at(const Json& config, std::string_view key, double otherwise);
std::vector<float> numbers_at(const Json& config,
                              std::string_view key);  ///< of a list, however nested, or of one number
bool same_padding(const Json& config);
void want_channels_last(const Json& config);
void want_map(const Value& value);

}  // namespace enxerto::keras
