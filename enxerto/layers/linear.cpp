#include "enxerto/layers/linear.h"

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/kernels/ops.h"

namespace enxerto {

Shape Linear::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 1);
  if (out < 1)
    throw Error(ErrorKind::usage, text(kind, ": ", out, " output features; it has to be at least 1"));
  return {.n = in[0].n, .c = out};
}

std::vector<ParamSpec> Linear::params(std::span<const Shape> in) const {
  out_shape(in);
  const Shape weight{.n = out, .c = in[0].c * in[0].h * in[0].w};
  std::vector<ParamSpec> specs{{"weight", check_parameter(kind, weight), 2, Role::weight}};
  if (bias) specs.push_back({"bias", {.n = out}, 1, Role::bias});
  return specs;
}

std::unique_ptr<Op> Linear::plan(const PlanArgs& args) const {
  const std::vector<Shape> in = shapes_of(args);
  return make_linear({.in = in[0], .out = out_shape(in), .bias = bias, .activation = {activation, alpha}},
                     args);
}

}  // namespace enxerto
