// What every layer promises, asked of every layer. A new member of AnyLayer needs rows here and no other
// test of its kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/layers/layers.h"
#include "enxerto/testing/differences.h"
#include "enxerto/testing/layer_bounds.h"
#include "enxerto/testing/run_op.h"
#include "enxerto/testing/tolerance.h"

namespace enxerto {
namespace {

using namespace tests;

struct Row {
  std::string name;
  AnyLayer layer;
  std::vector<Shape> in;  ///< batch in n
  friend std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.name; }
};

std::vector<Row> rows() {
  const Padding same = Padding::same_as_tensorflow();
  std::vector<Row> all{
      {"input", Input{.channels = 1, .height = 28, .width = 20}, {}},

      {"conv_3x3", Conv2d{.out = 16, .kernel = 3, .pad = 1, .bias = false}, {{3, 16, 8, 9}}},
      {"conv_3x3_bias", Conv2d{.out = 32, .kernel = 3, .pad = 1}, {{1, 8, 7, 7}}},
      {"conv_3x3_wide", Conv2d{.out = 64, .kernel = 3, .pad = 1, .bias = false}, {{2, 64, 7, 7}}},
      {"conv_3x3_stride_2",
       Conv2d{.out = 32, .kernel = 3, .stride = 2, .pad = 1, .bias = false},
       {{3, 16, 9, 8}}},
      {"conv_7x7_of_3_channels",
       Conv2d{.out = 16, .kernel = 7, .stride = 2, .pad = 3, .bias = false},
       {{2, 3, 18, 17}}},
      {"conv_5x5_of_1_channel", Conv2d{.out = 6, .kernel = 5, .pad = 2}, {{3, 1, 12, 12}}},
      {"conv_5x5_to_16", Conv2d{.out = 16, .kernel = 5}, {{3, 6, 10, 10}}},
      {"conv_11x11_stride_4", Conv2d{.out = 16, .kernel = 11, .stride = 4, .pad = 2}, {{1, 3, 31, 31}}},
      {"conv_1x1", Conv2d{.out = 32, .bias = false}, {{3, 16, 5, 6}}},
      {"conv_1x1_stride_2", Conv2d{.out = 32, .stride = 2, .bias = false}, {{2, 16, 8, 7}}},
      {"conv_1x1_of_1_pixel", Conv2d{.out = 8}, {{3, 32, 1, 1}}},
      {"conv_1x1_few_channels", Conv2d{.out = 5}, {{3, 20, 6, 6}}},
      {"conv_few_channels", Conv2d{.out = 20, .kernel = 3, .pad = 1}, {{3, 5, 6, 7}}},
      {"conv_20_to_5", Conv2d{.out = 5, .kernel = 3}, {{1, 20, 6, 7}}},
      {"conv_asymmetric_pads",
       Conv2d{.out = 16, .kernel = 3, .stride = 2, .pad = {0, 1, 2, 1}},
       {{2, 8, 9, 8}}},
      {"conv_same", Conv2d{.out = 8, .kernel = 3, .stride = 2, .pad = same, .bias = false}, {{2, 3, 8, 9}}},
      {"conv_same_even_kernel", Conv2d{.out = 8, .kernel = 4, .pad = same}, {{2, 16, 6, 5}}},
      {"conv_dilated", Conv2d{.out = 16, .kernel = 3, .dilation = 2, .pad = 2}, {{2, 16, 9, 9}}},
      {"conv_dilated_one_way",
       Conv2d{.out = 8, .kernel = {3, 2}, .dilation = {1, 3}, .pad = {1, 0, 1, 3}},
       {{1, 8, 7, 9}}},
      {"conv_grouped", Conv2d{.out = 32, .kernel = 3, .pad = 1, .groups = 4, .bias = false}, {{2, 32, 6, 6}}},
      {"conv_grouped_oddly", Conv2d{.out = 9, .kernel = 3, .pad = 1, .groups = 3}, {{2, 6, 5, 6}}},
      {"conv_depthwise_3x3",
       Conv2d{.out = 16, .kernel = 3, .pad = 1, .groups = 16, .bias = false},
       {{3, 16, 8, 8}}},
      {"conv_depthwise_3x3_bias", Conv2d{.out = 32, .kernel = 3, .pad = 1, .groups = 32}, {{1, 32, 7, 9}}},
      {"conv_depthwise_3x3_stride_2",
       Conv2d{.out = 32, .kernel = 3, .stride = 2, .pad = same, .groups = 32, .bias = false},
       {{2, 32, 9, 8}}},
      {"conv_depthwise_5x5",
       Conv2d{.out = 24, .kernel = 5, .pad = 2, .groups = 24, .bias = false},
       {{3, 24, 9, 9}}},
      {"conv_depthwise_5x5_stride_2",
       Conv2d{.out = 16, .kernel = 5, .stride = 2, .pad = 2, .groups = 16},
       {{2, 16, 11, 10}}},
      {"conv_depthwise_20_channels", Conv2d{.out = 20, .kernel = 3, .pad = 1, .groups = 20}, {{2, 20, 6, 6}}},
      {"conv_depthwise_7x7", Conv2d{.out = 16, .kernel = 7, .pad = 3, .groups = 16}, {{2, 16, 9, 8}}},
      {"conv_depthwise_3x3_wide", Conv2d{.out = 16, .kernel = 3, .pad = 1, .groups = 16}, {{1, 16, 6, 45}}},
      {"conv_depthwise_5x5_wide_stride_2",
       Conv2d{.out = 16, .kernel = 5, .stride = 2, .pad = 2, .groups = 16, .bias = false},
       {{1, 16, 9, 77}}},
      {"conv_depthwise_3x3_across",
       Conv2d{.out = 24, .kernel = 3, .stride = 2, .pad = same, .groups = 24, .bias = false},
       {{2, 24, 4, 60}}},
      {"conv_depthwise_dilated",
       Conv2d{.out = 16, .kernel = 3, .dilation = 2, .pad = 2, .groups = 16},
       {{2, 16, 8, 8}}},
      {"conv_depthwise_twice_as_many", Conv2d{.out = 16, .kernel = 3, .pad = 1, .groups = 8}, {{2, 8, 6, 6}}},
      {"conv_1d",
       Conv2d{.out = 16, .kernel = {1, 5}, .stride = {1, 2}, .pad = {0, 2, 0, 2}},
       {{3, 8, 1, 20}}},
      {"conv_factored",
       Conv2d{.out = 16, .kernel = {1, 7}, .pad = {0, 3, 0, 3}, .bias = false},
       {{2, 16, 7, 8}}},
      {"conv_fused_relu",
       Conv2d{.out = 16, .kernel = 3, .pad = 1, .activation = Activation::relu},
       {{2, 16, 6, 7}}},
      {"conv_fused_relu_few_channels",
       Conv2d{.out = 20, .kernel = 3, .pad = 1, .activation = Activation::relu},
       {{2, 5, 6, 7}}},
      {"conv_fused_residual", Conv2d{.out = 16, .kernel = 3, .pad = 1}, {{2, 8, 6, 7}, {2, 16, 6, 7}}},
      {"conv_fused_residual_relu",
       Conv2d{.out = 32, .activation = Activation::relu},
       {{3, 16, 6, 7}, {3, 32, 6, 7}}},
      {"conv_fused_residual_relu_few_channels",
       Conv2d{.out = 20, .bias = false, .activation = Activation::relu},
       {{1, 5, 6, 7}, {1, 20, 6, 7}}},
      {"conv_fused_depthwise_relu6",
       Conv2d{.out = 16, .kernel = 3, .pad = 1, .groups = 16, .activation = Activation::relu6},
       {{2, 16, 6, 7}}},
      {"conv_fused_depthwise_residual",
       Conv2d{.out = 16, .kernel = 3, .pad = 1, .groups = 16},
       {{2, 16, 6, 7}, {2, 16, 6, 7}}},
      {"conv_fused_7x7_relu",
       Conv2d{.out = 16, .kernel = 7, .stride = 2, .pad = 3, .activation = Activation::relu},
       {{1, 3, 15, 15}}},

      {"linear", Linear{.out = 10}, {{3, 64}}},
      {"linear_no_bias", Linear{.out = 32, .bias = false}, {{1, 48}}},
      {"linear_on_pixels", Linear{.out = 10}, {{3, 16, 3, 2}}},
      {"linear_on_pixels_few_channels", Linear{.out = 7}, {{2, 5, 3, 3}}},
      {"linear_one_row", Linear{.out = 5}, {{1, 20, 2, 2}}},
      {"linear_wide", Linear{.out = 100}, {{8, 512}}},
      {"linear_to_one", Linear{.out = 1}, {{4, 33}}},
      {"linear_fused_relu", Linear{.out = 20, .activation = Activation::relu}, {{3, 16, 2, 2}}},

      {"batch_norm", BatchNorm{}, {{3, 16, 4, 5}}},
      {"batch_norm_of_5", BatchNorm{.eps = 1e-3f, .momentum = 0.01f}, {{2, 5, 4, 5}}},
      {"batch_norm_of_20", BatchNorm{}, {{3, 20, 3, 3}}},
      {"batch_norm_features", BatchNorm{}, {{8, 10}}},
      {"batch_norm_large", BatchNorm{}, {{4, 8, 40, 40}}},
      {"batch_norm_relu", BatchNorm{.activation = Activation::relu}, {{2, 16, 2, 3}}},
      {"batch_norm_relu6", BatchNorm{.activation = Activation::relu6}, {{2, 16, 2, 3}}},
      {"batch_norm_hard_swish", BatchNorm{.activation = Activation::hard_swish}, {{2, 16, 2, 3}}},
      {"batch_norm_hard_swish_of_5", BatchNorm{.activation = Activation::hard_swish}, {{3, 5, 3, 3}}},
      {"batch_norm_residual_relu6",
       BatchNorm{.activation = Activation::relu6},
       {{2, 20, 2, 2}, {2, 20, 2, 2}}},
      {"batch_norm_relu_of_5", BatchNorm{.activation = Activation::relu}, {{3, 5, 3, 3}}},
      {"batch_norm_residual", BatchNorm{}, {{2, 16, 3, 3}, {2, 16, 3, 3}}},
      {"batch_norm_residual_relu", BatchNorm{.activation = Activation::relu}, {{2, 16, 2, 3}, {2, 16, 2, 3}}},
      {"batch_norm_residual_relu_of_20",
       BatchNorm{.activation = Activation::relu},
       {{2, 20, 2, 2}, {2, 20, 2, 2}}},

      {"max_pool", MaxPool2d{}, {{2, 16, 8, 6}}},
      {"max_pool_overlapping", MaxPool2d{.kernel = 3, .pad = 1}, {{2, 16, 9, 8}}},
      {"max_pool_of_5", MaxPool2d{.kernel = 3, .pad = 1}, {{3, 5, 7, 7}}},
      {"max_pool_of_20", MaxPool2d{.kernel = 3}, {{1, 20, 9, 9}}},
      {"max_pool_ceil", MaxPool2d{.kernel = 3, .ceil_mode = true}, {{2, 16, 8, 6}}},
      {"max_pool_ceil_too_small", MaxPool2d{.kernel = 3, .ceil_mode = true}, {{2, 16, 2, 2}}},
      {"max_pool_same", MaxPool2d{.kernel = {3, 2}, .pad = same}, {{2, 8, 8, 7}}},
      {"max_pool_stride_1", MaxPool2d{.kernel = 3, .stride = 1, .pad = 1}, {{2, 8, 5, 6}}},
      {"max_pool_asymmetric", MaxPool2d{.kernel = 3, .pad = {0, 1, 1, 0}}, {{2, 8, 8, 7}}},
      {"max_pool_dilated", MaxPool2d{.kernel = 3, .stride = 1, .pad = 1, .dilation = 2}, {{2, 16, 7, 8}}},
      {"max_pool_1d", MaxPool2d{.kernel = {1, 3}, .stride = {1, 2}}, {{2, 8, 1, 15}}},

      {"avg_pool", AvgPool2d{}, {{2, 16, 8, 6}}},
      {"avg_pool_include", AvgPool2d{.kernel = 3, .pad = 1}, {{2, 16, 9, 8}}},
      {"zero_padding", AvgPool2d{.kernel = 1, .stride = 1, .pad = {2, 0, 1, 3}}, {{2, 16, 5, 4}}},
      {"zero_padding_of_5", AvgPool2d{.kernel = 1, .stride = 1, .pad = 1}, {{2, 5, 3, 3}}},
      {"avg_pool_exclude", AvgPool2d{.kernel = 3, .pad = 1, .count_include_pad = false}, {{2, 16, 9, 8}}},
      {"avg_pool_of_5",
       AvgPool2d{.kernel = 3, .stride = 1, .pad = 1, .count_include_pad = false},
       {{3, 5, 6, 6}}},
      {"avg_pool_ceil_include", AvgPool2d{.kernel = 3, .pad = 1, .ceil_mode = true}, {{2, 8, 5, 6}}},
      {"avg_pool_ceil_exclude",
       AvgPool2d{.kernel = 3, .pad = 1, .ceil_mode = true, .count_include_pad = false},
       {{2, 8, 5, 6}}},
      {"avg_pool_same", AvgPool2d{.kernel = 3, .pad = same, .count_include_pad = false}, {{1, 20, 8, 7}}},
      {"avg_pool_stride_beyond_kernel",
       AvgPool2d{.kernel = 2, .stride = 3, .pad = 1, .ceil_mode = true},
       {{2, 16, 5, 6}}},

      {"global_avg_pool", GlobalAvgPool{}, {{3, 32, 7, 7}}},
      {"global_avg_pool_of_5", GlobalAvgPool{}, {{2, 5, 4, 3}}},
      {"global_avg_pool_of_1_pixel", GlobalAvgPool{}, {{2, 16, 1, 1}}},

      {"adaptive_pool", AdaptiveAvgPool2d{.out = {3, 2}}, {{2, 16, 7, 5}}},
      {"adaptive_pool_of_5", AdaptiveAvgPool2d{.out = 4}, {{3, 5, 9, 8}}},
      {"adaptive_pool_same", AdaptiveAvgPool2d{.out = 6}, {{2, 20, 6, 6}}},
      {"adaptive_pool_larger", AdaptiveAvgPool2d{.out = 7}, {{2, 16, 2, 3}}},
      {"adaptive_pool_of_1_pixel", AdaptiveAvgPool2d{.out = {2, 3}}, {{2, 16, 1, 1}}},

      {"affine", Affine{}, {{2, 16, 4, 5}}},
      {"affine_of_5", Affine{}, {{3, 5, 3, 3}}},
      {"affine_features", Affine{}, {{4, 10}}},
      {"affine_per_element", Affine{.per_element = true}, {{3, 16, 4, 5}}},
      {"affine_per_element_of_5", Affine{.per_element = true}, {{2, 5, 3, 4}}},

      {"lrn", LocalResponseNorm{}, {{2, 16, 4, 5}}},
      {"lrn_strong", LocalResponseNorm{.size = 5, .alpha = 0.5f, .beta = 0.75f, .k = 2.0f}, {{2, 20, 3, 4}}},
      {"lrn_other_power",
       LocalResponseNorm{.size = 3, .alpha = 0.2f, .beta = 0.6f, .k = 1.0f},
       {{1, 5, 4, 4}}},
      {"lrn_wider_than_channels", LocalResponseNorm{.size = 9, .alpha = 0.2f}, {{2, 3, 3, 3}}},

      {"dropout", Dropout{}, {{3, 16, 5, 5}}},
      {"dropout_of_5", Dropout{.p = 0.2f}, {{2, 5, 4, 4}}},
      {"dropout_features", Dropout{.p = 0.3f}, {{4, 100}}},
      {"dropout_of_nothing", Dropout{.p = 0.0f}, {{2, 8, 3, 3}}},

      {"softmax", Softmax{}, {{4, 10}}},
      {"softmax_on_pixels", Softmax{}, {{2, 16, 3, 3}}},
      {"softmax_on_pixels_of_5", Softmax{}, {{2, 5, 4, 3}}},
      {"softmax_of_1000", Softmax{}, {{2, 1000}}},

      {"flatten", Flatten{}, {{3, 16, 3, 4}}},
      {"flatten_of_5", Flatten{}, {{2, 5, 2, 3}}},
      {"flatten_features", Flatten{}, {{2, 32}}},

      {"rearrange_reshape",
       Rearrange{.c = 6, .h = 8, .w = 5, .sizes = {240}, .strides = {1}},
       {{3, 16, 3, 5}}},
      {"rearrange_transpose",
       Rearrange{.c = 5, .h = 16, .w = 3, .sizes = {5, 16, 3}, .strides = {1, 15, 5}},
       {{2, 16, 3, 5}}},
      {"rearrange_shuffle",
       Rearrange{.c = 6, .h = 3, .w = 4, .sizes = {3, 2, 12}, .strides = {12, 36, 1}},
       {{2, 6, 3, 4}}},
      {"rearrange_slice",
       Rearrange{.c = 4, .h = 2, .w = 2, .sizes = {4, 2, 2}, .strides = {24, 12, 2}, .offset = 25},
       {{2, 8, 4, 6}}},
      {"rearrange_upsample",
       Rearrange{.c = 16, .h = 6, .w = 4, .sizes = {16, 3, 2, 2, 2}, .strides = {6, 2, 0, 1, 0}},
       {{2, 16, 3, 2}}},

      {"add", Add{}, {{2, 16, 4, 5}, {2, 16, 4, 5}}},
      {"add_of_5", Add{}, {{3, 5, 4, 5}, {3, 5, 4, 5}}},
      {"add_features", Add{}, {{3, 10}, {3, 10}}},

      {"multiply", Multiply{}, {{2, 16, 4, 5}, {2, 16, 4, 5}}},
      {"multiply_spread", Multiply{}, {{2, 16, 4, 5}, {2, 16}}},
      {"multiply_spread_over_20", Multiply{}, {{3, 20, 3, 3}, {3, 20}}},
      {"multiply_spread_over_5", Multiply{}, {{1, 5, 6, 6}, {1, 5}}},
      {"multiply_features", Multiply{}, {{2, 10}, {2, 10}}},

      {"concat", Concat{}, {{2, 16, 4, 5}, {2, 32, 4, 5}}},
      {"concat_of_three", Concat{}, {{2, 8, 3, 3}, {2, 16, 3, 3}, {2, 24, 3, 3}}},
      {"concat_oddly", Concat{}, {{3, 5, 3, 4}, {3, 20, 3, 4}, {3, 3, 3, 4}}},
      {"concat_features", Concat{}, {{3, 10}, {3, 6}}},

      {"channel_pad", ChannelPad{.before = 16, .after = 16}, {{2, 32, 4, 5}}},
      {"channel_pad_oddly", ChannelPad{.before = 3, .after = 8}, {{3, 5, 3, 4}}},
      {"channel_pad_features", ChannelPad{.before = 0, .after = 2}, {{3, 10}}},
  };
  for (int kind = 0; kind <= static_cast<int>(Activation::exp); ++kind)
    for (const std::int64_t channels : {16, 5})
      all.push_back({text("activation_", kind, "_of_", channels),
                     Activate{.function = static_cast<Activation>(kind), .alpha = 0.2f},
                     {{2, channels, 5, 6}}});
  return all;
}

/// What a plan is made for.
struct Mode {
  const char* name;
  bool train, din, dparams;
};

std::vector<Mode> modes_of(const Row& row) {
  std::vector<Mode> modes{{"inference", false, false, false}};
  const auto fused = [&](const auto& layer) {
    return layer.activation != Activation::none || row.in.size() == 2;
  };
  if (const auto* conv = std::get_if<Conv2d>(&row.layer); conv && fused(*conv)) return modes;
  if (const auto* linear = std::get_if<Linear>(&row.layer); linear && fused(*linear)) return modes;
  const bool trained = !param_specs(row.layer, row.in).empty();
  modes.push_back({"training", true, true, trained});
  modes.push_back({"frozen", false, true, false});
  modes.push_back({"training forward", true, false, false});
  if (trained) {
    modes.push_back({"first layer", true, false, true});
    modes.push_back({"frozen statistics", false, true, true});
    modes.push_back({"training through", true, true, false});
  }
  return modes;
}

PlanArgs args_of(const Row& row, const Mode& mode) {
  PlanArgs args;
  for (const Shape& shape : row.in) args.in.push_back(plain(shape));
  args.train = mode.train;
  args.wants_din.assign(row.in.size(), mode.din);
  args.wants_dparams = mode.dparams;
  return args;
}

RunChoices choices_of(const Row& row, const PlanArgs& args) {
  RunChoices choices{.wants_din = args.wants_din, .wants_dparams = {}};
  for (const ParamSpec& spec : param_specs(row.layer, row.in))
    choices.wants_dparams.push_back(args.wants_dparams && spec.trainable());
  return choices;
}

Made run_reference(const AnyLayer& layer, PlanArgs args, const Given& given, const RunChoices& choices) {
  args.reference = true;
  return run_op(*plan_op(layer, args), given, choices);
}

Floats narrowed(const reference::Block& block) { return Floats(block.begin(), block.end()); }

Floats draw_param(const ParamSpec& spec, Rng rng) {
  Floats values(static_cast<std::size_t>(spec.shape.size()));
  for (float& value : values) {
    const float x = rng.normal();
    switch (spec.role) {
      case Role::scale:
        value = std::copysign(0.5f + std::abs(x), x);
        break;
      case Role::running_variance:
        value = 0.5f + x * x;
        break;
      default:
        value = 0.5f * x;
    }
  }
  return values;
}

/// Numbers for every input and parameter, clear of kinks.
Given draw(const Row& row) {
  for (std::uint64_t attempt = 0;; ++attempt) {
    const Rng rng = Rng(attempt).child(row.layer.index());
    Given given{.in = {}, .params = {}, .dout = {}, .rng = rng.child(1)};
    for (std::size_t i = 0; i < row.in.size(); ++i)
      given.in.push_back(narrowed(std::holds_alternative<MaxPool2d>(row.layer)
                                      ? distinct_block(row.in[i].size(), rng.child(2, i), 0.02)
                                      : draw_block(row.in[i].size(), rng.child(2, i))));
    const std::vector<ParamSpec> specs = param_specs(row.layer, row.in);
    for (std::size_t i = 0; i < specs.size(); ++i)
      given.params.push_back(draw_param(specs[i], rng.child(3, i)));
    given.dout = narrowed(draw_block(out_shape(row.layer, row.in).size(), rng.child(4)));

    const auto* norm = std::get_if<BatchNorm>(&row.layer);
    if (!norm) return given;
    for (float& x : given.in[0]) x += 3;  // a mean above the deviation: E[x^2] - E[x]^2 would show
    if (norm->activation == Activation::none) return given;
    double margin = 3 * layer_step;
    if (norm->activation == Activation::relu6) {
      for (float& beta : given.params[1]) beta += 5;  // so that it has something to cut off
      margin = 12 * layer_step;                       // normalised inputs are larger where y is at a kink
    }
    std::vector<double> kinks{0, 6};
    if (norm->activation == Activation::hard_swish) {
      for (float& gamma : given.params[0]) gamma *= 2;  // so that some are beyond either kink
      kinks = {-3, 3};
      margin = 12 * layer_step;
    }
    BatchNorm before = *norm;
    before.activation = Activation::none;
    const auto clear = [&](bool train) {
      const PlanArgs args = args_of(row, {"", train, false, false});
      return std::ranges::all_of(run_reference(before, args, given, {}).out, [&](float y) {
        return std::ranges::all_of(kinks, [&](double kink) { return std::abs(y - kink) > margin; });
      });
    };
    if (clear(true) && clear(false)) return given;
  }
}

void expect_within(const Made& wanted, const Made& got, const Bounds& bounds) {
  EXPECT_TRUE(within(wanted.out, got.out, bounds.out)) << "output";
  for (std::size_t i = 0; i < wanted.params.size(); ++i)
    EXPECT_TRUE(within(wanted.params[i], got.params[i], bounds.params[i])) << "parameter " << i;
  for (std::size_t i = 0; i < wanted.din.size(); ++i)
    EXPECT_TRUE(within(wanted.din[i], got.din[i], bounds.din[i])) << "din " << i;
  for (std::size_t i = 0; i < wanted.dparams.size(); ++i)
    EXPECT_TRUE(within(wanted.dparams[i], got.dparams[i], bounds.dparams[i])) << "dparam " << i;
}

void expect_same_bits(const Made& wanted, const Made& got) {
  EXPECT_TRUE(same_bits(wanted.out, got.out)) << "output";
  for (std::size_t i = 0; i < wanted.params.size(); ++i)
    EXPECT_TRUE(same_bits(wanted.params[i], got.params[i])) << "parameter " << i;
  for (std::size_t i = 0; i < wanted.din.size(); ++i)
    EXPECT_TRUE(same_bits(wanted.din[i], got.din[i])) << "din " << i;
  for (std::size_t i = 0; i < wanted.dparams.size(); ++i)
    EXPECT_TRUE(same_bits(wanted.dparams[i], got.dparams[i])) << "dparam " << i;
}

/// What producers may offer: all plain, channels-last, blocked by 8, by 16, and the two mixed.
std::vector<std::vector<Layout>> offers_of(const Row& row) {
  std::vector<std::vector<Layout>> offers(row.in.size() > 1 ? 5 : 4);
  for (std::size_t i = 0; i < row.in.size(); ++i) {
    const Shape& shape = row.in[i];
    offers[0].push_back(plain(shape));
    offers[1].push_back(channels_last(shape));
    offers[2].push_back(make_layout(shape, 8));
    offers[3].push_back(make_layout(shape, 16));
    if (row.in.size() > 1) offers[4].push_back(i % 2 == 0 ? make_layout(shape, 16) : plain(shape));
  }
  return offers;
}

std::string describe(const Mode& mode, const std::vector<Layout>& offered) {
  std::vector<std::string> layouts;
  for (const Layout& layout : offered) layouts.push_back(format_layout(layout));
  return text(mode.name, ", offered ", join(layouts, " and "));
}

class LayerContract : public testing::TestWithParam<Row> {
 protected:
  LayerContract() { set_threads(2); }
  ~LayerContract() override { set_threads(0); }
  const Row& row() const { return GetParam(); }
  bool is_input() const { return std::holds_alternative<Input>(row().layer); }
};

TEST_P(LayerContract, FieldsHoldTheWholeValue) {
  std::visit(
      [](const auto& layer) {
        // As saving and loading do: field by field, under names, into a new one.
        std::remove_cvref_t<decltype(layer)> loaded;
        std::set<std::string> names;
        std::apply(
            [&](const auto&... field) {
              ((loaded.*field.member = layer.*field.member, names.insert(field.name)), ...);
              EXPECT_EQ(names.size(), sizeof...(field)) << "names differ";
            },
            layer.fields);
        EXPECT_EQ(loaded, layer);
      },
      row().layer);
}

TEST_P(LayerContract, AgreesWithItsReferenceInAnyLayout) {
  if (is_input()) {
    EXPECT_THROW(plan_op(row().layer, {}), std::logic_error);
    return;
  }
  const Given given = draw(row());
  for (const Mode& mode : modes_of(row())) {
    PlanArgs args = args_of(row(), mode);
    RunChoices choices = choices_of(row(), args);
    const Made wanted = run_reference(row().layer, args, given, choices);
    const Bounds bounds = layer_bounds(row().layer, {args, given, choices, wanted});
    for (const std::vector<Layout>& offered : offers_of(row())) {
      SCOPED_TRACE(describe(mode, offered));
      args.in = offered;
      const auto op = plan_op(row().layer, args);
      const OpInfo& info = op->info();
      SCOPED_TRACE(info.implementation);
      EXPECT_FALSE(info.implementation.empty());
      ASSERT_EQ(info.in.size(), row().in.size());
      for (std::size_t i = 0; i < info.in.size(); ++i) ASSERT_EQ(info.in[i].shape, row().in[i]);
      ASSERT_EQ(info.out.shape, out_shape(row().layer, row().in));
      ASSERT_EQ(info.params.size(), given.params.size());
      ASSERT_EQ(info.keeps_in.size(), row().in.size());
      for (const bool in_place : {false, true}) {
        if (in_place && info.in_place < 0 && info.din_in_place < 0) continue;
        SCOPED_TRACE(in_place ? "in place" : "not in place");
        choices.in_place = choices.din_in_place = in_place;
        const Made got = run_op(*op, given, choices);
        expect_within(wanted, got, bounds);
        SCOPED_TRACE("a second time");
        expect_same_bits(got, run_op(*op, given, choices));
      }
      if (HasFailure()) return;  // one layout's worth of it tells enough
    }
  }
}

TEST_P(LayerContract, AgreesOnOneThread) {
  if (is_input()) return;
  set_threads(1);
  const Given given = draw(row());
  for (const Mode& mode : modes_of(row())) {
    SCOPED_TRACE(mode.name);
    PlanArgs args = args_of(row(), mode);
    const RunChoices choices = choices_of(row(), args);
    const Made wanted = run_reference(row().layer, args, given, choices);
    const Bounds bounds = layer_bounds(row().layer, {args, given, choices, wanted});
    for (Layout& layout : args.in) layout = make_layout(layout.shape, preferred_block());
    expect_within(wanted, run_op(*plan_op(row().layer, args), given, choices), bounds);
  }
}

TEST_P(LayerContract, LeavesAloneGradientsThatNobodyWants) {
  if (is_input()) return;
  const Given given = draw(row());
  for (const Mode& mode : modes_of(row())) {
    const PlanArgs args = args_of(row(), mode);
    if (!args.backward()) continue;
    SCOPED_TRACE(mode.name);
    const RunChoices all = choices_of(row(), args);
    const auto op = plan_op(row().layer, args);
    const Made wanted = run_op(*op, given, all);
    // Each input's gradient alone, and the parameters' alone; the others are null.
    const auto only = [&](RunChoices some) {
      const Made got = run_op(*op, given, some);
      for (std::size_t i = 0; i < some.wants_din.size(); ++i)
        EXPECT_TRUE(same_bits(some.wants_din[i] ? wanted.din[i] : Floats{}, got.din[i])) << "din " << i;
      for (std::size_t i = 0; i < some.wants_dparams.size(); ++i)
        EXPECT_TRUE(same_bits(some.wants_dparams[i] ? wanted.dparams[i] : Floats{}, got.dparams[i]))
            << "dparam " << i;
      // The same, known when planning.
      PlanArgs fewer = args;
      fewer.wants_din = some.wants_din;
      fewer.wants_dparams = std::ranges::count(some.wants_dparams, true) > 0;
      const Made planned = run_op(*plan_op(row().layer, fewer), given, some);
      const Made reference = run_reference(row().layer, fewer, given, some);
      expect_within(reference, planned, layer_bounds(row().layer, {fewer, given, some, reference}));
    };
    for (std::size_t i = 0; i < all.wants_din.size(); ++i) {
      if (!all.wants_din[i]) continue;
      SCOPED_TRACE(text("din ", i, " alone"));
      RunChoices some{.wants_din = std::vector(all.wants_din.size(), false),
                      .wants_dparams = std::vector(all.wants_dparams.size(), false)};
      some.wants_din[i] = true;
      only(some);
    }
    if (!args.wants_dparams) continue;
    SCOPED_TRACE("dparams alone");
    only({.wants_din = std::vector(all.wants_din.size(), false), .wants_dparams = all.wants_dparams});
  }
}

TEST_P(LayerContract, GradientsAreDifferencesOfItsOwnForward) {
  if (is_input()) return;
  const Given given = draw(row());
  for (const Mode& mode : modes_of(row())) {
    const PlanArgs args = args_of(row(), mode);
    if (!args.backward()) continue;
    SCOPED_TRACE(mode.name);
    const RunChoices choices = choices_of(row(), args);
    const auto op = plan_op(row().layer, args);
    const Made made = run_op(*op, given, choices);
    const auto loss = [&](const Given& moved) {
      const Floats out = run_op(*op, moved, {}).out;
      double sum = 0;
      for (std::size_t i = 0; i < out.size(); ++i) sum += static_cast<double>(out[i]) * given.dout[i];
      return sum;
    };
    const auto check = [&](std::vector<Floats> Given::*blocks, std::size_t block, const Floats& gradient) {
      Given above = given, below = given;
      Rng rng = Rng(5).child(block);
      double wanted = 0, length = 0;
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        const float step = static_cast<float>(layer_step) * rng.uniform(-1, 1);
        (above.*blocks)[block][i] += step;
        (below.*blocks)[block][i] -= step;
        wanted += static_cast<double>(gradient[i]) * step / layer_step;
        length += static_cast<double>(gradient[i]) * gradient[i];
      }
      const double got = (loss(above) - loss(below)) / (2 * layer_step);
      EXPECT_NEAR(wanted, got, layer_relative * std::max(std::sqrt(length), std::abs(got)))
          << (blocks == &Given::in ? "din " : "dparam ") << block;
    };
    for (std::size_t i = 0; i < made.din.size(); ++i)
      if (!made.din[i].empty()) check(&Given::in, i, made.din[i]);
    for (std::size_t i = 0; i < made.dparams.size(); ++i)
      if (!made.dparams[i].empty()) check(&Given::params, i, made.dparams[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, LayerContract, testing::ValuesIn(rows()),
                         [](const auto& tested) { return tested.param.name; });

TEST(AnyLayer, EveryMemberHasARow) {
  std::set<std::size_t> covered;
  for (const Row& row : rows()) covered.insert(row.layer.index());
  for (std::size_t i = 0; i < std::variant_size_v<AnyLayer>; ++i)
    EXPECT_TRUE(covered.count(i)) << "member " << i << " of AnyLayer has no row in contract_test.cpp";
}

}  // namespace
}  // namespace enxerto
