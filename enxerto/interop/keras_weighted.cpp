// Layers with weights: Keras's order of sizes becomes ours.
#include <algorithm>
#include <cmath>

#include "enxerto/core/text.h"
#include "enxerto/interop/keras_builder.h"

namespace enxerto::keras {
namespace {

constexpr std::int64_t channel_limit = 1 << 20;  ///< of what a constant is spread over
constexpr std::size_t made_limit = 1 << 24;      ///< of all constants together

std::vector<float> values_of(const NamedTensor& tensor) {
  const auto data = tensor.value.data();
  return {data.begin(), data.end()};
}

/// {h, w, in, out} to {out, in, h, w}.
std::vector<float> hwio_to_oihw(const NamedTensor& kernel) {
  const auto from = kernel.value.data();
  const std::int64_t taps = kernel.dims[0] * kernel.dims[1], in = kernel.dims[2], out = kernel.dims[3];
  std::vector<float> to(from.size());
  for (std::int64_t t = 0; t < taps; ++t)
    for (std::int64_t i = 0; i < in; ++i)
      for (std::int64_t o = 0; o < out; ++o)
        to[static_cast<std::size_t>((o * in + i) * taps + t)] =
            from[static_cast<std::size_t>((t * in + i) * out + o)];
  return to;
}

/// Depthwise {h, w, in, multiplier} to {in * multiplier, 1, h, w}.
std::vector<float> hwcm_to_oihw(const NamedTensor& kernel) {
  const auto from = kernel.value.data();
  const std::int64_t taps = kernel.dims[0] * kernel.dims[1], outs = kernel.dims[2] * kernel.dims[3];
  std::vector<float> to(from.size());
  for (std::int64_t t = 0; t < taps; ++t)
    for (std::int64_t o = 0; o < outs; ++o)
      to[static_cast<std::size_t>(o * taps + t)] = from[static_cast<std::size_t>(t * outs + o)];
  return to;
}

/// Where our element i = (c, h, w) of a flattened map stands in Keras's order (h, w, c).
std::vector<std::int64_t> keras_places(const Shape& map) {
  std::vector<std::int64_t> places;
  for (std::int64_t c = 0; c < map.c; ++c)
    for (std::int64_t pixel = 0; pixel < map.h * map.w; ++pixel) places.push_back(pixel * map.c + c);
  return places;
}

Padding padding_of(const Json& config, const Value& in) {
  if (!same_padding(config)) return in.pad;
  return Padding::same_as_tensorflow();
}

}  // namespace

Value Builder::conv2d(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  want_channels_last(config);
  want_map(inputs[0]);
  const Shape in = shape(inputs[0]);
  const int filters = ints_at(config, "filters", 1, 1, 0)[0], groups = ints_at(config, "groups", 1, 1, 1)[0];
  if (in.c % groups != 0 || filters < 1) throw Refusal{"its groups or filters do not fit its input"};
  const Conv2d layer{.out = filters,
                     .kernel = size_at(config, "kernel_size", 1),
                     .stride = size_at(config, "strides", 1),
                     .dilation = size_at(config, "dilation_rate", 1),
                     .pad = padding_of(config, inputs[0]),
                     .groups = groups,
                     .bias = flag_at(config, "use_bias", true)};
  const Shape out = layer.out_shape(std::vector{in});
  const NamedTensor* kernel =
      weights_.take(operation.path + "/kernel", {layer.kernel.h, layer.kernel.w, in.c / groups, filters});
  const NamedTensor* bias = layer.bias ? weights_.take(operation.path + "/bias", {filters}) : nullptr;
  if (kernel == nullptr || (layer.bias && bias == nullptr))
    return stand_in(operation.path, inputs[0], out, true);
  const Value made = add(operation.path, layer, {inputs[0].node}, true);
  fill(made, 0, hwio_to_oihw(*kernel));
  if (layer.bias) fill(made, 1, values_of(*bias));
  return activation(made, config, operation.path);
}

Value Builder::depthwise_part(const Operation& operation, const Value& in, const std::string& name,
                              bool bias) {
  const Json& config = config_of(*operation.layer);
  want_channels_last(config);
  want_map(in);
  const Shape size = shape(in);
  const std::int64_t multiplier = ints_at(config, "depth_multiplier", 1, 1, 1)[0];
  if (size.c * multiplier > channel_limit) throw Refusal{"has too many channels"};
  const Conv2d layer{.out = static_cast<int>(size.c * multiplier),
                     .kernel = size_at(config, "kernel_size", 1),
                     .stride = size_at(config, "strides", 1),
                     .dilation = size_at(config, "dilation_rate", 1),
                     .pad = padding_of(config, in),
                     .groups = static_cast<int>(size.c),
                     .bias = bias};
  const Shape out = layer.out_shape(std::vector{size});
  const NamedTensor* kernel = weights_.take(operation.path + "/depthwise_kernel",
                                            {layer.kernel.h, layer.kernel.w, size.c, multiplier});
  const NamedTensor* shift = bias ? weights_.take(operation.path + "/bias", {layer.out}) : nullptr;
  if (kernel == nullptr || (bias && shift == nullptr)) return stand_in(name, in, out, true);
  const Value made = add(name, layer, {in.node}, true);
  fill(made, 0, hwcm_to_oihw(*kernel));
  if (bias) fill(made, 1, values_of(*shift));
  return made;
}

Value Builder::depthwise(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  const Value made = depthwise_part(operation, inputs[0], operation.path, flag_at(config, "use_bias", true));
  return activation(made, config, operation.path);
}

Value Builder::separable(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  const int filters = ints_at(config, "filters", 1, 1, 0)[0];
  const bool has_bias = flag_at(config, "use_bias", true);
  const Value middle = depthwise_part(operation, inputs[0], operation.path + "_depthwise", false);
  const Shape in = shape(middle);
  const NamedTensor* kernel = weights_.take(operation.path + "/pointwise_kernel", {1, 1, in.c, filters});
  const NamedTensor* bias = has_bias ? weights_.take(operation.path + "/bias", {filters}) : nullptr;
  const Conv2d layer{.out = filters, .bias = has_bias};
  const Shape out = layer.out_shape(std::vector{in});
  if (kernel == nullptr || (has_bias && bias == nullptr)) return stand_in(operation.path, middle, out, true);
  const Value made = add(operation.path, layer, {middle.node}, true);
  fill(made, 0, hwio_to_oihw(*kernel));
  if (has_bias) fill(made, 1, values_of(*bias));
  return activation(made, config, operation.path);
}

Value Builder::dense(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  const Value& in = inputs[0];
  const Shape size = shape(in);
  const int units = ints_at(config, "units", 1, 1, 0)[0];
  if (units < 1) throw Refusal{"has no units"};
  const bool has_bias = flag_at(config, "use_bias", true);
  const NamedTensor* kernel = weights_.take(operation.path + "/kernel", {size.c, units});
  const NamedTensor* bias = has_bias ? weights_.take(operation.path + "/bias", {units}) : nullptr;
  if (kernel == nullptr || (has_bias && bias == nullptr))
    return stand_in(operation.path, in, {.c = units, .h = size.h, .w = size.w}, in.is_map);
  // On a map it is the same for each pixel: a 1x1 convolution.
  const AnyLayer layer = in.is_map ? AnyLayer(Conv2d{.out = units, .bias = has_bias})
                                   : AnyLayer(Linear{.out = units, .bias = has_bias});
  const Value made = add(operation.path, layer, {in.node}, in.is_map);
  std::vector<std::int64_t> places(static_cast<std::size_t>(size.c));
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = static_cast<std::int64_t>(i);
  if (in.flattened.n != 0) places = keras_places(in.flattened);
  const auto from = kernel->value.data();
  std::vector<float> weight(from.size());
  for (std::size_t o = 0; o < static_cast<std::size_t>(units); ++o)
    for (std::size_t i = 0; i < places.size(); ++i)
      weight[o * places.size() + i] =
          from[static_cast<std::size_t>(places[i]) * static_cast<std::size_t>(units) + o];
  fill(made, 0, weight);
  if (has_bias) fill(made, 1, values_of(*bias));
  return activation(made, config, operation.path);
}

/// Numbers of Keras's channels, in the order of the value's own.
std::vector<float> Builder::per_channel(const Value& value, const std::vector<float>& numbers) const {
  if (value.flattened.n == 0) return numbers;
  std::vector<float> ours;
  for (const std::int64_t place : keras_places(value.flattened))
    ours.push_back(numbers[static_cast<std::size_t>(place)]);
  return ours;
}

Value Builder::batch_norm(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  const Value& in = inputs[0];
  const Shape size = shape(in);
  const int axis = ints_at(config, "axis", 1, -1, -1)[0];
  if (axis != -1 && axis != (in.is_map ? 3 : 1)) throw Refusal{text("axis ", axis, " is not the channels")};
  const std::vector<std::string> names = {"gamma", "beta", "moving_mean", "moving_variance"};
  const std::vector<std::string> stored = weight_names(*operation.layer);
  std::vector<const NamedTensor*> tensors(names.size(), nullptr);
  bool complete = true;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::ranges::find(stored, names[i]) == stored.end()) continue;
    tensors[i] = weights_.take(operation.path + "/" + names[i], {size.c});
    complete = complete && tensors[i] != nullptr;
  }
  if (!complete) return stand_in(operation.path, in, size, in.is_map);
  // Keras's momentum is the share of what was there before.
  const BatchNorm layer{.eps = static_cast<float>(number_at(config, "epsilon", 1e-3)),
                        .momentum = static_cast<float>(1.0 - number_at(config, "momentum", 0.99))};
  Value made = add(operation.path, layer, {in.node}, in.is_map);
  made.flattened = in.flattened;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (tensors[i] != nullptr) fill(made, i, per_channel(in, values_of(*tensors[i])));
  return made;
}

