/// What convolution and inner product have in common: x, W, b in, y out, and the three gradients.
#pragma once

#include "enxerto/core/error.h"
#include "enxerto/kernels/onednn/api.h"
#include "enxerto/kernels/op.h"

namespace enxerto::onednn {

/// Everything but the making of descriptors, which is where the two primitives differ.
template <class ForwardPrimitive, class DataPrimitive, class WeightsPrimitive>
class WeightedOp : public Op {
 public:
  struct Parts {
    Shape in, out;
    typename ForwardPrimitive::primitive_desc forward;
    std::optional<typename DataPrimitive::primitive_desc> data;        ///< where din is wanted
    std::optional<typename WeightsPrimitive::primitive_desc> weights;  ///< where dparams are
    Desc plain_weights, kept_weights;  ///< as files have the parameter, and as info().params counts it
    Layout in_layout, out_layout;
    Desc in_desc, out_desc;  ///< what the memory of those layouts is, as the forward primitive has it
    bool bias = false, residual = false;
    std::int64_t multiply_adds = 0;
  };

  explicit WeightedOp(const Parts& parts)
      : bias_(parts.bias),
        forward_(parts.forward),
        weights_packing_(parts.plain_weights, parts.kept_weights),
        bias_memory_(parts.bias ? Desc(parts.forward.bias_desc()) : Desc()),
        x_(Bridge::Way::in, parts.in_desc, parts.forward.src_desc()),
        y_(Bridge::Way::out, parts.out_desc, parts.forward.dst_desc()),
        weights_(Bridge::Way::in, parts.kept_weights, parts.forward.weights_desc()),
        forward_pad_(parts.forward.scratchpad_desc()) {
    info_.in.push_back(parts.in_layout);
    info_.out = parts.out_layout;
    if (parts.residual) {
      info_.in.push_back(parts.out_layout);
      info_.in_place = 1;
      info_.in_place_required = true;
    }
    info_.keeps_in.assign(info_.in.size(), false);
    info_.keeps_in[0] = parts.weights.has_value();
    info_.params.push_back(weights_packing_.size());
    if (bias_) info_.params.push_back(parts.out.c);
    info_.forward_scratch = x_.scratch() + y_.scratch() + weights_.scratch() + floats(forward_pad_.desc());
    info_.implementation = parts.forward.impl_info_str();
    info_.multiply_adds = parts.multiply_adds;
    forward_args_ = {{DNNL_ARG_SRC, x_.object()},
                     {DNNL_ARG_WEIGHTS, weights_.object()},
                     {DNNL_ARG_DST, y_.object()},
                     {DNNL_ARG_SCRATCHPAD, forward_pad_.object()}};
    if (bias_) forward_args_.insert({DNNL_ARG_BIAS, bias_memory_.object()});
    if (parts.data) {
      data_ = DataPrimitive(*parts.data);
      data_dx_ = Bridge(Bridge::Way::out, parts.in_desc, parts.data->diff_src_desc());
      data_dy_ = Bridge(Bridge::Way::in, parts.out_desc, parts.data->diff_dst_desc());
      data_w_ = Bridge(Bridge::Way::in, parts.kept_weights, parts.data->weights_desc());
      data_pad_ = Memory(parts.data->scratchpad_desc());
      data_args_ = {{DNNL_ARG_DIFF_SRC, data_dx_.object()},
                    {DNNL_ARG_DIFF_DST, data_dy_.object()},
                    {DNNL_ARG_WEIGHTS, data_w_.object()},
                    {DNNL_ARG_SCRATCHPAD, data_pad_.object()}};
      info_.backward_scratch =
          data_dx_.scratch() + data_dy_.scratch() + data_w_.scratch() + floats(data_pad_.desc());
      info_.implementation += std::string(" / ") + parts.data->impl_info_str();
    }
    if (parts.weights) {
      grad_ = WeightsPrimitive(*parts.weights);
      grad_x_ = Bridge(Bridge::Way::in, parts.in_desc, parts.weights->src_desc());
      grad_dy_ = Bridge(Bridge::Way::in, parts.out_desc, parts.weights->diff_dst_desc());
      grad_dw_ = Bridge(Bridge::Way::out, parts.kept_weights, parts.weights->diff_weights_desc());
      grad_pad_ = Memory(parts.weights->scratchpad_desc());
      grad_args_ = {{DNNL_ARG_SRC, grad_x_.object()},
                    {DNNL_ARG_DIFF_DST, grad_dy_.object()},
                    {DNNL_ARG_DIFF_WEIGHTS, grad_dw_.object()},
                    {DNNL_ARG_SCRATCHPAD, grad_pad_.object()}};
      if (bias_) grad_args_.insert({DNNL_ARG_DIFF_BIAS, bias_memory_.object()});
      info_.backward_scratch =
          std::max(info_.backward_scratch,
                   grad_x_.scratch() + grad_dy_.scratch() + grad_dw_.scratch() + floats(grad_pad_.desc()));
      info_.implementation += std::string(" / ") + parts.weights->impl_info_str();
    }
  }

