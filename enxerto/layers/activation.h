/// Activations.
#pragma once

#include "enxerto/layers/layer.h"

namespace enxerto {

/// y = f(x), element by element; the formulas stand in kernels/spec.h.
struct Activate {
  Activation function = Activation::relu;
  float alpha = 0.01f;  ///< the slope of a leaky_relu
  static constexpr std::string_view kind = "activation";
  static constexpr auto fields =
      std::tuple{field("function", &Activate::function), field("alpha", &Activate::alpha)};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const Activate&, const Activate&) = default;
};

}  // namespace enxerto
