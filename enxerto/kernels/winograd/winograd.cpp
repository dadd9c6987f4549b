#include "enxerto/kernels/winograd/winograd.h"

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/kernels/onednn/onednn.h"

namespace enxerto::winograd {

#if defined(__x86_64__)
namespace avx2 {
const Kernels& table();
}
namespace avx512 {
const Kernels& table();
}
const Kernels* kernels_avx2() { return &avx2::table(); }
const Kernels* kernels_avx512() { return &avx512::table(); }
#else
const Kernels* kernels_avx2() { return nullptr; }
const Kernels* kernels_avx512() { return nullptr; }
#endif

const Kernels* kernels() {
  switch (chip_isa()) {
    case Isa::avx512:
      return kernels_avx512();
    case Isa::avx2:
      return kernels_avx2();
    case Isa::generic:
      return nullptr;
  }
  return nullptr;
}

Steps steps_of(const Layout& layout, int lanes) {
  if (layout.block == lanes) return {lanes, layout.pixels() * lanes};
  ensure(layout.block == layout.shape.c && layout.shape.c % lanes == 0, "blocks of lanes or channels last");
  return {layout.shape.c, lanes};
}

std::int64_t filters_size(std::int64_t out_blocks, std::int64_t in_blocks, int lanes) {
  return 36 * out_blocks * in_blocks * lanes * lanes;
}

bool suits(const ConvSpec& spec, const PlanArgs& args) {
  const Window& w = spec.window;
  if (!kernels() || spec.groups != 1 || w.kernel_h != 3 || w.kernel_w != 3 || w.stride_h != 1 ||
      w.stride_w != 1 || w.dilation_h != 1 || w.dilation_w != 1 || w.pad_top > 2 || w.pad_left > 2)
    return false;
  if (spec.activation.kind != Activation::none && spec.activation.kind != Activation::relu) return false;
  const int lanes = kernels()->lanes;
  if (spec.in.c % lanes != 0 || spec.out.c % lanes != 0 || spec.in.c < 32 || spec.out.c < 32) return false;
  // Pixels of the last tiles that nobody asked for are multiplied all the same, and every call reads four
  // times as many filters: with few tiles that is what it waits for.
  const std::int64_t tiles_h = (spec.out.h + 3) / 4, tiles_w = (spec.out.w + 3) / 4;
  const double used =
      static_cast<double>(spec.out.h * spec.out.w) / static_cast<double>(16 * tiles_h * tiles_w);
  const std::int64_t tiles = spec.out.n * tiles_h * tiles_w;
  const bool trained = args.wants_dparams;  // the filters are transformed anew at each step
  return used > 0.5 && tiles >= (trained ? 64 : 40);
}

namespace {

class WinogradOp : public Op {
 public:
  WinogradOp(const ConvSpec& spec, const PlanArgs& args)
      : spec_(spec), threads_(threads()), in_blocks_(spec.in.c / lanes()), out_blocks_(spec.out.c / lanes()) {
    // Inference takes either order, for oneDNN's inference kernels often answer channels last.
    const Layout& offered = args.in.at(0);
    const bool last = !args.backward() && offered.block == offered.shape.c && offered.block != 1;
    const Layout in = last ? channels_last(spec.in) : make_layout(spec.in, lanes());
    const Layout out = last ? channels_last(spec.out) : make_layout(spec.out, lanes());
    x_steps_ = steps_of(in, lanes());
    y_steps_ = steps_of(out, lanes());
    wants_din_ = !args.wants_din.empty() && args.wants_din[0];
    fixed_ = !args.backward();
    PlanArgs direct_args = args;
    direct_args.wants_din.assign(args.wants_din.size(), false);
    direct_ = onednn::conv_blocked(spec, direct_args, lanes());
    info_ = direct_->info();
    info_.in[0] = in;
    info_.out = out;
    if (spec.residual) {
      info_.in[1] = out;
      info_.in_place = 1;
      info_.in_place_required = false;
    }
    const std::int64_t filters = filters_size(out_blocks_, in_blocks_, lanes());
    if (fixed_) info_.params[0] = filters;
    info_.forward_scratch = kernels()->scratch_size(forward_call(), threads_) + (fixed_ ? 0 : filters);
    const std::int64_t data_scratch =
        wants_din_ ? kernels()->scratch_size(data_call(), threads_) + filters : 0;
    info_.backward_scratch = std::max(info_.backward_scratch, data_scratch);
    info_.implementation = text("winograd:", lanes() == 16 ? "avx512" : "avx2");
    if (wants_din_) info_.implementation += " / " + info_.implementation;
    if (args.wants_dparams) {
      const std::string& direct = direct_->info().implementation;
      info_.implementation += direct.substr(direct.rfind(" / "));
    }
  }

