#include "enxerto/layers/conv2d.h"

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/kernels/ops.h"

namespace enxerto {
namespace {

PlacedWindow placed(const Conv2d& layer, const Shape& in) {
  return place_window(Conv2d::kind, in, layer.kernel, layer.stride, layer.pad, layer.dilation, false);
}

}  // namespace

Shape Conv2d::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, in.size() == 2 ? 2 : 1);
  if (out < 1)
    throw Error(ErrorKind::usage, text(kind, ": ", out, " output channels; it has to be at least 1"));
  if (groups < 1 || in[0].c % groups != 0 || out % groups != 0)
    throw Error(ErrorKind::usage, text(kind, ": ", groups, " groups do not divide ", in[0].c,
                                       " input channels and ", out, " output channels"));
  const PlacedWindow window = placed(*this, in[0]);
  const Shape made = check_activation(kind, {.n = in[0].n, .c = out, .h = window.out_h, .w = window.out_w});
  if (in.size() == 2 && in[1] != made)
    throw Error(ErrorKind::usage, text(kind, ": the second input, which is added, is ", format_shape(in[1]),
                                       ", the output ", format_shape(made), "; they have to be alike"));
  return made;
}

std::vector<ParamSpec> Conv2d::params(std::span<const Shape> in) const {
  out_shape(in);
  const Shape weight{.n = out, .c = in[0].c / groups, .h = kernel.h, .w = kernel.w};
  std::vector<ParamSpec> specs{{"weight", check_parameter(kind, weight), 4, Role::weight}};
  if (bias) specs.push_back({"bias", {.n = out}, 1, Role::bias});
  return specs;
}

std::unique_ptr<Op> Conv2d::plan(const PlanArgs& args) const {
  const std::vector<Shape> in = shapes_of(args);
  return make_conv({.in = in[0],
                    .out = out_shape(in),
                    .window = placed(*this, in[0]).window,
                    .groups = groups,
                    .bias = bias,
                    .residual = in.size() == 2,
                    .activation = {activation, alpha}},
                   args);
}

}  // namespace enxerto
