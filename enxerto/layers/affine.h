/// One multiplication and one addition an element.
#pragma once

#include "enxerto/layers/layer.h"

namespace enxerto {

/// y = x * weight + bias, per channel (Caffe's Scale, a batch norm of fixed statistics, a preprocessing
/// inside of a network) or per element (a detector's anchors). params: weight, bias {c}, or per_element {c,
/// h, w}.
struct Affine {
  bool per_element = false;
  static constexpr std::string_view kind = "affine";
  static constexpr auto fields = std::tuple{field("per_element", &Affine::per_element)};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const Affine&, const Affine&) = default;
};

}  // namespace enxerto
