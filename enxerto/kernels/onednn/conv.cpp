#include <algorithm>
#include <utility>

#include "enxerto/core/text.h"
#include "enxerto/kernels/cpu/depthwise.h"
#include "enxerto/kernels/cpu/loops.h"
#include "enxerto/kernels/onednn/onednn.h"
#include "enxerto/kernels/onednn/product_gradients.h"
#include "enxerto/kernels/onednn/weighted_op.h"

namespace enxerto::onednn {
namespace {

using dnnl::algorithm;
using dnnl::convolution_backward_data;
using dnnl::convolution_backward_weights;
using dnnl::convolution_forward;
using Tag = dnnl::memory::format_tag;
using ConvOp = WeightedOp<convolution_forward, convolution_backward_data, convolution_backward_weights>;

bool is_slow(const std::string& implementation) {
  return implementation.find("ref") != std::string::npos || implementation.find("gemm") != std::string::npos;
}

/// The descriptors of one convolution; layouts are left to oneDNN unless given.
class Planner {
 public:
  explicit Planner(const ConvSpec& spec, bool bf16 = false)
      : spec_(spec),
        bf16_(bf16),
        x_{spec.in.n, spec.in.c, spec.in.h, spec.in.w},
        y_{spec.out.n, spec.out.c, spec.out.h, spec.out.w},
        strides_{spec.window.stride_h, spec.window.stride_w},
        // oneDNN counts dilation from 0, we count from 1.
        dilations_{spec.window.dilation_h - 1, spec.window.dilation_w - 1},
        before_{spec.window.pad_top, spec.window.pad_left},
        after_{spec.window.pad_bottom, spec.window.pad_right} {
    // oneDNN derives the output's size from the padding: pixels that no window reaches are cut off.
    const auto reached = [](std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t dilation,
                            std::int64_t in, std::int64_t before) {
      return (out - 1) * stride + dilation * (kernel - 1) + 1 - in - before;
    };
    const Window& w = spec.window;
    after_[0] =
        std::min(after_[0], reached(spec.out.h, w.kernel_h, w.stride_h, w.dilation_h, spec.in.h, w.pad_top));
    after_[1] =
        std::min(after_[1], reached(spec.out.w, w.kernel_w, w.stride_w, w.dilation_w, spec.in.w, w.pad_left));
    const std::int64_t g = spec.groups, kh = w.kernel_h, kw = w.kernel_w;
    if (g == 1) {
      w_ = {spec.out.c, spec.in.c, kh, kw};
      plain_weights = tagged(w_, Tag::oihw);
    } else {
      w_ = {g, spec.out.c / g, spec.in.c / g, kh, kw};
      plain_weights = tagged(w_, Tag::goihw);
    }
  }

  convolution_forward::primitive_desc forward(const Desc& x, const Desc& w, const Desc& y, bool train) const {
    dnnl::primitive_attr attr = user_scratchpad();
    dnnl::post_ops ops;
    if (spec_.residual) ops.append_sum(1.0f);
    append_activation(ops, spec_.activation);
    attr.set_post_ops(ops);
    return make_pd<convolution_forward>(
        attr, train ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference,
        algorithm::convolution_direct, x, w, bias(), y, strides_, dilations_, before_, after_);
  }
  convolution_backward_data::primitive_desc data(const convolution_forward::primitive_desc& hint,
                                                 const Desc& dx, const Desc& dy) const {
    return make_backward_pd<convolution_backward_data>(user_scratchpad(), hint, algorithm::convolution_direct,
                                                       dx, any_w(), dy, strides_, dilations_, before_,
                                                       after_);
  }
  convolution_backward_weights::primitive_desc weights(const convolution_forward::primitive_desc& hint,
                                                       const Desc& x, const Desc& dy) const {
    return make_backward_pd<convolution_backward_weights>(user_scratchpad(), hint,
                                                          algorithm::convolution_direct, x, any(w_), bias(),
                                                          dy, strides_, dilations_, before_, after_);
  }
  /// How many weights lie side by side where the gradients can be ours: one channel a group, maps in one
  /// order, and weights in blocks; 0: they cannot.
  std::int64_t depthwise_lanes(const Desc& w, const Layout& in, const Layout& out) const {
    if (spec_.groups != spec_.in.c || spec_.groups != spec_.out.c) return 0;
    // One pixel is spelled plain, whatever its block: the same memory.
    if (out != in_format(make_layout(spec_.out, in.block), in.bf16)) return 0;
    // The bf16 copy of the weights is made in each step, in whatever order oneDNN wants.
    if (in.bf16) return in.block == 16 || in.block == spec_.in.c ? 16 : 0;
    if (in.block == 16 && w == lane_weights(16)) return 16;
    if (in.block == 8 && w == lane_weights(8)) return 8;
    return 0;
  }
  /// In float, blocks of 8 or 16 channels.
  Desc lane_weights(std::int64_t lanes) const {
    return tagged(w_, lanes == 16 ? Tag::Goihw16g : Tag::Goihw8g);
  }
  Desc any_x() const { return any(x_, bf16_); }
  Desc any_w() const { return any(w_, bf16_); }
  Desc any_y() const { return any(y_, bf16_); }

