/// Convolution.
#pragma once

#include "enxerto/layers/layer.h"
#include "enxerto/layers/window.h"

namespace enxerto {

/// 2-D convolution (cross-correlation); groups == in.c makes it depthwise; kernel {1, k} on {c, 1, w} makes
/// it 1-D. Sizes as place_window() says. A second input, shaped like the output, is added before the
/// activation; both are for what is not trained (graph/lower.h makes them).
/// params: weight {out, in.c / groups, kernel.h, kernel.w}, bias {out}.
struct Conv2d {
  int out = 0;  ///< output channels; has to be set
  Size2 kernel = 1, stride = 1, dilation = 1;
  Padding pad = 0;
  int groups = 1;
  bool bias = true;
  Activation activation = Activation::none;
  float alpha = 0.01f;  ///< the slope of a leaky_relu
  static constexpr std::string_view kind = "conv2d";
  static constexpr auto fields =
      std::tuple{field("out", &Conv2d::out),           field("kernel", &Conv2d::kernel),
                 field("stride", &Conv2d::stride),     field("pad", &Conv2d::pad),
                 field("dilation", &Conv2d::dilation), field("groups", &Conv2d::groups),
                 field("bias", &Conv2d::bias),         field("activation", &Conv2d::activation),
                 field("alpha", &Conv2d::alpha)};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const Conv2d&, const Conv2d&) = default;
};

}  // namespace enxerto
