/// Pooling.
#pragma once

#include "enxerto/layers/layer.h"
#include "enxerto/layers/window.h"

namespace enxerto {

/// The maximum of each window; padding never wins. Dilation as in PyTorch.
struct MaxPool2d {
  Size2 kernel = 2, stride = 2;
  Padding pad = 0;
  Size2 dilation = 1;
  bool ceil_mode = false;
  static constexpr std::string_view kind = "max_pool2d";
  static constexpr auto fields = std::tuple{
      field("kernel", &MaxPool2d::kernel), field("stride", &MaxPool2d::stride), field("pad", &MaxPool2d::pad),
      field("dilation", &MaxPool2d::dilation), field("ceil_mode", &MaxPool2d::ceil_mode)};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const MaxPool2d&, const MaxPool2d&) = default;
};

/// The mean of each window; what is counted, spec.h's PoolSpec says. Kernel and stride 1 with padding: zeros
/// around.
struct AvgPool2d {
  Size2 kernel = 2, stride = 2;
  Padding pad = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;
  static constexpr std::string_view kind = "avg_pool2d";
  static constexpr auto fields = std::tuple{
      field("kernel", &AvgPool2d::kernel), field("stride", &AvgPool2d::stride), field("pad", &AvgPool2d::pad),
      field("ceil_mode", &AvgPool2d::ceil_mode), field("count_include_pad", &AvgPool2d::count_include_pad)};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const AvgPool2d&, const AvgPool2d&) = default;
};

/// Means over windows that share the picture out, so that out.h x out.w remain whatever came in; PyTorch's
/// rule (spec.h's AdaptivePoolSpec).
struct AdaptiveAvgPool2d {
  Size2 out = 1;
  static constexpr std::string_view kind = "adaptive_avg_pool2d";
  static constexpr auto fields = std::tuple{field("out", &AdaptiveAvgPool2d::out)};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const AdaptiveAvgPool2d&, const AdaptiveAvgPool2d&) = default;
};

/// The mean of each channel: {c, h, w} to {c, 1, 1}.
struct GlobalAvgPool {
  static constexpr std::string_view kind = "global_avg_pool";
  static constexpr auto fields = std::tuple<>{};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const GlobalAvgPool&, const GlobalAvgPool&) = default;
};

}  // namespace enxerto
