#include "enxerto/layers/pool.h"

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/kernels/ops.h"

namespace enxerto {
namespace {

/// Throws Error{usage} where some window of this axis has no pixel of the picture.
void check_pixels(std::string_view kind, std::int64_t in, std::int64_t out, std::int64_t kernel,
                  std::int64_t stride, std::int64_t dilation, std::int64_t pad) {
  const auto has_pixel = [&](std::int64_t start) {
    // The first tap at or after pixel 0.
    const std::int64_t tap = start >= 0 ? 0 : (-start + dilation - 1) / dilation;
    return tap < kernel && start + tap * dilation < in;
  };
  for (std::int64_t o = 0; o < out; ++o)
    if (!has_pixel(o * stride - pad))
      throw Error(ErrorKind::usage, text(kind, ": kernel ", kernel, ", stride ", stride, ", dilation ",
                                         dilation, ", padding ", pad, " on ", in, " pixels: window ", o,
                                         " lies wholly in the padding; use less padding"));
}

PlacedWindow placed(std::string_view kind, const Shape& in, Size2 kernel, Size2 stride, const Padding& pad,
                    Size2 dilation, bool ceil_mode, bool padding_counts) {
  const PlacedWindow made = place_window(kind, in, kernel, stride, pad, dilation, ceil_mode);
  const Window& window = made.window;
  check_activation(kind, {.n = in.n, .c = in.c, .h = made.out_h, .w = made.out_w});
  if (padding_counts) return made;  // a mean of zeros is zero: padding on its own is a 1x1 mean
  check_pixels(kind, in.h, made.out_h, window.kernel_h, window.stride_h, window.dilation_h, window.pad_top);
  check_pixels(kind, in.w, made.out_w, window.kernel_w, window.stride_w, window.dilation_w, window.pad_left);
  return made;
}

PlacedWindow placed(const MaxPool2d& layer, const Shape& in) {
  return placed(layer.kind, in, layer.kernel, layer.stride, layer.pad, layer.dilation, layer.ceil_mode,
                false);
}

PlacedWindow placed(const AvgPool2d& layer, const Shape& in) {
  return placed(layer.kind, in, layer.kernel, layer.stride, layer.pad, 1, layer.ceil_mode,
                layer.count_include_pad && !layer.ceil_mode);
}

Shape pooled(const Shape& in, const PlacedWindow& window) {
  return {.n = in.n, .c = in.c, .h = window.out_h, .w = window.out_w};
}

}  // namespace

Shape MaxPool2d::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 1);
  return pooled(in[0], placed(*this, in[0]));
}

std::vector<ParamSpec> MaxPool2d::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> MaxPool2d::plan(const PlanArgs& args) const {
  const std::vector<Shape> in = shapes_of(args);
  return make_pool(
      {.in = in[0], .out = out_shape(in), .window = placed(*this, in[0]).window, .maximum = true}, args);
}

Shape AvgPool2d::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 1);
  return pooled(in[0], placed(*this, in[0]));
}

std::vector<ParamSpec> AvgPool2d::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> AvgPool2d::plan(const PlanArgs& args) const {
  const std::vector<Shape> in = shapes_of(args);
  return make_pool({.in = in[0],
                    .out = out_shape(in),
                    .window = placed(*this, in[0]).window,
                    .maximum = false,
                    .count_include_pad = count_include_pad},
                   args);
}

Shape AdaptiveAvgPool2d::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 1);
  if (out.h < 1 || out.w < 1)
    throw Error(ErrorKind::usage, text(kind, ": an output of ", out.h, "x", out.w, " pixels cannot be"));
  return check_activation(kind, {.n = in[0].n, .c = in[0].c, .h = out.h, .w = out.w});
}

std::vector<ParamSpec> AdaptiveAvgPool2d::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> AdaptiveAvgPool2d::plan(const PlanArgs& args) const {
  const std::vector<Shape> in = shapes_of(args);
  return make_adaptive_pool({.in = in[0], .out = out_shape(in)}, args);
}

Shape GlobalAvgPool::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 1);
  return {.n = in[0].n, .c = in[0].c};
}

std::vector<ParamSpec> GlobalAvgPool::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> GlobalAvgPool::plan(const PlanArgs& args) const {
  const std::vector<Shape> in = shapes_of(args);
  return make_adaptive_pool({.in = in[0], .out = out_shape(in)}, args);
}

}  // namespace enxerto
