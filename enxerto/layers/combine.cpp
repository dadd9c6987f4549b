#include "enxerto/layers/combine.h"

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/kernels/ops.h"

namespace enxerto {

Shape Add::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 2);
  if (in[0] != in[1])
    throw Error(ErrorKind::usage, text(kind, ": inputs ", format_shape(in[0]), " and ", format_shape(in[1]),
                                       " have to be alike"));
  return in[0];
}

std::vector<ParamSpec> Add::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> Add::plan(const PlanArgs& args) const {
  return make_add({.shape = out_shape(shapes_of(args))}, args);
}

Shape Multiply::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 2);
  const Shape one_per_channel{.n = in[0].n, .c = in[0].c};
  if (in[1] != in[0] && in[1] != one_per_channel)
    throw Error(ErrorKind::usage,
                text(kind, ": the second input is ", format_shape(in[1]), "; beside ", format_shape(in[0]),
                     " it has to be the same or ", format_shape(one_per_channel)));
  return in[0];
}

std::vector<ParamSpec> Multiply::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> Multiply::plan(const PlanArgs& args) const {
  const std::vector<Shape> in = shapes_of(args);
  out_shape(in);
  return make_multiply({.a = in[0], .b = in[1]}, args);
}

Shape Concat::out_shape(std::span<const Shape> in) const {
  if (in.size() < 2) throw Error(ErrorKind::usage, text(kind, ": takes two inputs or more, got ", in.size()));
  check_inputs(kind, in, in.size());
  Shape made = in[0];
  for (const Shape& next : in.subspan(1)) {
    if (next.n != made.n || next.h != made.h || next.w != made.w)
      throw Error(ErrorKind::usage, text(kind, ": inputs ", format_shape(in[0]), " and ", format_shape(next),
                                         " have to be of one height and width"));
    made.c += next.c;
  }
  return check_activation(kind, made);
}

std::vector<ParamSpec> Concat::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> Concat::plan(const PlanArgs& args) const {
  const std::vector<Shape> in = shapes_of(args);
  return make_concat({.in = in, .out = out_shape(in)}, args);
}

Shape ChannelPad::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 1);
  if (before < 0 || after < 0)
    throw Error(ErrorKind::usage,
                text(kind, ": ", before, " channels before and ", after, " after cannot be"));
  Shape made = in[0];
  made.c += std::int64_t{before} + after;
  return check_activation(kind, made);
}

std::vector<ParamSpec> ChannelPad::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> ChannelPad::plan(const PlanArgs& args) const {
  const std::vector<Shape> in = shapes_of(args);
  return make_channel_pad({.in = in[0], .out = out_shape(in), .before = before}, args);
}

}  // namespace enxerto
