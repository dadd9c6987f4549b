#include "enxerto/kernels/direct/direct.h"

#include <algorithm>

#include "enxerto/core/system.h"

namespace enxerto::direct {

#if defined(__x86_64__)
namespace avx512 {
const Kernels& table();
}
const Kernels* kernels() { return chip_isa() == Isa::avx512 ? &avx512::table() : nullptr; }
#else
const Kernels* kernels() { return nullptr; }
#endif

namespace {

bool is_depthwise(const ConvSpec& spec) { return spec.groups == spec.in.c && spec.groups == spec.out.c; }

bool takes(const ActivationSpec& activation) {
  switch (activation.kind) {
    case Activation::none:
    case Activation::relu:
    case Activation::relu6:
    case Activation::hard_swish:
      return true;
    default:
      return false;
  }
}

/// One pixel is spelled plain, whatever its block: as channels last.
std::int64_t block_of(const Layout& layout) { return layout.pixels() == 1 ? layout.shape.c : layout.block; }

/// What is left over of a block when groups of 16 are taken is a group of 8.
bool divides_up(std::int64_t block) { return block % 8 == 0; }

/// 5x5, for of 3x3 oneDNN's wait for memory; and in all blocks, or brought to channels last.
bool suits_depthwise(const ConvSpec& spec) {
  return is_depthwise(spec) && divides_up(spec.in.c) && spec.window.kernel_h == 5 &&
         spec.window.kernel_w == 5;
}

bool suits_few_channels(const ConvSpec& spec, const Layout& offered) {
  return spec.groups == 1 && spec.in.c <= 4 && divides_up(spec.out.c) && spec.window.kernel_h == 3 &&
         spec.window.kernel_w == 3 && offered == plain(spec.in);
}

/// The groups of maps in these blocks; x_block 1: planes that all groups read.
std::vector<Group> groups_of(const ConvSpec& spec, std::int64_t x_block, std::int64_t y_block) {
  std::vector<Group> groups;
  for (std::int64_t first = 0; first < spec.out.c; first += y_block)
    for (std::int64_t within = 0; within < y_block;) {
      const int width = y_block - within >= 16 ? 16 : 8;
      groups.push_back({.channel = first + within,
                        .x = x_block == 1 ? 0 : first * spec.in.h * spec.in.w + within,
                        .y = first * spec.out.h * spec.out.w + within,
                        .width = width});
      within += width;
    }
  return groups;
}

class DirectOp final : public Op {
 public:
  DirectOp(const ConvSpec& spec, const PlanArgs& args) : spec_(spec), depthwise_(is_depthwise(spec)) {
    const Layout& offered = args.in.at(0);
    const bool stays = divides_up(block_of(offered));
    const std::int64_t x_block = !depthwise_ ? 1 : stays ? block_of(offered) : spec.in.c;
    const std::int64_t y_block = depthwise_ ? x_block : spec.out.c;
    info_.in = {make_layout(spec.in, x_block)};
    info_.out = make_layout(spec.out, y_block);
    info_.keeps_in = {false};
    groups_ = groups_of(spec, x_block, y_block);
    for (const Group& group : groups_) channels_ = std::max(channels_, group.channel + group.width);
    info_.params = {channels_ * row()};
    if (spec.bias) info_.params.push_back(channels_);
    info_.multiply_adds = spec.out.size() * row();
    call_.threads = threads();
    info_.forward_scratch = kernels()->scratch_size(spec, call_.threads);
    info_.implementation = "direct:avx512";
    call_.spec = &spec_;
    call_.groups = groups_;
    call_.x_step = x_block, call_.y_step = y_block;
    call_.x_size = info_.in[0].size() / spec.in.n, call_.y_size = info_.out.size() / spec.out.n;
  }

  void pack(int param, std::span<const float> plain, std::span<float> packed) const override {
    std::fill(packed.begin(), packed.end(), 0.0f);
    if (param != 0)
      std::copy(plain.begin(), plain.end(), packed.begin());
    else
      each_weight([&](std::size_t in_file, std::size_t here) { packed[here] = plain[in_file]; });
  }
  void unpack(int param, std::span<const float> packed, std::span<float> plain) const override {
    if (param != 0)
      std::copy_n(packed.begin(), plain.size(), plain.begin());
    else
      each_weight([&](std::size_t in_file, std::size_t here) { plain[in_file] = packed[here]; });
  }

  void forward(const Forward& run) override {
    Call call = call_;
    call.x = run.in[0];
    call.weights = run.params[0];
    call.bias = spec_.bias ? run.params[1] : nullptr;
    call.y = run.out;
    call.scratch = run.scratch;
    depthwise_ ? kernels()->depthwise(call) : kernels()->of_few_channels(call);
  }

 private:
  /// Calls visit(place in files, place here) for each weight.
  template <class Visit>
  void each_weight(Visit visit) const {
    for (const Group& group : groups_)
      for (int lane = 0; lane < group.width && group.channel + lane < spec_.out.c; ++lane)
        for (std::int64_t i = 0; i < row(); ++i)
          visit(static_cast<std::size_t>((group.channel + lane) * row() + i),
                static_cast<std::size_t>(group.channel * row() + i * group.width + lane));
  }
  /// Weights of one channel of the output.
  std::int64_t row() const {
    return spec_.in.c / spec_.groups * spec_.window.kernel_h * spec_.window.kernel_w;
  }

  ConvSpec spec_;
  bool depthwise_;
  std::vector<Group> groups_;
  std::int64_t channels_ = 0;
  Call call_;
};

}  // namespace

bool suits(const ConvSpec& spec, const PlanArgs& args) {
  const Window& w = spec.window;
  return kernels() && !args.backward() && !spec.residual && takes(spec.activation) && w.dilation_h == 1 &&
         w.dilation_w == 1 && (w.stride_w == 1 || w.stride_w == 2) &&
         (suits_depthwise(spec) || suits_few_channels(spec, args.in.at(0)));
}

std::unique_ptr<Op> conv(const ConvSpec& spec, const PlanArgs& args) {
  return std::make_unique<DirectOp>(spec, args);
}

}  // namespace enxerto::direct
