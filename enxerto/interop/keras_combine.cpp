// Layers of several inputs, and functions that Keras keeps as layers.
#include <algorithm>
#include <unordered_map>

#include "enxerto/core/text.h"
#include "enxerto/interop/keras_builder.h"
#include "enxerto/interop/keras_calls.h"
#include "enxerto/weights/checks.h"

namespace enxerto::keras {
namespace {

/// The one number among the operands, where there are one number and one tensor.
std::optional<double> constant_of(const Operation& operation) {
  std::optional<double> found;
  for (const Operand& input : operation.inputs) {
    if (input.operation >= 0) continue;
    if (found) throw Refusal{"has more than one number"};
    found = input.constant;
  }
  return found;
}

}  // namespace

Value Builder::with_constant(const Operation& operation, Inputs inputs, double scale, double shift) {
  if (inputs.size() != 1) throw Refusal{"has a number and more than one input"};
  if (scale == 1 && shift == 0) return inputs[0];
  return affine(inputs[0], scale, shift, operation.path);
}

/// One number per channel as a whole map.
Value Builder::spread(const Value& value, const Shape& wanted, const std::string& name) {
  const Shape in = shape(value);
  if (in == wanted) return value;
  if (!value.is_map || in != Shape{.c = wanted.c})
    throw Refusal{text("its inputs have the shapes ", format_shape(wanted), " and ", format_shape(in))};
  const int c = static_cast<int>(wanted.c), h = static_cast<int>(wanted.h), w = static_cast<int>(wanted.w);
  return add(name + "_spread", Rearrange{.c = c, .h = h, .w = w, .sizes = {c, h, w}, .strides = {1, 0, 0}},
             {value.node}, true);
}

namespace {

/// The largest of the inputs, after which the others are spread.
std::size_t largest(const std::vector<Shape>& shapes) {
  const auto found =
      std::ranges::max_element(shapes, [](const Shape& a, const Shape& b) { return a.h * a.w < b.h * b.w; });
  return static_cast<std::size_t>(found - shapes.begin());
}

void want_alike(const std::vector<Value>& inputs) {
  if (inputs.size() < 2) throw Refusal{"has one input"};
  for (const Value& input : inputs)
    if (input.is_map != inputs[0].is_map) throw Refusal{"joins a picture and a vector"};
}

bool same_order(const std::vector<Value>& inputs) {
  return std::ranges::all_of(inputs,
                             [&](const Value& input) { return input.flattened == inputs[0].flattened; });
}

}  // namespace

Value Builder::sum(const Operation& operation, Inputs inputs) {
  if (const std::optional<double> constant = constant_of(operation))
    return with_constant(operation, inputs, 1, *constant);
  want_alike(inputs);
  std::vector<Value> terms = inputs;
  if (!same_order(inputs))
    for (Value& term : terms) term = keras_order(term);
  std::vector<Shape> shapes;
  for (const Value& term : terms) shapes.push_back(shape(term));
  const Shape wanted = shapes[largest(shapes)];
  for (Value& term : terms) term = spread(term, wanted, operation.path);
  Value made = terms[0];
  for (std::size_t i = 1; i < terms.size(); ++i) {
    // The last one has the layer's name.
    const std::string name = i + 1 == terms.size() ? operation.path : text(operation.path, "_", i);
    const Shape flattened = made.flattened;
    made = add(name, enxerto::Add{}, {made.node, terms[i].node}, made.is_map);
    made.flattened = flattened;
  }
  return made;
}

Value Builder::product(const Operation& operation, Inputs inputs) {
  if (const std::optional<double> constant = constant_of(operation))
    return with_constant(operation, inputs, *constant, 0);
  want_alike(inputs);
  std::vector<Value> factors = inputs;
  if (!same_order(inputs))
    for (Value& factor : factors) factor = keras_order(factor);
  std::vector<Shape> shapes;
  for (const Value& factor : factors) shapes.push_back(shape(factor));
  std::swap(factors[0], factors[largest(shapes)]);
  Value made = factors[0];
  for (std::size_t i = 1; i < factors.size(); ++i) {
    const std::string name = i + 1 == factors.size() ? operation.path : text(operation.path, "_", i);
    const Shape flattened = made.flattened;
    made = add(name, enxerto::Multiply{}, {made.node, factors[i].node}, made.is_map);
    made.flattened = flattened;
  }
  return made;
}

Value Builder::difference(const Operation& operation, Inputs inputs) {
  const std::optional<double> constant = constant_of(operation);
  if (!constant) throw Refusal{"subtracts one layer from another"};
  const bool from_number = operation.inputs[0].operation < 0;
  return from_number ? with_constant(operation, inputs, -1, *constant)
                     : with_constant(operation, inputs, 1, -*constant);
}

Value Builder::quotient(const Operation& operation, Inputs inputs) {
  const std::optional<double> constant = constant_of(operation);
  if (!constant || operation.inputs[0].operation < 0 || *constant == 0) throw Refusal{"divides by a layer"};
  return with_constant(operation, inputs, 1 / *constant, 0);
}

Value Builder::concatenate(const Operation& operation, Inputs inputs) {
  const int axis = ints_at(config_of(*operation.layer), "axis", 1, -1, -1)[0];
  if (axis != -1 && axis != (inputs[0].is_map ? 3 : 1)) throw Refusal{"its axis is not the channels"};
  if (inputs.size() == 1) return inputs[0];
  want_alike(inputs);
  std::vector<NodeId> nodes;
  for (const Value& input : inputs) nodes.push_back(keras_order(input).node);
  return add(operation.path, Concat{}, std::move(nodes), inputs[0].is_map);
}

/// Functions of one tensor that are activations: "tf:nn.relu6", "op:Relu6".
Value Builder::function_layer(const Operation& operation, Inputs inputs) {
  const std::size_t end = operation.kind.find_last_of(":.");
  std::string function = snake_case(operation.kind.substr(end + 1));
  if (inputs.size() != 1 || constant_of(operation)) throw Refusal{"has other inputs than one layer"};
  if (function == "softmax" || function == "leaky_relu")
    throw Refusal{"its options are not read; use a layer"};
  if (const std::string option = unusual_option(*operation.layer); !option.empty())
    throw Refusal{text("its option ", shown(option), " is not read; use a layer")};
  return named_activation(inputs[0], function, operation.path);
}

}  // namespace enxerto::keras
