#include "enxerto/layers/activation.h"

#include "enxerto/kernels/ops.h"

namespace enxerto {

Shape Activate::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 1);
  return in[0];
}

std::vector<ParamSpec> Activate::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> Activate::plan(const PlanArgs& args) const {
  out_shape(shapes_of(args));
  return make_activation({function, alpha}, args);
}

}  // namespace enxerto