Value Builder::affine(const Value& in, std::vector<float> scale, std::vector<float> shift,
                      const std::string& name) {
  const auto channels = static_cast<std::size_t>(shape(in).c);
  if (channels > channel_limit) throw Refusal{"has too many channels"};
  // These come from nowhere, so the file's size is no bound on them.
  made_numbers_ += 2 * channels;
  if (made_numbers_ > made_limit) throw Refusal{"makes too many numbers out of nothing"};
  const auto spread_out = [&](std::vector<float>& numbers) {
    if (numbers.size() == 1) numbers.assign(channels, numbers[0]);
    if (numbers.size() != channels)
      throw Refusal{text("has ", numbers.size(), " numbers for ", channels, " channels")};
    numbers = per_channel(in, numbers);
  };
  spread_out(scale);
  spread_out(shift);
  Value made = add(name, Affine{}, {in.node}, in.is_map);
  made.flattened = in.flattened;
  fill(made, 0, scale);
  fill(made, 1, shift);
  freeze(made);
  return made;
}

Value Builder::affine(const Value& in, double scale, double shift, const std::string& name) {
  return affine(in, std::vector{static_cast<float>(scale)}, std::vector{static_cast<float>(shift)}, name);
}

Value Builder::rescaling(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  std::vector<float> scale = numbers_at(config, "scale"), offset = numbers_at(config, "offset");
  if (scale.empty()) throw Refusal{"has no scale"};
  if (offset.empty()) offset = {0.0f};
  return affine(inputs[0], std::move(scale), std::move(offset), operation.path);
}