  // What is not trained keeps its filters transformed; what is trained keeps them as they are.
  void pack(int param, std::span<const float> plain, std::span<float> packed) const override {
    if (param != 0 || !fixed_) return direct_->pack(param, plain, packed);
    Tensor blocked({.n = direct_->info().params[0]});
    direct_->pack(param, plain, blocked.data());
    kernels()->transform_filters(blocked.data().data(), out_blocks_, in_blocks_, packed.data());
  }
  void unpack(int param, std::span<const float> packed, std::span<float> plain) const override {
    ensure(!fixed_, "only what is trained is unpacked");
    direct_->unpack(param, packed, plain);
  }

  void forward(const Forward& run) override {
    Call call = forward_call();
    call.x = run.in[0];
    call.y = run.out;
    call.filters = run.params[0];
    call.scratch = run.scratch;
    if (spec_.bias) call.bias = run.params[1];
    if (spec_.residual) call.residual = run.in[1];
    call.relu = spec_.activation.kind == Activation::relu;
    if (!fixed_) {
      kernels()->transform_filters(run.params[0], out_blocks_, in_blocks_, run.scratch);
      call.filters = run.scratch;
      call.scratch += filters_size(out_blocks_, in_blocks_, lanes());
    }
    kernels()->convolve(call, threads_);
  }

  void backward(const Backward& run) override {
    if (run.dparams[0]) {
      Backward direct = run;
      float* const unwanted[2] = {};
      direct.din = {unwanted, run.din.size()};
      direct_->backward(direct);
    }
    if (!run.din[0]) return;
    kernels()->transform_turned_filters(run.params[0], out_blocks_, in_blocks_, run.scratch);
    Call call = data_call();
    call.x = run.dout;
    call.y = run.din[0];
    call.filters = run.scratch;
    call.scratch = run.scratch + filters_size(out_blocks_, in_blocks_, lanes());
    kernels()->convolve(call, threads_);
  }

 private:
  static int lanes() { return kernels()->lanes; }
  Call forward_call() const {
    return {.n = spec_.in.n,
            .c_blocks = in_blocks_,
            .k_blocks = out_blocks_,
            .h = spec_.in.h,
            .w = spec_.in.w,
            .out_h = spec_.out.h,
            .out_w = spec_.out.w,
            .pad_top = spec_.window.pad_top,
            .pad_left = spec_.window.pad_left,
            .x_steps = x_steps_,
            .y_steps = y_steps_};
  }
  /// The gradient of x is the full correlation of dy with the turned filters.
  Call data_call() const {
    return {.n = spec_.in.n,
            .c_blocks = out_blocks_,
            .k_blocks = in_blocks_,
            .h = spec_.out.h,
            .w = spec_.out.w,
            .out_h = spec_.in.h,
            .out_w = spec_.in.w,
            .pad_top = 2 - spec_.window.pad_top,
            .pad_left = 2 - spec_.window.pad_left,
            .x_steps = y_steps_,
            .y_steps = x_steps_};
  }

  ConvSpec spec_;
  int threads_;
  std::int64_t in_blocks_, out_blocks_;
  Steps x_steps_, y_steps_;
  bool wants_din_ = false, fixed_ = false;
  std::unique_ptr<Op> direct_;
};

}  // namespace

std::unique_ptr<Op> conv(const ConvSpec& spec, const PlanArgs& args) {
  return std::make_unique<WinogradOp>(spec, args);
}

}  // namespace enxerto::winograd
