/// Elements moved, none computed.
#pragma once

#include "enxerto/layers/layer.h"

namespace enxerto {

/// Element i of the output, i written with one digit for each of `sizes` (the last changes fastest; their
/// product is c * h * w), is element offset + sum of digit * stride of the input; both are counted in the
/// order c, h, w of one picture. So it is a reshape (sizes {all}, strides {1}), a transpose, a slice with
/// steps, ShuffleNet's channel shuffle (Zhang et al. 2017), and with a stride of 0 nearest-neighbour
/// upsampling.
struct Rearrange {
  int c = 1, h = 1, w = 1;  ///< the output
  std::vector<int> sizes, strides;
  int offset = 0;
  static constexpr std::string_view kind = "rearrange";
  static constexpr auto fields = std::tuple{field("c", &Rearrange::c),
                                            field("h", &Rearrange::h),
                                            field("w", &Rearrange::w),
                                            field("sizes", &Rearrange::sizes),
                                            field("strides", &Rearrange::strides),
                                            field("offset", &Rearrange::offset)};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const Rearrange&, const Rearrange&) = default;
};

}  // namespace enxerto
