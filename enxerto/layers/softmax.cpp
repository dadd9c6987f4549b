#include "enxerto/layers/softmax.h"

#include "enxerto/kernels/ops.h"

namespace enxerto {

Shape Softmax::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 1);
  return in[0];
}

std::vector<ParamSpec> Softmax::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> Softmax::plan(const PlanArgs& args) const {
  return make_softmax({.shape = out_shape(shapes_of(args))}, args);
}

}  // namespace enxerto
