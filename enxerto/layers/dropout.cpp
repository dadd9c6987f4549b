#include "enxerto/layers/dropout.h"

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/kernels/ops.h"

namespace enxerto {

Shape Dropout::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 1);
  if (!(p >= 0 && p < 1))
    throw Error(ErrorKind::usage, text(kind, ": p is ", p, "; it has to be at least 0 and below 1"));
  return in[0];
}

std::vector<ParamSpec> Dropout::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> Dropout::plan(const PlanArgs& args) const {
  const Shape shape = out_shape(shapes_of(args));
  if (!args.train) return make_activation({.kind = Activation::none}, args);
  return make_dropout({.shape = shape, .p = p}, args);
}

}  // namespace enxerto
