/// Where pictures enter.
#pragma once

#include "enxerto/layers/layer.h"

namespace enxerto {

/// The picture itself; always the first node, planned as nothing.
struct Input {
  int channels = 3, height = 0, width = 0;
  static constexpr std::string_view kind = "input";
  static constexpr auto fields = std::tuple{field("channels", &Input::channels),
                                            field("height", &Input::height), field("width", &Input::width)};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const Input&, const Input&) = default;
};

}  // namespace enxerto