  void pack(int param, std::span<const float> plain, std::span<float> packed) const override {
    if (param == 0)
      weights_packing_.pack(plain.data(), packed.data());
    else
      Op::pack(param, plain, packed);
  }
  void unpack(int param, std::span<const float> packed, std::span<float> plain) const override {
    if (param == 0)
      weights_packing_.unpack(packed.data(), plain.data());
    else
      Op::unpack(param, packed, plain);
  }

  void forward(const Forward& run) override {
    float* const x_scratch = run.scratch;
    float* const y_scratch = x_scratch + x_.scratch();
    float* const w_scratch = y_scratch + y_.scratch();
    x_.in(run.in[0], x_scratch);
    y_.target(run.out, y_scratch);
    weights_.in(run.params[0], w_scratch);
    forward_pad_.point_to(w_scratch + weights_.scratch());
    if (bias_) bias_memory_.point_to(run.params[1]);
    execute(forward_, forward_args_);
    y_.out(run.out, y_scratch);
  }

  void backward(const Backward& run) override {
    // The weights' gradient comes first: din may lie where dout does.
    if (run.dparams[0]) {
      float* const x_scratch = run.scratch;
      float* const dy_scratch = x_scratch + grad_x_.scratch();
      float* const dw_scratch = dy_scratch + grad_dy_.scratch();
      grad_x_.in(run.in[0], x_scratch);
      grad_dy_.in(run.dout, dy_scratch);
      grad_dw_.target(run.dparams[0], dw_scratch);
      grad_pad_.point_to(dw_scratch + grad_dw_.scratch());
      if (bias_) bias_memory_.point_to(run.dparams[1]);
      execute(grad_, grad_args_);
      grad_dw_.out(run.dparams[0], dw_scratch);
    }
    if (run.din[0]) {
      float* const dx_scratch = run.scratch;
      float* const dy_scratch = dx_scratch + data_dx_.scratch();
      float* const w_scratch = dy_scratch + data_dy_.scratch();
      data_dx_.target(run.din[0], dx_scratch);
      data_dy_.in(run.dout, dy_scratch);
      data_w_.in(run.params[0], w_scratch);
      data_pad_.point_to(w_scratch + data_w_.scratch());
      execute(data_, data_args_);
      data_dx_.out(run.din[0], dx_scratch);
    }
  }

 private:
  bool bias_;
  ForwardPrimitive forward_;
  DataPrimitive data_;
  WeightsPrimitive grad_;
  Packing weights_packing_;
  Memory bias_memory_;
  Bridge x_, y_, weights_, data_dx_, data_dy_, data_w_, grad_x_, grad_dy_, grad_dw_;
  Memory forward_pad_, data_pad_, grad_pad_;
  Args forward_args_, data_args_, grad_args_;
};

}  // namespace enxerto::onednn
