#include "enxerto/layers/input.h"

#include "enxerto/core/error.h"

namespace enxerto {

Shape Input::out_shape(std::span<const Shape> in) const {
  check_inputs(kind, in, 0);
  return check_activation(kind, {.n = 1, .c = channels, .h = height, .w = width});
}

std::vector<ParamSpec> Input::params(std::span<const Shape>) const { return {}; }

std::unique_ptr<Op> Input::plan(const PlanArgs&) const {
  ensure(false, "the input is never planned");
  return nullptr;
}

}  // namespace enxerto
