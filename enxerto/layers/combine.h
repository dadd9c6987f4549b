/// Layers of several inputs, and what makes an input fit another.
#pragma once

#include "enxerto/layers/layer.h"

namespace enxerto {

/// The sum of two tensors of one shape.
struct Add {
  static constexpr std::string_view kind = "add";
  static constexpr auto fields = std::tuple<>{};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const Add&, const Add&) = default;
};

/// The product of a {c, h, w} and b, shaped alike or {c, 1, 1} and spread over pixels.
struct Multiply {
  static constexpr std::string_view kind = "multiply";
  static constexpr auto fields = std::tuple<>{};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const Multiply&, const Multiply&) = default;
};

/// Channels one after the other; two inputs or more of one height and width.
struct Concat {
  static constexpr std::string_view kind = "concat";
  static constexpr auto fields = std::tuple<>{};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const Concat&, const Concat&) = default;
};

/// Channels of zeros before and after: the shortcut without parameters of He et al. 2015 (option A).
struct ChannelPad {
  int before = 0, after = 0;
  static constexpr std::string_view kind = "channel_pad";
  static constexpr auto fields =
      std::tuple{field("before", &ChannelPad::before), field("after", &ChannelPad::after)};

  Shape out_shape(std::span<const Shape> in) const;
  std::vector<ParamSpec> params(std::span<const Shape> in) const;
  std::unique_ptr<Op> plan(const PlanArgs& args) const;
  friend bool operator==(const ChannelPad&, const ChannelPad&) = default;
};

}  // namespace enxerto
