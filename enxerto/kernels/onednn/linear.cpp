#include "enxerto/kernels/onednn/onednn.h"
#include "enxerto/kernels/onednn/weighted_op.h"

namespace enxerto::onednn {

using dnnl::inner_product_backward_data;
using dnnl::inner_product_backward_weights;
using dnnl::inner_product_forward;
using Tag = dnnl::memory::format_tag;

std::unique_ptr<Op> linear(const LinearSpec& spec, const PlanArgs& args) {
  using LinearOp =
      WeightedOp<inner_product_forward, inner_product_backward_data, inner_product_backward_weights>;
  const std::int64_t features = spec.in.c * spec.in.h * spec.in.w;
  const Desc x = tagged({spec.in.n, features}, Tag::nc), y = tagged({spec.in.n, spec.out.c}, Tag::nc);
  const Dims weights{spec.out.c, features};
  const Desc bias = spec.bias ? tagged({spec.out.c}, Tag::x) : Desc();

  dnnl::primitive_attr attr = user_scratchpad();
  dnnl::post_ops ops;
  append_activation(ops, spec.activation);
  attr.set_post_ops(ops);
  const auto forward = make_pd<inner_product_forward>(
      attr, args.backward() ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference, x,
      any(weights), bias, y);

  LinearOp::Parts parts{.in = spec.in,
                        .out = spec.out,
                        .forward = forward,
                        .data = std::nullopt,
                        .weights = std::nullopt,
                        .plain_weights = tagged(weights, Tag::oi),
                        .kept_weights = forward.weights_desc(),
                        .in_layout = plain(spec.in),
                        .out_layout = plain(spec.out),
                        .in_desc = x,
                        .out_desc = y,
                        .bias = spec.bias,
                        .residual = false,
                        .multiply_adds = spec.out.size() * features};
  if (args.wants(0))
    parts.data =
        make_backward_pd<inner_product_backward_data>(user_scratchpad(), forward, x, any(weights), y);
  if (args.wants_dparams)
    parts.weights = make_backward_pd<inner_product_backward_weights>(user_scratchpad(), forward, x,
                                                                     any(weights), bias, y);
  return std::make_unique<LinearOp>(parts);
}

}  // namespace enxerto::onednn
