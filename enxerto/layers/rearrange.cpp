#include "enxerto/layers/rearrange.h"

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/kernels/ops.h"

namespace enxerto {

Shape Rearrange::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 1);
  const Shape out = check_activation(kind, {.n = in[0].n, .c = c, .h = h, .w = w});
  const std::int64_t made = out.c * out.h * out.w, given = in[0].c * in[0].h * in[0].w;
  const auto fail = [&](const std::string& wrong) { throw Error(ErrorKind::usage, text(kind, ": ", wrong)); };
  if (sizes.empty() || sizes.size() != strides.size())
    fail(text(sizes.size(), " sizes and ", strides.size(), " strides; there have to be as many of both"));
  // The elements are fewer than 2^31 at each step, so nothing overflows.
  std::int64_t count = 1, last = offset;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 1 || strides[i] < 0) fail("sizes have to be above 0, strides at least 0");
    if ((count *= sizes[i]) > made) break;
    last += std::int64_t{sizes[i] - 1} * strides[i];
  }
  if (count != made) fail(text("the sizes' product is not the output's ", made, " elements"));
  if (offset < 0 || last >= given) fail(text("it reads element ", last, " of ", given));
  return out;
}

std::vector<ParamSpec> Rearrange::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> Rearrange::plan(const PlanArgs& args) const {
  const std::vector<Shape> in = shapes_of(args);
  return make_rearrange({.in = in[0],
                         .out = out_shape(in),
                         .sizes = {sizes.begin(), sizes.end()},
                         .strides = {strides.begin(), strides.end()},
                         .offset = offset},
                        args);
}

}  // namespace enxerto
