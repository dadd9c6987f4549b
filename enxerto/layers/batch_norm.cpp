#include "enxerto/layers/batch_norm.h"

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/kernels/ops.h"

namespace enxerto {

Shape BatchNorm::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, in.size() == 2 ? 2 : 1);
  if (in.size() == 2 && in[1] != in[0])
    throw Error(ErrorKind::usage, text(kind, ": the second input, which is added, is ", format_shape(in[1]),
                                       ", the first ", format_shape(in[0]), "; they have to be alike"));
  if (!(eps > 0) || !(momentum >= 0 && momentum <= 1))
    throw Error(ErrorKind::usage, text(kind, ": eps ", eps, " and momentum ", momentum,
                                       "; eps has to be above 0, momentum between 0 and 1"));
  if (!can_end_in(activation, in.size() == 2))
    throw Error(ErrorKind::usage,
                text(kind,
                     ": its own activation is none, relu, relu6 or, with one input, hard_swish; add another "
                     "as a layer"));
  return in[0];
}

std::vector<ParamSpec> BatchNorm::params(std::span<const Shape> in) const {
  const Shape channels{.n = out_shape(in).c};
  return {{"weight", channels, 1, Role::scale},
          {"bias", channels, 1, Role::shift},
          {"running_mean", channels, 1, Role::running_mean},
          {"running_var", channels, 1, Role::running_variance}};
}

std::unique_ptr<Op> BatchNorm::plan(const PlanArgs& args) const {
  const std::vector<Shape> in = shapes_of(args);
  const Shape shape = out_shape(in);
  if (args.train && shape.n * shape.h * shape.w < 2)
    throw Error(ErrorKind::usage, text(kind, ": one value per channel (", format_shape(shape),
                                       ") has no variance to train on; use a larger batch or picture"));
  return make_batch_norm({.shape = shape,
                          .eps = eps,
                          .momentum = momentum,
                          .batch_statistics = args.train,
                          .residual = in.size() == 2,
                          .activation = {.kind = activation}},
                         args);
}

}  // namespace enxerto
