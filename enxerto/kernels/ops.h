/// Makes the Op for a spec: the fast one for this chip, or with args.reference its twin in double.
#pragma once

#include "enxerto/kernels/op.h"
#include "enxerto/kernels/spec.h"

namespace enxerto {

std::unique_ptr<Op> make_conv(const ConvSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_linear(const LinearSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_batch_norm(const BatchNormSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_activation(const ActivationSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_pool(const PoolSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_adaptive_pool(const AdaptivePoolSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_lrn(const LrnSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_dropout(const DropoutSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_softmax(const SoftmaxSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_add(const AddSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_multiply(const MultiplySpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_squeeze_excite(const SqueezeExciteSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_affine(const AffineSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_rearrange(const RearrangeSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_concat(const ConcatSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> make_channel_pad(const ChannelPadSpec& spec, const PlanArgs& args);
/// {n, c, h, w} to {n, c*h*w, 1, 1}: plain in, plain out, nothing moves.
std::unique_ptr<Op> make_flatten(const Shape& in, const PlanArgs& args);

}  // namespace enxerto
