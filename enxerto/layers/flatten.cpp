#include "enxerto/layers/flatten.h"

#include "enxerto/kernels/ops.h"

namespace enxerto {

Shape Flatten::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 1);
  return {.n = in[0].n, .c = in[0].c * in[0].h * in[0].w};
}

std::vector<ParamSpec> Flatten::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> Flatten::plan(const PlanArgs& args) const {
  const std::vector<Shape> in = shapes_of(args);
  out_shape(in);
  return make_flatten(in[0], args);
}

}  // namespace enxerto
