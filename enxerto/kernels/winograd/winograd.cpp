#include "enxerto/kernels/winograd/winograd.h"

#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/tensor/tensor.h"

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

Geometry geometry_of(const ConvSpec& spec, int lanes, const Steps& x_steps, const Steps& y_steps) {
  return {.n = spec.in.n,
          .c_blocks = spec.in.c / lanes,
          .k_blocks = spec.out.c / lanes,
          .h = spec.in.h,
          .w = spec.in.w,
          .out_h = spec.out.h,
          .out_w = spec.out.w,
          .pad_top = spec.window.pad_top,
          .pad_left = spec.window.pad_left,
          .x_steps = x_steps,
          .y_steps = y_steps};
}

Geometry turned(const Geometry& of) {
  return {.n = of.n,
          .c_blocks = of.k_blocks,
          .k_blocks = of.c_blocks,
          .h = of.out_h,
          .w = of.out_w,
          .out_h = of.h,
          .out_w = of.w,
          .pad_top = 2 - of.pad_top,
          .pad_left = 2 - of.pad_left,
          .x_steps = of.y_steps,
          .y_steps = of.x_steps};
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
  const bool trained = args.backward();  // the filters are transformed anew at each step
  return used > 0.5 && tiles >= (trained ? 64 : 32);
}

namespace {

/// Filters {out, in, 3, 3} into blocks [out/L][in/L][3][3][in%L][out%L], or with Pack false back.
template <bool Pack>
void reorder_filters(const ConvSpec& spec, int lanes, const float* from, float* to) {
  const std::int64_t in_blocks = spec.in.c / lanes;
  for (std::int64_t o = 0; o < spec.out.c; ++o)
    for (std::int64_t i = 0; i < spec.in.c; ++i)
      for (std::int64_t r = 0; r < 9; ++r) {
        const std::int64_t plain = (o * spec.in.c + i) * 9 + r;
        const std::int64_t block = (o / lanes * in_blocks + i / lanes) * 9 + r;
        const std::int64_t packed = (block * lanes + i % lanes) * lanes + o % lanes;
        Pack ? to[packed] = from[plain] : to[plain] = from[packed];
      }
}

class WinogradOp : public Op {
 public:
  WinogradOp(const ConvSpec& spec, const PlanArgs& args) : spec_(spec), threads_(threads()) {
    // Inference takes either order, for oneDNN's inference kernels often answer channels last.
    const Layout& offered = args.in.at(0);
    const bool last = !args.backward() && offered.block == offered.shape.c && offered.block != 1;
    const Layout in = last ? channels_last(spec.in) : make_layout(spec.in, lanes());
    const Layout out = last ? channels_last(spec.out) : make_layout(spec.out, lanes());
    geometry_ = geometry_of(spec, lanes(), steps_of(in, lanes()), steps_of(out, lanes()));
    fixed_ = !args.backward();
    info_.in.push_back(in);
    info_.out = out;
    if (spec.residual) {
      info_.in.push_back(out);
      info_.in_place = 1;
    }
    info_.keeps_in.assign(info_.in.size(), false);
    info_.keeps_in[0] = args.wants_dparams;
    const std::int64_t filters = kernels()->filters_size(geometry_.k_blocks, geometry_.c_blocks);
    info_.params.push_back(fixed_ ? filters : spec.out.c * spec.in.c * 9);
    if (spec.bias) info_.params.push_back(spec.out.c);
    info_.multiply_adds = spec.out.size() * spec.in.c * 9;
    info_.forward_scratch = kernels()->scratch_size(geometry_, threads_) + (fixed_ ? 0 : filters);
    const std::string name = text("winograd:", lanes() == 16 ? "avx512" : "avx2");
    info_.implementation = name;
    if (args.wants(0)) {
      info_.backward_scratch = kernels()->scratch_size(turned(geometry_), threads_) + filters;
      info_.implementation += " / " + name;
    }
    if (args.wants_dparams) {
      info_.backward_scratch =
          std::max(info_.backward_scratch, kernels()->gradient_scratch_size(geometry_, threads_));
      info_.implementation += " / " + name;
    }
  }

  // What is not trained keeps its filters transformed; what is trained keeps them as they are.
  void pack(int param, std::span<const float> plain, std::span<float> packed) const override {
    if (param != 0) return Op::pack(param, plain, packed);
    if (!fixed_) return reorder_filters<true>(spec_, lanes(), plain.data(), packed.data());
    Tensor blocked({.n = static_cast<std::int64_t>(plain.size())});
    reorder_filters<true>(spec_, lanes(), plain.data(), blocked.data().data());
    kernels()->transform_filters(blocked.data().data(), geometry_.k_blocks, geometry_.c_blocks,
                                 packed.data());
  }
  void unpack(int param, std::span<const float> packed, std::span<float> plain) const override {
    if (param != 0) return Op::unpack(param, packed, plain);
    ensure(!fixed_, "only what is trained is unpacked");
    reorder_filters<false>(spec_, lanes(), packed.data(), plain.data());
  }

  void forward(const Forward& run) override {
    Call call{.geometry = geometry_,
              .x = run.in[0],
              .filters = run.params[0],
              .bias = spec_.bias ? run.params[1] : nullptr,
              .residual = spec_.residual ? run.in[1] : nullptr,
              .y = run.out,
              .scratch = run.scratch,
              .relu = spec_.activation.kind == Activation::relu};
    if (!fixed_) {
      kernels()->transform_filters(run.params[0], geometry_.k_blocks, geometry_.c_blocks, run.scratch);
      call.filters = run.scratch;
      call.scratch += kernels()->filters_size(geometry_.k_blocks, geometry_.c_blocks);
    }
    kernels()->convolve(call, threads_);
  }

  void backward(const Backward& run) override {
    if (run.dparams[0])
      kernels()->filter_gradient({.geometry = geometry_,
                                  .x = run.in[0],
                                  .dy = run.dout,
                                  .dfilters = run.dparams[0],
                                  .dbias = spec_.bias ? run.dparams[1] : nullptr,
                                  .scratch = run.scratch},
                                 threads_);
    if (!run.din[0]) return;
    kernels()->transform_turned_filters(run.params[0], geometry_.k_blocks, geometry_.c_blocks, run.scratch);
    kernels()->convolve(
        {.geometry = turned(geometry_),
         .x = run.dout,
         .filters = run.scratch,
         .y = run.din[0],
         .scratch = run.scratch + kernels()->filters_size(geometry_.k_blocks, geometry_.c_blocks)},
        threads_);
  }

 private:
  static int lanes() { return kernels()->lanes; }

  ConvSpec spec_;
  int threads_;
  Geometry geometry_;
  bool fixed_ = false;
};

}  // namespace

std::unique_ptr<Op> conv(const ConvSpec& spec, const PlanArgs& args) {
  return std::make_unique<WinogradOp>(spec, args);
}

}  // namespace enxerto::winograd