  Desc plain_weights;

 private:
  Desc bias() const { return spec_.bias ? tagged({spec_.out.c}, Tag::x) : Desc(); }
  const ConvSpec& spec_;
  bool bf16_;
  Dims x_, y_, w_, strides_, dilations_, before_, after_;
};

/// Depthwise: forward is oneDNN's, the gradients are ours.
class DepthwiseOp final : public ConvOp {
 public:
  DepthwiseOp(const Parts& parts, const ConvSpec& spec, const PlanArgs& args, std::int64_t lanes)
      : ConvOp(parts),
        has_data_(cpu::DepthwiseGradients::has_data(spec.window)),
        bias_(spec.bias),
        gradients_(spec, parts.in_layout, {spec.out, parts.in_layout.block, parts.in_layout.bf16}, lanes) {
    const std::string name = text(" / depthwise:", cpu::loops().name, parts.in_layout.bf16 ? " bf16" : "");
    if (args.wants(0) && !parts.data) info_.implementation += name;
    info_.backward_scratch = std::max(info_.backward_scratch, gradients_.scratch());
    if (!args.wants_dparams) return;
    info_.keeps_in[0] = true;
    info_.implementation += name;
  }
  void backward(const Backward& run) override {
    if (run.dparams[0])
      gradients_.weights(run.in[0], run.dout, run.dparams[0], bias_ ? run.dparams[1] : nullptr, run.scratch);
    if (!run.din[0]) return;
    if (has_data_) return gradients_.data(run.dout, run.params[0], run.din[0], run.scratch);
    Backward data = run;
    float* const unwanted[2] = {};
    data.dparams = {unwanted, run.dparams.size()};
    ConvOp::backward(data);
  }

 private:
  bool has_data_, bias_;
  cpu::DepthwiseGradients gradients_;
};

/// In bfloat16, channels last: forward is oneDNN's convolution, the gradients are products.
class ProductOp final : public ConvOp {
 public:
  ProductOp(const Parts& parts, const ProductGradients& gradients) : ConvOp(parts), gradients_(gradients) {
    info_.keeps_in[0] = true;
    info_.backward_scratch = std::max(info_.backward_scratch, gradients_.scratch());
    info_.implementation += gradients_.makes_dx() ? " / products" : " / product";
  }
  void backward(const Backward& run) override {
    if (run.dparams[0]) gradients_.weights(run.in[0], run.dout, run.dparams[0], run.scratch);
    if (!run.din[0]) return;
    if (gradients_.makes_dx()) return gradients_.data(run.dout, run.params[0], run.din[0], run.scratch);
    Backward data = run;
    float* const unwanted[1] = {};
    data.dparams = unwanted;
    ConvOp::backward(data);
  }

