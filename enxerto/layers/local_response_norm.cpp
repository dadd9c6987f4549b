#include "enxerto/layers/local_response_norm.h"

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/kernels/ops.h"

namespace enxerto {

Shape LocalResponseNorm::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 1);
  if (size < 1 || size % 2 == 0)
    throw Error(ErrorKind::usage, text(kind, ": size ", size, "; it has to be odd, so that it has a middle"));
  if (!(alpha >= 0) || !(beta >= 0) || !(k > 0))
    throw Error(ErrorKind::usage, text(kind, ": alpha ", alpha, ", beta ", beta, ", k ", k,
                                       "; alpha and beta cannot be negative, k has to be above 0"));
  return in[0];
}

std::vector<ParamSpec> LocalResponseNorm::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> LocalResponseNorm::plan(const PlanArgs& args) const {
  const Shape shape = out_shape(shapes_of(args));
  return make_lrn({.shape = shape, .size = size, .alpha = alpha, .beta = beta, .k = k}, args);
}

}  // namespace enxerto
