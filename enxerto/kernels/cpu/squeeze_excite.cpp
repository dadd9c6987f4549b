#include <algorithm>

#include "enxerto/kernels/cpu/cpu.h"
#include "enxerto/kernels/cpu/tiles.h"

namespace enxerto::cpu {
namespace {

std::int64_t lanes() { return loops().dense_lanes; }
std::int64_t filled_up(std::int64_t channels) { return (channels + lanes() - 1) / lanes() * lanes(); }
/// A small linear layer: weights {outputs, inputs} as [outputs / lanes][inputs][lanes], filled up
/// with zeros.
struct Dense {
  std::int64_t inputs, outputs;
  ActivationSpec activation;
  std::int64_t weights() const { return filled_up(outputs) * inputs; }
  /// Calls visit(place in files, place here) for each weight.
  template <class Visit>
  void each_weight(Visit visit) const {
    for (std::int64_t i = 0; i < outputs * inputs; ++i) {
      const std::int64_t output = i / inputs;
      const std::int64_t packed = (output / lanes() * inputs + i % inputs) * lanes() + output % lanes();
      visit(static_cast<std::size_t>(i), static_cast<std::size_t>(packed));
    }
  }
};

/// Four passes with a barrier behind each: means, two layers on them, which read their weights once for all
/// pictures, and the product.
template <class T>
class SqueezeExciteOp final : public Op {
 public:
  SqueezeExciteOp(const SqueezeExciteSpec& spec, const Layout& layout)
      : layout_(layout),
        groups_(layout),
        squeeze_{spec.shape.c, spec.squeezed, spec.squeeze},
        excite_{spec.squeezed, spec.shape.c, spec.excite},
        channels_(std::max(padded_channels(layout), filled_up(spec.shape.c))) {
    info_.in = {layout};
    info_.out = layout;
    info_.keeps_in = {false};
    info_.in_place = 0;
    info_.params = {squeeze_.weights(), filled_up(spec.squeezed), excite_.weights(), filled_up(spec.shape.c)};
    info_.forward_scratch = spec.shape.n * (2 * channels_ + filled_up(spec.squeezed));
    info_.implementation = "squeeze_excite:" + implementation_of(layout);
    info_.multiply_adds = 2 * spec.shape.n * spec.shape.c * spec.squeezed;
  }

  void pack(int param, std::span<const float> plain, std::span<float> packed) const override {
    std::ranges::fill(packed, 0.0f);
    if (param % 2 != 0)
      std::ranges::copy(plain, packed.begin());
    else
      layer_of(param).each_weight(
          [&](std::size_t in_file, std::size_t here) { packed[here] = plain[in_file]; });
  }
  void unpack(int param, std::span<const float> packed, std::span<float> plain) const override {
    if (param % 2 != 0)
      std::ranges::copy(packed.first(plain.size()), plain.begin());
    else
      layer_of(param).each_weight(
          [&](std::size_t in_file, std::size_t here) { plain[in_file] = packed[here]; });
  }

  void forward(const Forward& run) override {
    const std::int64_t pictures = layout_.shape.n, squeezed = filled_up(squeeze_.outputs);
    float* const means = run.scratch;
    float* const hidden = means + pictures * channels_;
    float* const factors = hidden + pictures * squeezed;
    const T* const x = numbers<T>(run.in[0]);
    T* const y = numbers<T>(run.out);
    const float share = 1.0f / static_cast<float>(layout_.pixels());
#pragma omp parallel
    {
      for_each_group([&](const Groups::OfPicture& at) {
        loops().window.of<T>().sum_to_float(x + at.start, static_cast<int>(layout_.shape.h),
                                            static_cast<int>(layout_.shape.w),
                                            layout_.shape.w * layout_.block, layout_.block, at.group.width,
                                            share, means + at.n * channels_ + at.group.channel);
      });
      layer(squeeze_, means, channels_, run.params[0], run.params[1], hidden, squeezed);
      layer(excite_, hidden, squeezed, run.params[2], run.params[3], factors, channels_);
      if (channels_ > filled_up(excite_.outputs)) clear_padding(factors);
      for_each_group([&](const Groups::OfPicture& at) {
        loops().scale.of<T>().scale(x + at.start, factors + at.n * channels_ + at.group.channel, y + at.start,
                                    layout_.pixels(), layout_.block, at.group.width);
      });
    }
  }

 private:
  const Dense& layer_of(int param) const { return param == 0 ? squeeze_ : excite_; }
  /// One thread's part, then all wait.
  template <class Run>
  void for_each_group(Run run) const {
    const std::int64_t items = layout_.shape.n * groups_.per_picture();
#pragma omp for schedule(static)
    for (std::int64_t item = 0; item < items; ++item) run(groups_.item(item));
  }
  /// What a block has beyond the layers' channels is multiplied too.
  void clear_padding(float* factors) const {
#pragma omp for schedule(static)
    for (std::int64_t n = 0; n < layout_.shape.n; ++n)
      std::fill(factors + n * channels_ + filled_up(excite_.outputs), factors + (n + 1) * channels_, 0.0f);
  }
  void layer(const Dense& dense, const float* from, std::int64_t from_step, const float* weights,
             const float* bias, float* to, std::int64_t to_step) const {
    const std::int64_t pictures = layout_.shape.n;
#pragma omp for schedule(static)
    for (std::int64_t first = 0; first < filled_up(dense.outputs); first += lanes()) {
      loops().dense(from, from_step, pictures, dense.inputs, weights + first * dense.inputs, bias + first,
                    to + first, to_step);
      for (std::int64_t n = 0; n < pictures; ++n)
        loops().activate(dense.activation, to + n * to_step + first, to + n * to_step + first, lanes());
    }
  }

  Layout layout_;
  Groups groups_;
  Dense squeeze_, excite_;
  std::int64_t channels_;  ///< of means and factors, filled up as the layout's and the layers' are
};

}  // namespace

std::unique_ptr<Op> squeeze_excite(const SqueezeExciteSpec& spec, const PlanArgs& args) {
  const Layout layout = common_layout(spec.shape, args.in);
  if (layout.bf16) return std::make_unique<SqueezeExciteOp<Bf16>>(spec, layout);
  return std::make_unique<SqueezeExciteOp<float>>(spec, layout);
}

}  // namespace enxerto::cpu