 private:
  ProductGradients gradients_;
};

/// The descriptor made with the layouts that are there already, unless only slow loops take those.
template <class Make, class Desired>
auto settle(Make make, const Desired& wanted, const Desired& anything) {
  try {
    auto made = make(wanted.first, wanted.second);
    if (!is_slow(made.impl_info_str())) return made;
  } catch (const dnnl::error&) {
    // No implementation takes these layouts; the next call asks for any.
  }
  return make(anything.first, anything.second);
}

bool is_channels_last(const Layout& layout) {
  return layout == in_format(channels_last(layout.shape), layout.bf16);
}

/// The Op around a forward descriptor, whose layouts the backward ones take where they can.
std::unique_ptr<Op> finish(const Planner& planner, const ConvSpec& spec, const PlanArgs& args,
                           const convolution_forward::primitive_desc& forward, const Layout& in,
                           const Layout& out) {
  ConvOp::Parts parts{.in = spec.in,
                      .out = spec.out,
                      .forward = forward,
                      .data = std::nullopt,
                      .weights = std::nullopt,
                      .plain_weights = planner.plain_weights,
                      .kept_weights = forward.weights_desc(),
                      .in_layout = in,
                      .out_layout = out,
                      .in_desc = forward.src_desc(),
                      .out_desc = forward.dst_desc(),
                      .bias = spec.bias,
                      .residual = spec.residual,
                      .multiply_adds = spec.out.size() * (spec.in.c / spec.groups) * spec.window.kernel_h *
                                       spec.window.kernel_w};
  const std::pair wanted{parts.in_desc, parts.out_desc}, anything{planner.any_x(), planner.any_y()};
  const std::int64_t lanes = args.backward() ? planner.depthwise_lanes(forward.weights_desc(), in, out) : 0;
  if (lanes > 0) parts.kept_weights = planner.lane_weights(lanes);
  std::optional<ProductGradients> products;
  if (args.wants_dparams && in.bf16 && is_channels_last(in) && is_channels_last(out) && suits_product(spec)) {
    products.emplace(spec, args.wants(0));
    parts.kept_weights = products->weights_desc();
  }
  if (args.wants(0) && !(products && products->makes_dx()) &&
      !(lanes > 0 && cpu::DepthwiseGradients::has_data(spec.window)))
    parts.data =
        settle([&](const Desc& x, const Desc& y) { return planner.data(forward, x, y); }, wanted, anything);
  if (lanes > 0) return std::make_unique<DepthwiseOp>(parts, spec, args, lanes);
  if (products) return std::make_unique<ProductOp>(parts, *products);
  if (args.wants_dparams)
    parts.weights = settle([&](const Desc& x, const Desc& y) { return planner.weights(forward, x, y); },
                           wanted, anything);
  // What is trained is float: its bf16 copies are made anew for each step.
  if (in.bf16 && parts.weights) parts.kept_weights = parts.weights->diff_weights_desc();
  return std::make_unique<ConvOp>(parts);
}

std::unique_ptr<Op> conv_in(bool bf16, const ConvSpec& spec, const PlanArgs& args) {
  const Planner planner(spec, bf16);
  // First oneDNN's own wish, but depthwise in bfloat16 in the order of its neighbours, which are products.
  // Where that is an order that we have no word for, a plain blocked one.
  const bool channels_last = bf16 && spec.groups == spec.in.c && spec.groups == spec.out.c;
  const auto wish = [&](const Desc& x, const Desc& y) {
    return planner.forward(x, planner.any_w(), y, args.backward());
  };
  const std::pair anything{planner.any_x(), planner.any_y()};
  auto forward = channels_last ? settle(wish,
                                        {desc_of(in_format(enxerto::channels_last(spec.in), true)),
                                         desc_of(in_format(enxerto::channels_last(spec.out), true))},
                                        anything)
                               : wish(anything.first, anything.second);
  std::optional<Layout> in = layout_of(forward.src_desc(), spec.in);
  std::optional<Layout> out = layout_of(forward.dst_desc(), spec.out);
  if (!in || !out) {
    in = in_format(make_layout(spec.in, spec.in.c < preferred_block() ? 1 : preferred_block()), bf16);
    out = in_format(make_layout(spec.out, preferred_block()), bf16);
    forward = planner.forward(desc_of(*in), planner.any_w(), desc_of(*out), args.backward());
  }
  return finish(planner, spec, args, forward, *in, *out);
}

}  // namespace

std::unique_ptr<Op> conv(const ConvSpec& spec, const PlanArgs& args) {
  if (args.bf16 && has_bf16()) try {
      auto made = conv_in(true, spec, args);
      if (!args.backward() || !is_slow(made->info().implementation)) return made;
    } catch (const dnnl::error&) {
      // Not every direction of every shape is there.
    }
  return conv_in(false, spec, args);
}

bool has_bf16() {
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
#if DNNL_VERSION_MAJOR >= 3
  if (isa == dnnl::cpu_isa::avx512_core_fp16 || isa == dnnl::cpu_isa::avx512_core_amx_fp16) return true;
#endif
  return isa == dnnl::cpu_isa::avx512_core_bf16 || isa == dnnl::cpu_isa::avx512_core_amx;
}

bool can_fuse(Activation kind) {
  dnnl::post_ops ops;
  return append_activation(ops, {.kind = kind});
}

}  // namespace enxerto::onednn
