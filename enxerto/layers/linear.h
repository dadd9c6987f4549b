/// The fully connected layer.
#pragma once

#include "enxerto/layers/layer.h"

namespace enxerto {

/// y = x W^T + b on everything that one picture has, in the order c, h, w. out {out}.
/// params: weight {out, c*h*w}, bias {out}.
struct Linear {
  int out = 0;  ///< output features; has to be set
  bool bias = true;
  Activation activation = Activation::none;
  float alpha = 0.01f;
  static constexpr std::string_view kind = "linear";
  static constexpr auto fields =
      std::tuple{field("out", &Linear::out), field("bias", &Linear::bias),
                 field("activation", &Linear::activation), field("alpha", &Linear::alpha)};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const Linear&, const Linear&) = default;
};

}  // namespace enxerto
