/// Small networks, one for each form in which a layer is written to ONNX, for the tests in C++ and for
/// tools/check_onnx_export.py.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "enxerto/core/text.h"
#include "enxerto/graph/graph.h"

namespace enxerto::tests {

struct OnnxCase {
  std::string name;
  Graph graph;
};

/// Parameters that leave no part of a layer idle, and outputs of moderate size.
inline void fill_for_onnx(Graph& graph, std::uint64_t seed = 1) {
  graph.init({.kind = Init::Kind::he_normal}, Rng(seed));
  std::uint64_t index = 0;
  for (Param& param : graph.params()) {
    Rng rng = Rng(seed).child(7, index++);
    for (float& value : param.value.data()) {
      const float x = rng.normal();
      if (param.spec.role == Role::scale) value = 1 + 0.2f * x;
      if (param.spec.role == Role::running_variance) value = 1 + 0.2f * std::tanh(x);
      if (param.spec.role == Role::bias || param.spec.role == Role::shift ||
          param.spec.role == Role::running_mean)
        value = 0.1f * x;
    }
  }
}

/// {n, c, h, w} numbers that go with it.
inline std::vector<float> onnx_input(const Graph& graph, std::int64_t n) {
  std::vector<float> values(static_cast<std::size_t>(n * graph.input_shape().size()));
  Rng rng(3);
  for (float& value : values) value = rng.normal();
  return values;
}

/// A network of this layer alone. More inputs than one are made from the first.
inline OnnxCase onnx_layer(std::string name, const AnyLayer& layer, const std::vector<Shape>& in) {
  OnnxCase made{std::move(name), {}};
  Graph& graph = made.graph;
  NodeId first = graph.input(in[0]);
  if (in[0].h * in[0].w == 1) first = graph.add("features", Flatten{}, {first});
  std::vector<NodeId> inputs{first};
  for (std::size_t i = 1; i < in.size(); ++i) {
    const Shape wanted = in[i];
    const std::string other = text("other", i);
    if (wanted == in[0])
      inputs.push_back(graph.add(other, Affine{}, {first}));
    else if (wanted.c == in[0].c)
      inputs.push_back(graph.add(other, GlobalAvgPool{}, {first}));
    else if (in[0].h * in[0].w == 1)
      inputs.push_back(graph.add(other, Linear{.out = static_cast<int>(wanted.c)}, {first}));
    else
      inputs.push_back(graph.add(other, Conv2d{.out = static_cast<int>(wanted.c)}, {first}));
  }
  graph.add("layer", layer, inputs);
  fill_for_onnx(graph);
  return made;
}

/// Ranks that meet: pictures, {n, c, 1, 1} and {n, c}, dropout and flattening that write nothing, side
/// outputs.
inline OnnxCase onnx_of_mixed_ranks() {
  OnnxCase made{"mixed_ranks", {}};
  Graph& g = made.graph;
  const NodeId input = g.input({.c = 8, .h = 6, .w = 5});
  const NodeId conv = g.add("conv", Conv2d{.out = 8, .kernel = 3, .pad = 1}, {input});
  const NodeId pooled = g.add("pool", GlobalAvgPool{}, {conv});
  const NodeId squeezed = g.add("squeeze", Linear{.out = 4, .activation = Activation::relu}, {pooled});
  const NodeId expanded = g.add("expand", Linear{.out = 8}, {squeezed});
  const NodeId gate = g.add("gate", Activate{.function = Activation::hard_sigmoid}, {expanded});
  const NodeId gated = g.add("gated", Multiply{}, {conv, gate});
  const NodeId side = g.add("side", Dropout{}, {gated});
  const NodeId one = g.add("one", GlobalAvgPool{}, {side});
  const NodeId back = g.add("back", Conv2d{.out = 8}, {gate});
  const NodeId both = g.add("both", Concat{}, {one, gate, back});
  const NodeId sum = g.add("sum", Add{}, {one, gate});
  const NodeId normed = g.add("norm", LocalResponseNorm{.alpha = 0.2f}, {gate});
  const NodeId all = g.add("all", Concat{}, {both, sum, normed});
  const NodeId flat = g.add("flat", Flatten{}, {all});
  const NodeId again = g.add("again", Flatten{}, {flat});
  const NodeId kept = g.add("kept", Dropout{.p = 0.25f}, {again});
  g.add("fc", Linear{.out = 5}, {kept});
  g.set_side_outputs({side, pooled});
  fill_for_onnx(g);
  return made;
}

/// Names that meet those of operators, values and parameters that the writer makes itself.
inline OnnxCase onnx_of_bad_names() {
  OnnxCase made{"bad_names", {}};
  Graph& g = made.graph;
  NodeId at = g.input({.c = 3, .h = 5, .w = 5});
  at = g.add("pixels", Conv2d{.out = 4, .activation = Activation::silu}, {at});
  at = g.add("pixels/conv", Activate{.function = Activation::silu}, {at});
  at = g.add("pixels.weight", Activate{.function = Activation::relu6}, {at});
  at = g.add("constant/6", Activate{.function = Activation::relu6}, {at});
  at = g.add("preprocess/mean", Affine{}, {at});
  at = g.add("logits", Flatten{}, {at});
  g.add("probabilities", Linear{.out = 3}, {at});
  fill_for_onnx(g);
  return made;
}

inline std::vector<OnnxCase> onnx_cases() {
  const Padding same = Padding::same_as_tensorflow();
  std::vector<OnnxCase> all;
  const auto add = [&](const char* name, const AnyLayer& layer, const std::vector<Shape>& in) {
    all.push_back(onnx_layer(name, layer, in));
  };
  const auto picture = [](std::int64_t c, std::int64_t h, std::int64_t w) {
    return Shape{.c = c, .h = h, .w = w};
  };
  const Activation relu = Activation::relu;

  add("conv", Conv2d{.out = 16, .kernel = 3, .pad = 1, .bias = false}, {picture(5, 8, 9)});
  add("conv_asymmetric", Conv2d{.out = 8, .kernel = 3, .stride = 2, .pad = {0, 1, 2, 1}}, {picture(8, 9, 8)});
  add("conv_same", Conv2d{.out = 8, .kernel = {3, 4}, .stride = 2, .pad = same}, {picture(3, 8, 9)});
  add("conv_dilated", Conv2d{.out = 8, .kernel = {3, 2}, .dilation = {1, 3}, .pad = {1, 0, 1, 3}},
      {picture(8, 7, 9)});
  add("conv_grouped", Conv2d{.out = 9, .kernel = 3, .pad = 1, .groups = 3}, {picture(6, 5, 6)});
  add("conv_depthwise", Conv2d{.out = 16, .kernel = 5, .stride = 2, .pad = 2, .groups = 16},
      {picture(16, 11, 10)});
  add("conv_1d", Conv2d{.out = 16, .kernel = {1, 5}, .stride = {1, 2}, .pad = {0, 2, 0, 2}},
      {picture(8, 1, 20)});
  add("conv_of_1_pixel", Conv2d{.out = 8}, {picture(32, 1, 1)});
  add("conv_leaky", Conv2d{.out = 8, .activation = Activation::leaky_relu, .alpha = 0.2f},
      {picture(4, 5, 5)});
  add("conv_residual_relu", Conv2d{.out = 16, .kernel = 3, .pad = 1, .activation = relu},
      {picture(8, 6, 7), picture(16, 6, 7)});
  add("linear", Linear{.out = 10}, {picture(64, 1, 1)});
  add("linear_no_bias", Linear{.out = 32, .bias = false}, {picture(48, 1, 1)});
  add("linear_on_pixels_relu", Linear{.out = 10, .activation = relu}, {picture(16, 3, 2)});
  add("batch_norm", BatchNorm{.eps = 1e-3f, .momentum = 0.01f}, {picture(5, 4, 5)});
  add("batch_norm_features", BatchNorm{}, {picture(10, 1, 1)});
  add("batch_norm_residual_relu", BatchNorm{.activation = relu}, {picture(6, 3, 3), picture(6, 3, 3)});
  add("affine", Affine{}, {picture(5, 3, 4)});
  add("affine_features", Affine{}, {picture(10, 1, 1)});
  add("affine_per_element", Affine{.per_element = true}, {picture(5, 3, 4)});
  for (int kind = 0; kind <= static_cast<int>(Activation::exp); ++kind)
    all.push_back(onnx_layer(text("activation_", kind),
                             Activate{.function = static_cast<Activation>(kind), .alpha = 0.2f},
                             {picture(5, 5, 6)}));
  add("activation_features", Activate{.function = Activation::hard_swish}, {picture(20, 1, 1)});

  add("max_pool", MaxPool2d{}, {picture(5, 8, 6)});
  add("max_pool_pad", MaxPool2d{.kernel = 3, .pad = 1}, {picture(5, 9, 8)});
  add("max_pool_unused_rows", MaxPool2d{.kernel = 2, .stride = 3, .pad = {0, 0, 1, 1}}, {picture(5, 9, 9)});
  add("max_pool_ceil", MaxPool2d{.kernel = 3, .ceil_mode = true}, {picture(5, 8, 6)});
  add("max_pool_ceil_too_small", MaxPool2d{.kernel = 3, .ceil_mode = true}, {picture(5, 2, 2)});
  add("max_pool_ceil_dropped", MaxPool2d{.kernel = 2, .pad = 1, .ceil_mode = true}, {picture(5, 5, 7)});
  add("max_pool_ceil_exact", MaxPool2d{.kernel = 1, .stride = 2, .pad = {0, 0, 1, 1}, .ceil_mode = true},
      {picture(5, 6, 5)});
  add("max_pool_same", MaxPool2d{.kernel = {3, 2}, .pad = same}, {picture(8, 8, 7)});
  add("max_pool_asymmetric", MaxPool2d{.kernel = 3, .pad = {0, 1, 1, 0}}, {picture(8, 8, 7)});
  add("max_pool_dilated", MaxPool2d{.kernel = 3, .stride = 1, .pad = 1, .dilation = 2}, {picture(5, 7, 8)});
  add("max_pool_dilated_wide_pads", MaxPool2d{.kernel = 3, .stride = 1, .pad = 3, .dilation = 3},
      {picture(5, 7, 8)});
  add("max_pool_1d", MaxPool2d{.kernel = {1, 3}, .stride = {1, 2}}, {picture(8, 1, 15)});

  add("avg_pool", AvgPool2d{}, {picture(5, 8, 6)});
  add("avg_pool_include", AvgPool2d{.kernel = 3, .pad = 1}, {picture(5, 9, 8)});
  add("avg_pool_exclude", AvgPool2d{.kernel = 3, .pad = 1, .count_include_pad = false}, {picture(5, 9, 8)});
  add("avg_pool_ceil", AvgPool2d{.kernel = 3, .ceil_mode = true}, {picture(8, 6, 8)});
  add("avg_pool_ceil_include", AvgPool2d{.kernel = 3, .pad = 1, .ceil_mode = true}, {picture(8, 5, 6)});
  add("avg_pool_ceil_include_asymmetric",
      AvgPool2d{.kernel = 4, .stride = 3, .pad = {1, 0, 1, 2}, .ceil_mode = true}, {picture(8, 7, 6)});
  add("avg_pool_ceil_exclude",
      AvgPool2d{.kernel = 3, .pad = 1, .ceil_mode = true, .count_include_pad = false}, {picture(8, 5, 6)});
  add("avg_pool_same", AvgPool2d{.kernel = 3, .pad = same, .count_include_pad = false}, {picture(5, 8, 7)});
  add("avg_pool_stride_beyond_kernel", AvgPool2d{.kernel = 2, .stride = 3, .pad = 1, .ceil_mode = true},
      {picture(5, 5, 6)});
  add("avg_pool_every_second", AvgPool2d{.kernel = 1, .stride = 2}, {picture(5, 5, 6)});
  add("avg_pool_nothing", AvgPool2d{.kernel = 1, .stride = 1}, {picture(5, 5, 6)});
  add("global_avg_pool", GlobalAvgPool{}, {picture(5, 4, 3)});
  add("global_avg_pool_of_features", GlobalAvgPool{}, {picture(5, 1, 1)});
  add("adaptive_pool_to_1", AdaptiveAvgPool2d{.out = 1}, {picture(5, 7, 5)});
  add("adaptive_pool_dividing", AdaptiveAvgPool2d{.out = {3, 2}}, {picture(5, 6, 8)});
  add("adaptive_pool_overlapping", AdaptiveAvgPool2d{.out = {3, 6}}, {picture(5, 7, 13)});
  add("adaptive_pool_uneven", AdaptiveAvgPool2d{.out = {3, 4}}, {picture(5, 8, 9)});
  add("adaptive_pool_uneven_width", AdaptiveAvgPool2d{.out = {8, 4}}, {picture(5, 8, 9)});
  add("adaptive_pool_same", AdaptiveAvgPool2d{.out = 6}, {picture(5, 6, 6)});
  add("adaptive_pool_larger", AdaptiveAvgPool2d{.out = 7}, {picture(5, 2, 3)});
  add("adaptive_pool_of_1_pixel", AdaptiveAvgPool2d{.out = {2, 3}}, {picture(6, 1, 1)});

  add("lrn", LocalResponseNorm{.alpha = 0.5f, .k = 2.0f}, {picture(20, 3, 4)});
  add("lrn_wider_than_channels", LocalResponseNorm{.size = 9, .alpha = 0.2f, .beta = 0.6f},
      {picture(3, 3, 3)});
  add("dropout", Dropout{.p = 0.3f}, {picture(5, 4, 4)});
  add("softmax", Softmax{}, {picture(10, 1, 1)});
  add("softmax_on_pixels", Softmax{}, {picture(5, 4, 3)});
  add("flatten", Flatten{}, {picture(5, 2, 3)});
  add("flatten_features", Flatten{}, {picture(32, 1, 1)});

  add("rearrange_nothing", Rearrange{.c = 6, .h = 8, .w = 5, .sizes = {240}, .strides = {1}},
      {picture(6, 8, 5)});
  add("rearrange_reshape", Rearrange{.c = 6, .h = 8, .w = 5, .sizes = {240}, .strides = {1}},
      {picture(16, 3, 5)});
  add("rearrange_transpose", Rearrange{.c = 5, .h = 16, .w = 3, .sizes = {5, 16, 3}, .strides = {1, 15, 5}},
      {picture(16, 3, 5)});
  add("rearrange_shuffle", Rearrange{.c = 6, .h = 3, .w = 4, .sizes = {3, 2, 12}, .strides = {12, 36, 1}},
      {picture(6, 3, 4)});
  add("rearrange_slice",
      Rearrange{.c = 4, .h = 2, .w = 2, .sizes = {4, 2, 2}, .strides = {24, 12, 2}, .offset = 25},
      {picture(8, 4, 6)});
  add("rearrange_channels", Rearrange{.c = 2, .h = 4, .w = 6, .sizes = {48}, .strides = {1}, .offset = 72},
      {picture(8, 4, 6)});
  add("rearrange_one_of_features",
      Rearrange{.c = 1, .h = 1, .w = 1, .sizes = {1}, .strides = {0}, .offset = 3}, {picture(8, 1, 1)});
  add("rearrange_upsample",
      Rearrange{.c = 5, .h = 6, .w = 4, .sizes = {5, 3, 2, 2, 2}, .strides = {6, 2, 0, 1, 0}},
      {picture(5, 3, 2)});
  add("rearrange_transpose_repeated",
      Rearrange{.c = 5, .h = 2, .w = 12, .sizes = {2, 5, 3, 2, 2}, .strides = {0, 1, 5, 15, 0}},
      {picture(2, 3, 5)});
  add("rearrange_anything",
      Rearrange{.c = 2, .h = 3, .w = 4, .sizes = {2, 3, 4}, .strides = {3, 2, 5}, .offset = 4},
      {picture(3, 5, 6)});
  add("rearrange_backwards", Rearrange{.c = 4, .h = 2, .w = 3, .sizes = {4, 3, 2}, .strides = {1, 0, 4}},
      {picture(8, 1, 1)});

  add("add", Add{}, {picture(5, 4, 5), picture(5, 4, 5)});
  add("add_features", Add{}, {picture(10, 1, 1), picture(10, 1, 1)});
  add("multiply", Multiply{}, {picture(5, 4, 5), picture(5, 4, 5)});
  add("multiply_spread", Multiply{}, {picture(5, 4, 5), picture(5, 1, 1)});
  add("multiply_features", Multiply{}, {picture(5, 1, 1), picture(5, 1, 1)});
  add("concat", Concat{}, {picture(5, 3, 4), picture(20, 3, 4), picture(3, 3, 4)});
  add("concat_features", Concat{}, {picture(10, 1, 1), picture(6, 1, 1)});
  add("channel_pad", ChannelPad{.before = 3, .after = 8}, {picture(5, 3, 4)});
  add("channel_pad_features", ChannelPad{.before = 0, .after = 2}, {picture(10, 1, 1)});

  all.push_back({"input", {}});
  all.back().graph.input(picture(3, 4, 5));
  all.push_back(onnx_of_mixed_ranks());
  all.push_back(onnx_of_bad_names());
  return all;
}

}  // namespace enxerto::tests
