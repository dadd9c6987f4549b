/// Local response normalisation.
#pragma once

#include "enxerto/layers/layer.h"

namespace enxerto {

/// Krizhevsky et al. 2012, section 3.3, over channels; alpha is divided by size, as in Caffe and PyTorch.
struct LocalResponseNorm {
  int size = 5;
  float alpha = 1e-4f, beta = 0.75f, k = 1.0f;
  static constexpr std::string_view kind = "local_response_norm";
  static constexpr auto fields =
      std::tuple{field("size", &LocalResponseNorm::size), field("alpha", &LocalResponseNorm::alpha),
                 field("beta", &LocalResponseNorm::beta), field("k", &LocalResponseNorm::k)};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const LocalResponseNorm&, const LocalResponseNorm&) = default;
};

}  // namespace enxerto
