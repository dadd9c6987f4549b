#include <cstring>

#include "enxerto/core/error.h"
#include "enxerto/kernels/cpu/cpu.h"
#include "enxerto/kernels/cpu/loops.h"
#include "enxerto/kernels/cpu/tiles.h"

namespace enxerto::cpu {
namespace {

class ActivationOp : public Op {
 public:
  ActivationOp(const ActivationSpec& spec, const PlanArgs& args) : spec_(spec) {
    const Layout& layout = args.in.at(0);
    info_.in = {layout};
    info_.out = layout;
    // Most slopes are told by the output; these two are not monotone, and a negative alpha folds the line.
    from_input_ = spec.kind == Activation::hard_swish || spec.kind == Activation::silu ||
                  (spec.kind == Activation::leaky_relu && spec.alpha < 0);
    info_.keeps_in = {args.backward() && from_input_};
    info_.keeps_out = args.backward() && !from_input_ && spec.kind != Activation::none;
    info_.in_place = info_.keeps_in[0] ? -1 : 0;
    info_.din_in_place = 0;
    info_.rebuilds = true;
    info_.implementation = implementation_of(layout);
  }
  void rebuild(const Forward& run) override { forward(run); }
  void forward(const Forward& run) override {
    parallel_pieces(info_.out.elements(), [&](std::int64_t from, std::int64_t to) {
      if (info_.out.bf16)
        loops().activate_bf16(spec_, numbers<Bf16>(run.in[0]) + from, numbers<Bf16>(run.out) + from,
                              to - from);
      else
        loops().activate(spec_, run.in[0] + from, run.out + from, to - from);
    });
    const bool keeps_zero = spec_.kind != Activation::sigmoid && spec_.kind != Activation::hard_sigmoid &&
                            spec_.kind != Activation::exp;
    if (!keeps_zero) zero_padding(info_.out, run.out);
  }
  void backward(const Backward& run) override {
    const float* kept = from_input_ ? run.in[0] : run.out;
    if (!kept) kept = run.dout;  // none: nothing is read
    parallel_pieces(info_.out.elements(), [&](std::int64_t from, std::int64_t to) {
      if (info_.out.bf16)
        loops().activate_gradient_bf16(spec_, numbers<Bf16>(kept) + from, numbers<Bf16>(run.dout) + from,
                                       numbers<Bf16>(run.din[0]) + from, to - from);
      else
        loops().activate_gradient(spec_, kept + from, run.dout + from, run.din[0] + from, to - from);
    });
  }

 private:
  ActivationSpec spec_;
  bool from_input_ = false;
};

class AddOp : public Op {
 public:
  AddOp(const AddSpec& spec, const PlanArgs& args) {
    const Layout layout = common_layout(spec.shape, args.in);
    info_.in = {layout, layout};
    info_.out = layout;
    info_.keeps_in = {false, false};
    info_.in_place = 0;
    info_.din_in_place = 0;
    info_.implementation = loops().name;
  }
  void forward(const Forward& run) override {
    parallel_pieces(info_.out.size(), [&](std::int64_t from, std::int64_t to) {
      loops().add(run.in[0] + from, run.in[1] + from, run.out + from, to - from);
    });
  }
  void backward(const Backward& run) override {
    for (float* const din : run.din)
      if (din && din != run.dout)
        std::memcpy(din, run.dout, static_cast<std::size_t>(info_.out.size()) * sizeof(float));
  }
};

/// The map is of type T, float or Bf16; what it is multiplied by is float.
template <class T>
class MultiplyOp : public Op {
 public:
  MultiplyOp(const MultiplySpec& spec, const PlanArgs& args, const Layout& layout)
      : layout_(layout), groups_(layout), spread_(spec.a != spec.b) {
    info_.in = {layout_, spread_ ? plain(spec.b) : layout_};
    info_.out = layout_;
    info_.keeps_in = {args.backward(), args.backward()};
    info_.in_place = args.backward() ? -1 : 0;
    info_.implementation = implementation_of(layout);
  }
  void forward(const Forward& run) override { product(run.in[0], run.in[1], run.out); }
  void backward(const Backward& run) override {
    if (run.din[0]) product(run.dout, run.in[1], run.din[0]);
    if (!run.din[1]) return;
    if (!spread_) return product(run.dout, run.in[0], run.din[1]);
    const T *const dout = numbers<T>(run.dout), *const a = numbers<T>(run.in[0]);
    for_each_group([&](std::int64_t offset, const Group& group, std::int64_t n, int used) {
      float sum[16];
      loops().scale.of<T>().dot(dout + offset, a + offset, layout_.pixels(), layout_.block, group.width, sum);
      std::copy_n(sum, used, run.din[1] + n * layout_.shape.c + group.channel);
    });
  }

