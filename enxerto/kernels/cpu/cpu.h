/// Our own fast kernels: what is bound by memory rather than arithmetic, in any Layout.
#pragma once

#include <memory>

#include "enxerto/kernels/op.h"
#include "enxerto/kernels/spec.h"

namespace enxerto::cpu {

std::unique_ptr<Op> batch_norm(const BatchNormSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> activation(const ActivationSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> pool(const PoolSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> adaptive_pool(const AdaptivePoolSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> lrn(const LrnSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> dropout(const DropoutSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> softmax(const SoftmaxSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> add(const AddSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> multiply(const MultiplySpec& spec, const PlanArgs& args);
std::unique_ptr<Op> squeeze_excite(const SqueezeExciteSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> affine(const AffineSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> rearrange(const RearrangeSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> concat(const ConcatSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> channel_pad(const ChannelPadSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> flatten(const Shape& in, const PlanArgs& args);

}  // namespace enxerto::cpu
