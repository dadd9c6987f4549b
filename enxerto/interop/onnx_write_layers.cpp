#include "enxerto/interop/onnx_write_layers.h"

#include <algorithm>
#include <limits>

#include "enxerto/core/error.h"

namespace enxerto::onnx {
namespace {

using Inputs = std::span<const Written>;

Written activated(Emitter& emit, const Written& x, Activation function, float alpha) {
  const auto plain = [&](const char* op) { return emit.add(op, {x.name}, x.shape, x.rank); };
  Written made = x;
  switch (function) {
    case Activation::none:
      return x;
    case Activation::relu:
      return plain("Relu");
    case Activation::relu6: {
      const std::string low = emit.scalar(0), high = emit.scalar(6);
      return emit.add("Clip", {x.name, low, high}, x.shape, x.rank);
    }
    case Activation::leaky_relu:
      made = plain("LeakyRelu");
      emit.with_float("alpha", alpha);
      return made;
    case Activation::sigmoid:
      return plain("Sigmoid");
    case Activation::tanh:
      return plain("Tanh");
    case Activation::hard_sigmoid:
      made = plain("HardSigmoid");
      emit.with_float("alpha", 1.0f / 6).with_float("beta", 0.5f);
      return made;
    case Activation::hard_swish:
      return plain("HardSwish");
    case Activation::silu:
      return emit.add("Mul", {x.name, plain("Sigmoid").name}, x.shape, x.rank);
    case Activation::exp:
      return plain("Exp");
  }
  ensure(false, "every activation can be written");
  return x;
}

/// Adds the second input where there is one, then the activation: what is fused into a layer.
Written fused(Emitter& emit, Written made, Inputs in, Activation function, float alpha) {
  if (in.size() == 2)
    made = emit.add("Add", {made.name, emit.as_rank(in[1], made.rank).name}, made.shape, made.rank);
  return activated(emit, made, function, alpha);
}

// ---- Windows.

/// Bottom and right as far as windows reach, which in PyTorch's ceil mode is beyond the padding that was
/// asked for. Written like this, rounding down is right, and no runtime's own idea of ceil_mode counts.
struct Reach {
  std::int64_t bottom = 0, right = 0;
};

Reach reach_of(const Window& window, const Shape& in, const Shape& out) {
  const auto after = [](std::int64_t size, std::int64_t before, std::int64_t count, std::int64_t stride,
                        std::int64_t kernel, std::int64_t dilation) {
    return std::max<std::int64_t>((count - 1) * stride + dilation * (kernel - 1) + 1 - size - before, 0);
  };
  return {after(in.h, window.pad_top, out.h, window.stride_h, window.kernel_h, window.dilation_h),
          after(in.w, window.pad_left, out.w, window.stride_w, window.kernel_w, window.dilation_w)};
}

/// onnxruntime wants padding smaller than the window, dilation not counted.
bool pads_beyond_kernel(const Window& window) {
  return std::max(window.pad_top, window.pad_bottom) >= window.kernel_h ||
         std::max(window.pad_left, window.pad_right) >= window.kernel_w;
}

void with_window(Emitter& emit, const Window& window, bool dilated) {
  if (dilated) emit.with_ints("dilations", {window.dilation_h, window.dilation_w});
  emit.with_ints("kernel_shape", {window.kernel_h, window.kernel_w})
      .with_ints("pads", {window.pad_top, window.pad_left, window.pad_bottom, window.pad_right})
      .with_ints("strides", {window.stride_h, window.stride_w});
}

/// The padding as an operator of its own; the window has none afterwards.
Written padded(Emitter& emit, const Written& x, Window& window, const std::vector<float>& value) {
  std::vector<std::string> inputs{x.name, emit.constant("pads", {0, 0, window.pad_top, window.pad_left, 0, 0,
                                                                 window.pad_bottom, window.pad_right})};
  if (!value.empty()) inputs.push_back(emit.constant("value", Ints{}, value));
  Shape shape = x.shape;
  shape.h += window.pad_top + window.pad_bottom;
  shape.w += window.pad_left + window.pad_right;
  window.pad_top = window.pad_left = window.pad_bottom = window.pad_right = 0;
  return emit.add("Pad", inputs, shape, 4);
}

Written write(Emitter& emit, const MaxPool2d& layer, Inputs in, const Shape& out) {
  Written x = emit.as_rank(in[0], 4);
  Window window = place_window(layer.kind, x.shape, layer.kernel, layer.stride, layer.pad, layer.dilation,
                               layer.ceil_mode)
                      .window;
  const Reach reach = reach_of(window, x.shape, out);
  window.pad_bottom = reach.bottom;
  window.pad_right = reach.right;
  if (pads_beyond_kernel(window)) x = padded(emit, x, window, {std::numeric_limits<float>::lowest()});
  const Written made = emit.add("MaxPool", {x.name}, out, 4);
  with_window(emit, window, layer.dilation != Size2(1));
  return made;
}

Written write(Emitter& emit, const AvgPool2d& layer, Inputs in, const Shape& out) {
  Written x = emit.as_rank(in[0], 4);
  Window window =
      place_window(layer.kind, x.shape, layer.kernel, layer.stride, layer.pad, 1, layer.ceil_mode).window;
  Reach reach = reach_of(window, x.shape, out);
  bool counts_pads = layer.count_include_pad;
  if (counts_pads) {
    // What was asked for counts, what ceil mode added does not: the first is then an operator of its own.
    window.pad_bottom = std::min(window.pad_bottom, reach.bottom);
    window.pad_right = std::min(window.pad_right, reach.right);
    reach = {reach.bottom - window.pad_bottom, reach.right - window.pad_right};
    if (reach.bottom > 0 || reach.right > 0 || pads_beyond_kernel(window)) {
      const Window asked = window;
      if (asked.pad_top + asked.pad_left + asked.pad_bottom + asked.pad_right > 0)
        x = padded(emit, x, window, {});
      window.pad_bottom = reach.bottom;
      window.pad_right = reach.right;
      counts_pads = false;
    }
  } else {
    window.pad_bottom = reach.bottom;
    window.pad_right = reach.right;
  }
  if (window == Window{}) return x;
  const Written made = emit.add("AveragePool", {x.name}, out, 4);
  emit.with_int("count_include_pad", counts_pads ? 1 : 0);
  with_window(emit, window, false);
  return made;
}

Written write(Emitter& emit, const GlobalAvgPool&, Inputs in, const Shape& out) {
  if (in[0].rank == 2) return in[0];
  return emit.add("GlobalAveragePool", {in[0].name}, out, 4);
}

Written write(Emitter& emit, const AdaptiveAvgPool2d& layer, Inputs in, const Shape&) {
  return write_adaptive_pool(emit, layer, in[0]);
}

// ---- Weights.

Written write(Emitter& emit, const Conv2d& layer, Inputs in, const Shape& out) {
  const Written x = emit.as_rank(in[0], 4);
  const Window window =
      place_window(layer.kind, x.shape, layer.kernel, layer.stride, layer.pad, layer.dilation, false).window;
  std::vector<std::string> inputs{x.name, emit.param(0)};
  if (layer.bias) inputs.push_back(emit.param(1));
  const Written made = emit.add("Conv", inputs, out, 4);
  emit.main();
  with_window(emit, window, true);
  emit.with_int("group", layer.groups);
  return fused(emit, made, in, layer.activation, layer.alpha);
}

/// Flattened where the input has pixels; in ONNX a pixel's rows stay.
Written features(Emitter& emit, const Written& x) {
  if (x.rank == 2) return x;
  const Written made = emit.add("Flatten", {x.name}, {.c = x.shape.c * x.shape.h * x.shape.w}, 2);
  emit.with_int("axis", 1);
  return made;
}

Written write(Emitter& emit, const Linear& layer, Inputs in, const Shape& out) {
  std::vector<std::string> inputs{features(emit, in[0]).name, emit.param(0)};
  if (layer.bias) inputs.push_back(emit.param(1));
  const Written made = emit.add("Gemm", inputs, out, 2);
  emit.main().with_int("transB", 1);
  return activated(emit, made, layer.activation, layer.alpha);
}

Written write(Emitter& emit, const BatchNorm& layer, Inputs in, const Shape& out) {
  std::vector<std::string> inputs{in[0].name};
  for (std::size_t i = 0; i < 4; ++i) inputs.push_back(emit.param(i));
  const Written made = emit.add("BatchNormalization", inputs, out, in[0].rank);
  emit.main().with_float("epsilon", layer.eps).with_float("momentum", 1 - layer.momentum);
  return fused(emit, made, in, layer.activation, 0);
}

Written write(Emitter& emit, const Affine& layer, Inputs in, const Shape& out) {
  Ints dims{out.c};
  if (in[0].rank == 4) dims = layer.per_element ? Ints{out.c, out.h, out.w} : Ints{out.c, 1, 1};
  const std::string weight = emit.param(0, dims), bias = emit.param(1, dims);
  const Written scaled = emit.add("Mul", {in[0].name, weight}, out, in[0].rank);
  emit.main();
  return emit.add("Add", {scaled.name, bias}, out, in[0].rank);
}

// ---- The rest.

Written write(Emitter&, const Input&, Inputs, const Shape&) {
  ensure(false, "the input is written by who knows its name");
  return {};
}

Written write(Emitter& emit, const Activate& layer, Inputs in, const Shape&) {
  return activated(emit, in[0], layer.function, layer.alpha);
}

Written write(Emitter& emit, const LocalResponseNorm& layer, Inputs in, const Shape& out) {
  const Written x = emit.as_rank(in[0], 4);
  const Written made = emit.add("LRN", {x.name}, out, 4);
  emit.with_float("alpha", layer.alpha).with_float("beta", layer.beta).with_float("bias", layer.k);
  emit.with_int("size", layer.size);
  return made;
}

/// Runtimes drop it; who goes on training finds it.
Written write(Emitter& emit, const Dropout& layer, Inputs in, const Shape& out) {
  const std::string ratio = emit.scalar(layer.p);
  return emit.add("Dropout", {in[0].name, ratio}, out, in[0].rank);
}

Written write(Emitter& emit, const Softmax&, Inputs in, const Shape& out) {
  const Written made = emit.add("Softmax", {in[0].name}, out, in[0].rank);
  emit.with_int("axis", 1);
  return made;
}

Written write(Emitter& emit, const Flatten&, Inputs in, const Shape&) { return features(emit, in[0]); }

Written write(Emitter& emit, const Rearrange& layer, Inputs in, const Shape&) {
  return write_rearrange(emit, layer, in[0]);
}

/// All inputs of one rank: 2 where every one has it.
std::vector<Written> alike(Emitter& emit, Inputs in) {
  const bool flat = std::ranges::all_of(in, [](const Written& value) { return value.rank == 2; });
  std::vector<Written> made;
  for (const Written& value : in) made.push_back(emit.as_rank(value, flat ? 2 : 4));
  return made;
}

Written write(Emitter& emit, const Add&, Inputs in, const Shape& out) {
  const std::vector<Written> terms = alike(emit, in);
  return emit.add("Add", {terms[0].name, terms[1].name}, out, terms[0].rank);
}

Written write(Emitter& emit, const Multiply&, Inputs in, const Shape& out) {
  const std::vector<Written> factors = alike(emit, in);
  return emit.add("Mul", {factors[0].name, factors[1].name}, out, factors[0].rank);
}

Written write(Emitter& emit, const Concat&, Inputs in, const Shape& out) {
  const std::vector<Written> parts = alike(emit, in);
  std::vector<std::string> names;
  for (const Written& part : parts) names.push_back(part.name);
  const Written made = emit.add("Concat", names, out, parts[0].rank);
  emit.with_int("axis", 1);
  return made;
}

Written write(Emitter& emit, const ChannelPad& layer, Inputs in, const Shape& out) {
  const Written x = emit.as_rank(in[0], 4);
  const std::string amounts = emit.constant("pads", {0, layer.before, 0, 0, 0, layer.after, 0, 0});
  return emit.add("Pad", {x.name, amounts}, out, 4);
}

}  // namespace

Written write_layer(Emitter& emit, const Node& node, Inputs in) {
  return std::visit([&](const auto& layer) { return write(emit, layer, in, node.out); }, node.layer);
}

}  // namespace enxerto::onnx
