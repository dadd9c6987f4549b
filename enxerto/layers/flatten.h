/// Flatten.
#pragma once

#include "enxerto/layers/layer.h"

namespace enxerto {

/// {c, h, w} to {c*h*w} in that order, PyTorch's.
struct Flatten {
  static constexpr std::string_view kind = "flatten";
  static constexpr auto fields = std::tuple<>{};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const Flatten&, const Flatten&) = default;
};

}  // namespace enxerto