 private:
  void product(const float* a, const float* b, float* y) const {
    if (!spread_)
      return parallel_pieces(layout_.size(), [&](std::int64_t from, std::int64_t to) {
        loops().multiply(a + from, b + from, y + from, to - from);
      });
    for_each_group([&](std::int64_t offset, const Group& group, std::int64_t n, int used) {
      float factor[16] = {};
      std::copy_n(b + n * layout_.shape.c + group.channel, used, factor);
      loops().scale.of<T>().scale(numbers<T>(a) + offset, factor, numbers<T>(y) + offset, layout_.pixels(),
                                  layout_.block, group.width);
    });
  }
  /// run(offset, group, n, channels of the group that are not padding).
  template <class Run>
  void for_each_group(Run run) const {
    const std::int64_t items = layout_.shape.n * groups_.per_picture();
#pragma omp parallel for schedule(static)
    for (std::int64_t item = 0; item < items; ++item) {
      const auto [group, n, start] = groups_.item(item);
      const std::int64_t left = layout_.shape.c - group.channel;
      run(start, group, n, static_cast<int>(std::clamp<std::int64_t>(left, 0, group.width)));
    }
  }
  Layout layout_;
  Groups groups_;
  bool spread_;
};

class DropoutOp : public Op {
 public:
  DropoutOp(const DropoutSpec& spec, const PlanArgs& args) : spec_(spec), train_(args.train) {
    info_.in = {args.in.at(0)};
    info_.out = args.in.at(0);
    info_.keeps_in = {false};
    info_.in_place = info_.din_in_place = 0;
    info_.implementation = loops().name;
  }
  void forward(const Forward& run) override { mask(run.in[0], run.out, run.rng); }
  // The mask is made again from the same numbers rather than kept.
  void backward(const Backward& run) override { mask(run.dout, run.din[0], run.rng); }

 private:
  void mask(const float* x, float* y, const Rng& rng) const {
    const Layout& layout = info_.out;
    if (!train_ || spec_.p == 0) {
      if (x != y) std::memcpy(y, x, static_cast<std::size_t>(layout.size()) * sizeof(float));
      return;
    }
    const float scale = spec_.p < 1 ? 1.0f / (1.0f - spec_.p) : 0.0f;
    const std::int64_t blocks = layout.blocks(), pixels = layout.pixels(), items = layout.shape.n * blocks;
#pragma omp parallel for schedule(static)
    for (std::int64_t item = 0; item < items; ++item) {
      const std::int64_t n = item / blocks, first = item % blocks * layout.block;
      for (std::int64_t p = 0; p < pixels; ++p)
        for (std::int64_t j = 0; j < layout.block; ++j) {
          const std::int64_t at = (item * pixels + p) * layout.block + j, channel = first + j;
          if (channel >= layout.shape.c) {
            y[at] = 0;
            continue;
          }
          // The element's place in n, c, h, w order: the same mask in every layout.
          const auto index = static_cast<std::uint64_t>((n * layout.shape.c + channel) * pixels + p);
          const float u = static_cast<float>(rng.at(index) >> 40) * 0x1p-24f;
          y[at] = u < spec_.p ? 0.0f : x[at] * scale;
        }
    }
  }
  DropoutSpec spec_;
  bool train_;
};

class FlattenOp : public Op {
 public:
  explicit FlattenOp(const Shape& in) {
    info_.in = {plain(in)};
    info_.out = plain({.n = in.n, .c = in.c * in.h * in.w});
    info_.keeps_in = {false};
    info_.in_place = info_.din_in_place = 0;
    info_.implementation = "nothing";
  }
  void forward(const Forward& run) override { copy(run.in[0], run.out); }
  void backward(const Backward& run) override { copy(run.dout, run.din[0]); }

 private:
  void copy(const float* from, float* to) const {
    if (from != to) std::memcpy(to, from, static_cast<std::size_t>(info_.out.size()) * sizeof(float));
  }
};

}  // namespace

std::unique_ptr<Op> activation(const ActivationSpec& spec, const PlanArgs& args) {
  return std::make_unique<ActivationOp>(spec, args);
}
std::unique_ptr<Op> add(const AddSpec& spec, const PlanArgs& args) {
  return std::make_unique<AddOp>(spec, args);
}
std::unique_ptr<Op> multiply(const MultiplySpec& spec, const PlanArgs& args) {
  const Layout layout = common_layout(spec.a, args.in);
  // Maps of one shape are multiplied as floats.
  if (layout.bf16 && spec.a != spec.b) return std::make_unique<MultiplyOp<Bf16>>(spec, args, layout);
  return std::make_unique<MultiplyOp<float>>(spec, args, in_format(layout, false));
}
std::unique_ptr<Op> dropout(const DropoutSpec& spec, const PlanArgs& args) {
  return std::make_unique<DropoutOp>(spec, args);
}
std::unique_ptr<Op> flatten(const Shape& in, const PlanArgs&) { return std::make_unique<FlattenOp>(in); }

}  // namespace enxerto::cpu