Value Builder::normalization(const Operation& operation, Inputs inputs) {
  const Json& config = config_of(*operation.layer);
  const Value& in = inputs[0];
  const int last = in.is_map ? 3 : 1;
  const Json* const axis = find(config, "axis");
  const bool one_for_all = axis == nullptr || (axis->is_array() && axis->empty());
  if (!one_for_all) {
    const int given = ints_at(config, "axis", 1, -1, -1)[0];
    if (given != -1 && given != last) throw Refusal{"its axis is not the channels"};
  }
  std::vector<std::int64_t> wanted;
  if (!one_for_all) wanted.push_back(shape(in).c);
  std::vector<float> mean = numbers_at(config, "mean"), variance = numbers_at(config, "variance");
  if (mean.empty()) {
    const NamedTensor* means = weights_.take(operation.path + "/mean", wanted);
    const NamedTensor* variances = weights_.take(operation.path + "/variance", wanted);
    weights_.ignore(operation.path);  // how many were counted
    if (means == nullptr || variances == nullptr) return stand_in(operation.path, in, shape(in), in.is_map);
    mean = values_of(*means);
    variance = values_of(*variances);
  }
  if (mean.size() != variance.size()) throw Refusal{"its mean and its variance differ in size"};
  std::vector<float> scale, shift;
  constexpr double least = 1e-7;  // keras.config.epsilon()
  for (std::size_t i = 0; i < mean.size(); ++i) {
    const double deviation = std::max(std::sqrt(static_cast<double>(variance[i])), least), m = mean[i];
    const bool invert = flag_at(config, "invert", false);
    scale.push_back(static_cast<float>(invert ? deviation : 1.0 / deviation));
    shift.push_back(static_cast<float>(invert ? m : -m / deviation));
  }
  return affine(in, std::move(scale), std::move(shift), operation.path);
}

}  // namespace enxerto::keras
