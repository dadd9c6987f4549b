#include "enxerto/kernels/ops.h"

#include "enxerto/core/environment.h"
#include "enxerto/core/error.h"
#include "enxerto/kernels/cpu/cpu.h"
#include "enxerto/kernels/direct/direct.h"
#include "enxerto/kernels/onednn/onednn.h"
#include "enxerto/kernels/reference/reference.h"
#include "enxerto/kernels/winograd/winograd.h"

namespace enxerto {
namespace {

std::vector<std::int64_t> sizes(std::int64_t weights, std::int64_t bias) {
  if (bias == 0) return {weights};
  return {weights, bias};
}

}  // namespace

std::unique_ptr<Op> make_conv(const ConvSpec& spec, const PlanArgs& args) {
  const bool fused = spec.residual || spec.activation.kind != Activation::none;
  ensure(!fused || !args.backward(), "only what is not trained is fused");
  const bool bf16 = args.bf16 && onednn::has_bf16();
  const bool winograd_too = !bf16 && !environment().no_winograd;
  if (!args.reference) {
    if (winograd_too && winograd::suits(spec, args)) return winograd::conv(spec, args);
    if (!bf16 && direct::suits(spec, args)) return direct::conv(spec, args);
    return onednn::conv(spec, args);
  }
  const std::int64_t weights =
      spec.out.c * (spec.in.c / spec.groups) * spec.window.kernel_h * spec.window.kernel_w;
  return reference::as_op(reference::conv(spec), args, spec.out, sizes(weights, spec.bias ? spec.out.c : 0));
}

std::unique_ptr<Op> make_linear(const LinearSpec& spec, const PlanArgs& args) {
  ensure(spec.activation.kind == Activation::none || !args.backward(), "only what is not trained is fused");
  if (!args.reference) return onednn::linear(spec, args);
  const std::int64_t weights = spec.out.c * spec.in.c * spec.in.h * spec.in.w;
  return reference::as_op(reference::linear(spec), args, spec.out,
                          sizes(weights, spec.bias ? spec.out.c : 0));
}

std::unique_ptr<Op> make_batch_norm(const BatchNormSpec& spec, const PlanArgs& args) {
  ensure(can_end_in(spec.activation.kind, spec.residual), "batch norm has this activation");
  if (!args.reference) return cpu::batch_norm(spec, args);
  return reference::as_op(reference::batch_norm(spec), args, spec.shape, std::vector(4, spec.shape.c));
}

std::unique_ptr<Op> make_activation(const ActivationSpec& spec, const PlanArgs& args) {
  if (!args.reference) return cpu::activation(spec, args);
  return reference::as_op(reference::activation(spec), args, args.in.at(0).shape, {});
}

std::unique_ptr<Op> make_pool(const PoolSpec& spec, const PlanArgs& args) {
  if (!args.reference) return cpu::pool(spec, args);
  return reference::as_op(reference::pool(spec), args, spec.out, {});
}

std::unique_ptr<Op> make_adaptive_pool(const AdaptivePoolSpec& spec, const PlanArgs& args) {
  if (!args.reference) return cpu::adaptive_pool(spec, args);
  return reference::as_op(reference::adaptive_pool(spec), args, spec.out, {});
}

std::unique_ptr<Op> make_lrn(const LrnSpec& spec, const PlanArgs& args) {
  if (!args.reference) return cpu::lrn(spec, args);
  return reference::as_op(reference::lrn(spec), args, spec.shape, {});
}

std::unique_ptr<Op> make_dropout(const DropoutSpec& spec, const PlanArgs& args) {
  if (!args.reference) return cpu::dropout(spec, args);
  if (!args.train) return make_activation({}, args);
  return reference::as_op(reference::dropout(spec), args, spec.shape, {});
}

std::unique_ptr<Op> make_softmax(const SoftmaxSpec& spec, const PlanArgs& args) {
  if (!args.reference) return cpu::softmax(spec, args);
  return reference::as_op(reference::softmax(spec), args, spec.shape, {});
}

std::unique_ptr<Op> make_add(const AddSpec& spec, const PlanArgs& args) {
  if (!args.reference) return cpu::add(spec, args);
  return reference::as_op(reference::add(spec), args, spec.shape, {});
}

std::unique_ptr<Op> make_multiply(const MultiplySpec& spec, const PlanArgs& args) {
  if (!args.reference) return cpu::multiply(spec, args);
  return reference::as_op(reference::multiply(spec), args, spec.a, {});
}

std::unique_ptr<Op> make_squeeze_excite(const SqueezeExciteSpec& spec, const PlanArgs& args) {
  ensure(!args.backward() && !args.reference, "its twin are the layers that it stands for");
  return cpu::squeeze_excite(spec, args);
}

std::unique_ptr<Op> make_affine(const AffineSpec& spec, const PlanArgs& args) {
  if (!args.reference) return cpu::affine(spec, args);
  const std::int64_t numbers = spec.per_element ? spec.shape.size() / spec.shape.n : spec.shape.c;
  return reference::as_op(reference::affine(spec), args, spec.shape, {numbers, numbers});
}

std::unique_ptr<Op> make_rearrange(const RearrangeSpec& spec, const PlanArgs& args) {
  if (!args.reference) return cpu::rearrange(spec, args);
  return reference::as_op(reference::rearrange(spec), args, spec.out, {});
}

std::unique_ptr<Op> make_concat(const ConcatSpec& spec, const PlanArgs& args) {
  if (!args.reference) return cpu::concat(spec, args);
  return reference::as_op(reference::concat(spec), args, spec.out, {});
}

std::unique_ptr<Op> make_channel_pad(const ChannelPadSpec& spec, const PlanArgs& args) {
  if (!args.reference) return cpu::channel_pad(spec, args);
  return reference::as_op(reference::channel_pad(spec), args, spec.out, {});
}

std::unique_ptr<Op> make_flatten(const Shape& in, const PlanArgs& args) {
  if (!args.reference) return cpu::flatten(in, args);
  return reference::as_op(reference::flatten(in), args, {.n = in.n, .c = in.c * in.h * in.w}, {});
}

}  // namespace enxerto
