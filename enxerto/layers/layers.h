/// Every layer that the engine knows. Loading, printing, planning and the contract tests walk this list;
/// there is no other list to keep in step.
#pragma once

#include <variant>

#include "enxerto/layers/activation.h"
#include "enxerto/layers/affine.h"
#include "enxerto/layers/batch_norm.h"
#include "enxerto/layers/combine.h"
#include "enxerto/layers/conv2d.h"
#include "enxerto/layers/dropout.h"
#include "enxerto/layers/flatten.h"
#include "enxerto/layers/input.h"
#include "enxerto/layers/linear.h"
#include "enxerto/layers/local_response_norm.h"
#include "enxerto/layers/pool.h"
#include "enxerto/layers/rearrange.h"
#include "enxerto/layers/softmax.h"

namespace enxerto {

using AnyLayer = std::variant<Input, Conv2d, Linear, BatchNorm, Affine, Activate, MaxPool2d, AvgPool2d,
                              AdaptiveAvgPool2d, GlobalAvgPool, LocalResponseNorm, Dropout, Softmax, Flatten,
                              Rearrange, Add, Multiply, Concat, ChannelPad>;

template <class... L>
constexpr bool all_layers(const std::variant<L...>*) {
  return (Layer<L> && ...);
}
static_assert(all_layers(static_cast<const AnyLayer*>(nullptr)));

/// The same questions, asked of any of them.
std::string_view kind_of(const AnyLayer& layer);
Shape out_shape(const AnyLayer& layer, std::span<const Shape> in);
std::vector<ParamSpec> param_specs(const AnyLayer& layer, std::span<const Shape> in);
std::unique_ptr<Op> plan_op(const AnyLayer& layer, const PlanArgs& args);

}  // namespace enxerto
