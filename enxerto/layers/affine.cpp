#include "enxerto/layers/affine.h"

#include "enxerto/kernels/ops.h"

namespace enxerto {

Shape Affine::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 1);
  return in[0];
}

std::vector<ParamSpec> Affine::params(std::span<const Shape> in) const {
  check_inputs(kind, in, 1);
  // Files count the sizes of one element's numbers as {c, h, w}.
  const Shape numbers = per_element ? Shape{.n = in[0].c, .c = in[0].h, .h = in[0].w} : Shape{.n = in[0].c};
  check_parameter(kind, numbers);
  const int rank = per_element ? 3 : 1;
  return {{"weight", numbers, rank, Role::scale}, {"bias", numbers, rank, Role::shift}};
}

std::unique_ptr<Op> Affine::plan(const PlanArgs& args) const {
  return make_affine({.shape = out_shape(shapes_of(args)), .per_element = per_element}, args);
}

}  // namespace enxerto
