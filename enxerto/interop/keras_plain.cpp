// Layers without weights: activations, windows, shapes.
#include <algorithm>
#include <unordered_map>

#include "enxerto/core/text.h"
#include "enxerto/interop/keras_builder.h"
#include "enxerto/weights/checks.h"

namespace enxerto::keras {

/// The activation of a layer whose config this is; `in` is what the layer gave. The new node is called after
/// it: "conv1_relu".
Value Builder::activation(const Value& in, const Json& config, const std::string& name) {
  const Json* what = find(config, "activation");
  if (what == nullptr) return in;
  if (what->is_string()) {
    const std::string function = what->get<std::string>();
    return function == "linear" ? in : named_activation(in, function, text(name, "_", function));
  }
  const std::string kind = class_of(*what);
  const Json* function = find(*what, "config");
  if (function != nullptr && function->is_string())  // {"class_name": "function", "config": "relu6"}
    return named_activation(in, function->get<std::string>(), text(name, "_", function->get<std::string>()));
  const Operation inner{.layer = what, .kind = kind, .path = text(name, "_", snake_case(kind)), .inputs = {}};
  if (kind == "ReLU") return relu_layer(inner, {in});
  if (kind == "LeakyReLU") return leaky_relu_layer(inner, {in});
  if (kind == "Softmax") return softmax_layer(inner, {in});
  if (kind == "Activation") return activation_layer(inner, {in});
  throw Refusal{text("its activation is a ", shown(kind))};
}

Value Builder::named_activation(const Value& in, const std::string& what, const std::string& name) {
  static const std::unordered_map<std::string, Activation> same = {{"relu", Activation::relu},
                                                                   {"relu6", Activation::relu6},
                                                                   {"sigmoid", Activation::sigmoid},
                                                                   {"tanh", Activation::tanh},
                                                                   {"swish", Activation::silu},
                                                                   {"silu", Activation::silu},
                                                                   {"exponential", Activation::exp},
                                                                   {"exp", Activation::exp},
                                                                   {"hard_swish", Activation::hard_swish},
                                                                   {"hard_silu", Activation::hard_swish}};
  const auto activate = [&](const Value& value, Activation function, float alpha = 0.01f) {
    Value made = add(name, Activate{.function = function, .alpha = alpha}, {value.node}, value.is_map);
    made.flattened = value.flattened;
    return made;
  };
  const auto found = same.find(what);
  if (found != same.end()) return activate(in, found->second);
  if (what == "linear") return in;
  if (what == "softmax") {
    Value made = add(name, Softmax{}, {in.node}, in.is_map);
    made.flattened = in.flattened;
    return made;
  }
  // Keras 2's is clip(0.2 x + 0.5): that of Keras 3, clip(x / 6 + 0.5), at 1.2 x.
  if (what == "hard_sigmoid")
    return activate(keras2_ ? affine(in, 1.2, 0.0, name + "_scale") : in, Activation::hard_sigmoid);
  if (what == "leaky_relu") return activate(in, Activation::leaky_relu, 0.2f);
  throw Refusal{text("there is no activation ", shown(what), " here")};
}

Value Builder::activation_layer(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  const Json* what = find(config, "activation");
  if (what != nullptr && what->is_string())
    return named_activation(inputs[0], what->get<std::string>(), operation.path);
  return activation(inputs[0], config, operation.path);
}

/// min(max(x, 0), most).
Value Builder::clipped(const Value& in, double most, const std::string& name) {
  if (!(most > 0)) throw Refusal{text("a ReLU that ends at ", most)};
  if (most == 6) return named_activation(in, "relu6", name);
  const Value scaled = named_activation(affine(in, 6.0 / most, 0, name + "_scale"), "relu6", name + "_relu6");
  return affine(scaled, most / 6.0, 0, name);
}

Value Builder::relu_layer(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  const double slope = number_at(config, "negative_slope", 0);
  if (number_at(config, "threshold", 0) != 0) throw Refusal{"has a threshold"};
  if (find(config, "max_value") != nullptr) {
    if (slope != 0) throw Refusal{"has both a maximum and a slope"};
    return clipped(inputs[0], number_at(config, "max_value", 6), operation.path);
  }
  if (slope == 0) return named_activation(inputs[0], "relu", operation.path);
  Value made =
      add(operation.path, Activate{.function = Activation::leaky_relu, .alpha = static_cast<float>(slope)},
          {inputs[0].node}, inputs[0].is_map);
  made.flattened = inputs[0].flattened;
  return made;
}

Value Builder::leaky_relu_layer(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  // Keras 3 calls it negative_slope.
  const double slope = number_at(config, "alpha", number_at(config, "negative_slope", 0.3));
  Value made =
      add(operation.path, Activate{.function = Activation::leaky_relu, .alpha = static_cast<float>(slope)},
          {inputs[0].node}, inputs[0].is_map);
  made.flattened = inputs[0].flattened;
  return made;
}

Value Builder::softmax_layer(const Operation& operation, Inputs inputs) {
  const int axis = ints_at(config_of(*operation.layer), "axis", 1, -1, -1)[0];
  if (axis != -1 && axis != (inputs[0].is_map ? 3 : 1)) throw Refusal{"its axis is not the channels"};
  return named_activation(inputs[0], "softmax", operation.path);
}

namespace {

/// [[top, bottom], [left, right]], [rows, columns], or one number.
Padding sides_at(const Json& config, std::string_view key) {
  const Json* found = find(config, key);
  if (found == nullptr) return 1;
  if (found->is_array() && found->size() == 2 && (*found)[0].is_array()) {
    const std::vector<int> rows = ints_at(Json{{"sides", (*found)[0]}}, "sides", 2, 0, 0);
    const std::vector<int> columns = ints_at(Json{{"sides", (*found)[1]}}, "sides", 2, 0, 0);
    return {rows[0], columns[0], rows[1], columns[1]};
  }
  const std::vector<int> both = ints_at(config, key, 2, 0, 0);
  return {both[0], both[1], both[0], both[1]};
}

}  // namespace

Value Builder::zero_padding(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  want_channels_last(config);
  want_map(inputs[0]);
  const Padding pad = sides_at(config, "padding");
  const auto index = static_cast<std::size_t>(&operation - model_.operations.data());
  const Operation* next = only_consumer_[index];
  const bool folds =
      next != nullptr &&
      (next->kind == "Conv2D" || next->kind == "DepthwiseConv2D" || next->kind == "SeparableConv2D") &&
      !same_padding(config_of(*next->layer));
  if (folds) return {.node = inputs[0].node, .is_map = true, .pad = pad};
  return add(operation.path, AvgPool2d{.kernel = 1, .stride = 1, .pad = pad}, {inputs[0].node}, true);
}

Value Builder::cropping(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  want_channels_last(config);
  want_map(inputs[0]);
  const Padding cut = sides_at(config, "cropping");
  const Shape in = shape(inputs[0]);
  const int c = static_cast<int>(in.c), w = static_cast<int>(in.w), plane = static_cast<int>(in.h * in.w);
  const std::int64_t rows = in.h - cut.top - cut.bottom, columns = in.w - cut.left - cut.right;
  if (rows < 1 || columns < 1) throw Refusal{"crops everything away"};
  const int h_left = static_cast<int>(rows), w_left = static_cast<int>(columns);
  return add(operation.path,
             Rearrange{.c = c,
                       .h = h_left,
                       .w = w_left,
                       .sizes = {c, h_left, w_left},
                       .strides = {plane, w, 1},
                       .offset = cut.top * w + cut.left},
             {inputs[0].node}, true);
}

Value Builder::upsampling(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  want_channels_last(config);
  want_map(inputs[0]);
  if (text_at(config, "interpolation", "nearest") != "nearest")
    throw Refusal{"does not repeat the nearest pixel"};
  const Size2 times = size_at(config, "size", 2);
  const Shape in = shape(inputs[0]);
  constexpr std::int64_t largest = 1 << 24;
  if (in.h * times.h > largest || in.w * times.w > largest) throw Refusal{"makes too large a picture"};
  const int c = static_cast<int>(in.c), h = static_cast<int>(in.h), w = static_cast<int>(in.w);
  return add(operation.path,
             Rearrange{.c = c,
                       .h = h * times.h,
                       .w = w * times.w,
                       .sizes = {c, h, times.h, w, times.w},
                       .strides = {h * w, w, 0, 1, 0}},
             {inputs[0].node}, true);
}

Value Builder::pooling(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  want_channels_last(config);
  want_map(inputs[0]);
  const Size2 kernel = size_at(config, "pool_size", 2);
  // Without strides it moves by its own size.
  const Size2 stride = find(config, "strides") == nullptr ? kernel : size_at(config, "strides", 2);
  const Padding pad = same_padding(config) ? Padding::same_as_tensorflow() : Padding();
  const AnyLayer layer =
      operation.kind == "MaxPooling2D"
          ? AnyLayer(MaxPool2d{.kernel = kernel, .stride = stride, .pad = pad})
          : AnyLayer(AvgPool2d{.kernel = kernel, .stride = stride, .pad = pad, .count_include_pad = false});
  return add(operation.path, layer, {inputs[0].node}, true);
}

Value Builder::global_pooling(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  want_channels_last(config);
  want_map(inputs[0]);
  const Shape in = shape(inputs[0]);
  const Size2 all(static_cast<int>(in.h), static_cast<int>(in.w));
  const AnyLayer layer = operation.kind == "GlobalMaxPooling2D"
                             ? AnyLayer(MaxPool2d{.kernel = all, .stride = 1})
                             : AnyLayer(GlobalAvgPool{});
  return add(operation.path, layer, {inputs[0].node}, flag_at(config, "keepdims", false));
}

Value Builder::flatten(const Operation& operation, Inputs inputs) {
  want_channels_last(config_of(*operation.layer));
  if (!inputs[0].is_map) return inputs[0];
  const Shape in = shape(inputs[0]);
  Value made = add(operation.path, Flatten{}, {inputs[0].node}, false);
  if (in.h * in.w > 1 && in.c > 1) made.flattened = in;
  return made;
}

Value Builder::reshape(const Operation& operation, Inputs inputs) {
  const Json* target = find(config_of(*operation.layer), "target_shape");
  if (target == nullptr || !target->is_array() || (target->size() != 1 && target->size() != 3))
    throw Refusal{"its target is neither a vector nor a picture {h,w,c}"};
  std::vector<int> sizes = ints_at(config_of(*operation.layer), "target_shape", target->size(), -1, -1);
  const Shape in = shape(inputs[0]);
  std::int64_t known = 1, open = 0;
  for (const int size : sizes) {
    if (size == -1) ++open;
    if (size > 0 && known <= in.size()) known *= size;
    if (size == 0) throw Refusal{"its target is empty"};
  }
  if (open > 1 || in.size() % known != 0)
    throw Refusal{"its target does not have as many numbers as its input"};
  std::ranges::replace(sizes, -1, static_cast<int>(in.size() / known));
  if (open == 0 && known != in.size()) throw Refusal{"its target does not have as many numbers as its input"};

  Value vector = inputs[0];
  if (vector.is_map) {
    vector = add(operation.path + "_flat", Flatten{}, {inputs[0].node}, false);
    if (in.h * in.w > 1 && in.c > 1) vector.flattened = in;
  }
  if (sizes.size() == 1) return vector;
  vector = keras_order(vector);
  const int h = sizes[0], w = sizes[1], c = sizes[2];
  return add(operation.path, Rearrange{.c = c, .h = h, .w = w, .sizes = {c, h, w}, .strides = {1, w * c, c}},
             {vector.node}, true);
}

Value Builder::identity(const Operation&, Inputs inputs) { return inputs[0]; }

Value Builder::dropout(const Operation& operation, Inputs inputs) {
  const double rate = number_at(config_of(*operation.layer), "rate", 0);
  if (rate < 0 || rate >= 1) throw Refusal{text("drops a share of ", rate)};
  if (rate == 0) return inputs[0];
  Value made =
      add(operation.path, Dropout{.p = static_cast<float>(rate)}, {inputs[0].node}, inputs[0].is_map);
  made.flattened = inputs[0].flattened;
  return made;
}

}  // namespace enxerto::keras
