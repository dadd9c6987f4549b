/// Softmax.
#pragma once

#include "enxerto/layers/layer.h"

namespace enxerto {

/// exp(x) / sum of exp(x) over channels. Losses take logits: a classifier's graph ends before it.
struct Softmax {
  static constexpr std::string_view kind = "softmax";
  static constexpr auto fields = std::tuple<>{};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const Softmax&, const Softmax&) = default;
};

}  // namespace enxerto
