/// Dropout.
#pragma once

#include "enxerto/layers/layer.h"

namespace enxerto {

/// Inverted dropout (Srivastava et al. 2014): in training x / (1 - p) or zero; else nothing.
struct Dropout {
  float p = 0.5f;
  static constexpr std::string_view kind = "dropout";
  static constexpr auto fields = std::tuple{field("p", &Dropout::p)};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const Dropout&, const Dropout&) = default;
};

}  // namespace enxerto
