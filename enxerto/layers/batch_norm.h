/// Batch normalisation.
#pragma once

#include "enxerto/layers/layer.h"

namespace enxerto {

/// Ioffe & Szegedy 2015, per channel, as spec.h's BatchNormSpec says. A second input is added before the
/// activation (none, relu, relu6 or, with one input, hard_swish; graph/lower.h makes both). Frozen, it uses
/// and keeps its running statistics. params: weight (gamma) {c}, bias (beta) {c}, running_mean {c},
/// running_var {c}.
struct BatchNorm {
  float eps = 1e-5f;
  float momentum = 0.1f;  ///< the share of the new batch, as in PyTorch (Keras counts the other way)
  Activation activation = Activation::none;
  static constexpr std::string_view kind = "batch_norm";
  static constexpr auto fields =
      std::tuple{field("eps", &BatchNorm::eps), field("momentum", &BatchNorm::momentum),
                 field("activation", &BatchNorm::activation)};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const BatchNorm&, const BatchNorm&) = default;
};

}  // namespace enxerto
