#include "enxerto/layers/layers.h"

namespace enxerto {

std::string_view kind_of(const AnyLayer& layer) {
  return std::visit([](const auto& l) -> std::string_view { return l.kind; }, layer);
}

Shape out_shape(const AnyLayer& layer, std::span<const Shape> in) {
  return std::visit([&](const auto& l) { return l.out_shape(in); }, layer);
}

std::vector<ParamSpec> param_specs(const AnyLayer& layer, std::span<const Shape> in) {
  return std::visit([&](const auto& l) { return l.params(in); }, layer);
}

std::unique_ptr<Op> plan_op(const AnyLayer& layer, const PlanArgs& args) {
  return std::visit([&](const auto& l) { return l.plan(args); }, layer);
}

}  // namespace enxerto
