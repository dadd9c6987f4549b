// What looks along channels: local response normalisation, softmax, concatenation, padding.
#include <cmath>
#include <cstring>

#include "enxerto/kernels/cpu/cpu.h"
#include "enxerto/kernels/cpu/tiles.h"

namespace enxerto::cpu {
namespace {

/// s^-beta; the usual exponent by two square roots.
float negative_power(float s, float beta) {
  if (beta == 0.75f) {
    const float root = std::sqrt(s);
    return 1.0f / (root * std::sqrt(root));
  }
  return std::pow(s, -beta);
}

/// Channels-last, so that a pixel's channels lie side by side.
class LrnOp : public Op {
 public:
  LrnOp(const LrnSpec& spec, const PlanArgs& args) : spec_(spec) {
    // One order for every pixel count: [pixel][channel].
    info_.in = {channels_last(spec.shape)};
    info_.out = info_.in[0];
    info_.keeps_in = {args.backward()};
    info_.saved = args.backward() ? spec.shape.size() : 0;
    info_.implementation = "loops";
  }
  void forward(const Forward& run) override {
    for_each_pixel([&](std::int64_t at) {
      const float* const x = run.in[0] + at;
      for (std::int64_t c = 0; c < spec_.shape.c; ++c) {
        double sum = 0;
        for (std::int64_t j = first(c); j < last(c); ++j) sum += static_cast<double>(x[j]) * x[j];
        const auto s = static_cast<float>(spec_.k + spec_.alpha / static_cast<double>(spec_.size) * sum);
        run.out[at + c] = x[c] * negative_power(s, spec_.beta);
        if (run.saved && info_.saved) run.saved[at + c] = s;
      }
    });
  }
  void backward(const Backward& run) override {
    const float factor = 2.0f * spec_.alpha * spec_.beta / static_cast<float>(spec_.size);
    for_each_pixel([&](std::int64_t at) {
      const float *const x = run.in[0] + at, *const s = run.saved + at, *const g = run.dout + at;
      for (std::int64_t c = 0; c < spec_.shape.c; ++c) {
        // Channel c is in the windows of the same channels that are in its own, mirrored for even sizes.
        double sum = 0;
        const std::int64_t end = std::min(spec_.shape.c, c + spec_.size + 1);
        for (std::int64_t j = std::max<std::int64_t>(0, c - spec_.size); j < end; ++j) {
          if (c < first(j) || c >= last(j)) continue;
          sum += static_cast<double>(g[j]) * x[j] * negative_power(s[j], spec_.beta) / s[j];
        }
        run.din[0][at + c] =
            static_cast<float>(g[c] * negative_power(s[c], spec_.beta) - factor * x[c] * sum);
      }
    });
  }

 private:
  std::int64_t first(std::int64_t c) const { return std::max<std::int64_t>(0, c - spec_.size / 2); }
  std::int64_t last(std::int64_t c) const { return std::min(spec_.shape.c, c - spec_.size / 2 + spec_.size); }
  template <class Run>
  void for_each_pixel(Run run) const {
    const std::int64_t pixels = spec_.shape.n * spec_.shape.h * spec_.shape.w;
#pragma omp parallel for schedule(static)
    for (std::int64_t p = 0; p < pixels; ++p) run(p * spec_.shape.c);
  }
  LrnSpec spec_;
};

class SoftmaxOp : public Op {
 public:
  SoftmaxOp(const SoftmaxSpec& spec, const PlanArgs& args) : channels_(spec.shape.c) {
    info_.in = {channels_last(spec.shape)};
    info_.out = info_.in[0];
    info_.keeps_in = {false};
    info_.keeps_out = args.backward();
    info_.in_place = info_.din_in_place = 0;
    info_.implementation = "loops";
  }
  void forward(const Forward& run) override {
    for_each_row([&](std::int64_t at) {
      const float* const x = run.in[0] + at;
      const float largest = *std::max_element(x, x + channels_);
      double sum = 0;
      for (std::int64_t c = 0; c < channels_; ++c) sum += run.out[at + c] = std::exp(x[c] - largest);
      const auto factor = static_cast<float>(1.0 / sum);
      for (std::int64_t c = 0; c < channels_; ++c) run.out[at + c] *= factor;
    });
  }
  void backward(const Backward& run) override {
    for_each_row([&](std::int64_t at) {
      const float *const y = run.out + at, *const g = run.dout + at;
      double sum = 0;
      for (std::int64_t c = 0; c < channels_; ++c) sum += static_cast<double>(g[c]) * y[c];
      for (std::int64_t c = 0; c < channels_; ++c) run.din[0][at + c] = y[c] * static_cast<float>(g[c] - sum);
    });
  }

 private:
  template <class Run>
  void for_each_row(Run run) const {
    const std::int64_t rows = info_.out.size() / channels_;
#pragma omp parallel for schedule(static) if (rows > 8)
    for (std::int64_t r = 0; r < rows; ++r) run(r * channels_);
  }
  std::int64_t channels_;
};

/// Every input in one order; a picture of an input is then a few runs of floats.
class ConcatOp : public Op {
 public:
  ConcatOp(const ConcatSpec& spec, const PlanArgs& args) {
    const std::int64_t block = shared_block(spec, args);
    const auto layout = [&](const Shape& shape) {
      return block == last ? channels_last(shape) : make_layout(shape, block);
    };
    for (const Shape& shape : spec.in) info_.in.push_back(layout(shape));
    info_.out = layout(spec.out);
    info_.keeps_in.assign(spec.in.size(), false);
    info_.implementation = "loops";
    const std::int64_t pixels = spec.out.h * spec.out.w;
    pieces_ = block == last ? spec.out.n * pixels : spec.out.n;
    for (const Shape& shape : spec.in) runs_.push_back(block == last ? shape.c : shape.c * pixels);
  }
  void forward(const Forward& run) override {
    for_each_run([&](std::size_t i, std::int64_t inner, std::int64_t outer) {
      std::memcpy(run.out + outer, run.in[i] + inner, bytes(i));
    });
  }
  void backward(const Backward& run) override {
    for_each_run([&](std::size_t i, std::int64_t inner, std::int64_t outer) {
      if (run.din[i]) std::memcpy(run.din[i] + inner, run.dout + outer, bytes(i));
    });
  }

 private:
  static constexpr std::int64_t last = -1;  ///< channels-last
  /// Blocks where the first input has them and none is cut by a border between inputs.
  static std::int64_t shared_block(const ConcatSpec& spec, const PlanArgs& args) {
    const Layout& first = args.in.at(0);
    if (first.block == 1) return 1;
    if (first.block != first.shape.c &&
        std::ranges::all_of(spec.in, [&](const Shape& shape) { return shape.c % first.block == 0; }))
      return first.block;
    return last;
  }
  std::size_t bytes(std::size_t i) const { return static_cast<std::size_t>(runs_[i]) * sizeof(float); }
  template <class Run>
  void for_each_run(Run run) const {
    std::int64_t whole = 0;
    for (const std::int64_t length : runs_) whole += length;
#pragma omp parallel for schedule(static)
    for (std::int64_t piece = 0; piece < pieces_; ++piece) {
      std::int64_t at = piece * whole;
      for (std::size_t i = 0; i < runs_.size(); ++i) {
        run(i, piece * runs_[i], at);
        at += runs_[i];
      }
    }
  }
  std::int64_t pieces_ = 0;
  std::vector<std::int64_t> runs_;  ///< floats of each input that lie together
};

/// In plain order, or in blocks that no border cuts, a picture is one run of floats between zeros.
class ChannelPadOp : public Op {
 public:
  ChannelPadOp(const ChannelPadSpec& spec, const PlanArgs& args) {
    const std::int64_t offered = args.in.at(0).block, after = spec.out.c - spec.in.c - spec.before;
    const bool whole = spec.before % offered == 0 && spec.in.c % offered == 0 && after % offered == 0;
    const std::int64_t block = whole ? offered : 1, pixels = spec.in.h * spec.in.w;
    info_.in = {make_layout(spec.in, block)};
    info_.out = make_layout(spec.out, block);
    info_.keeps_in = {false};
    info_.implementation = "loops";
    pictures_ = spec.in.n;
    before_ = spec.before * pixels;
    run_ = spec.in.c * pixels;
    after_ = after * pixels;
  }
  void forward(const Forward& run) override {
#pragma omp parallel for schedule(static)
    for (std::int64_t n = 0; n < pictures_; ++n) {
      float* out = std::fill_n(run.out + n * (before_ + run_ + after_), before_, 0.0f);
      out = std::copy_n(run.in[0] + n * run_, run_, out);
      std::fill_n(out, after_, 0.0f);
    }
  }
  void backward(const Backward& run) override {
#pragma omp parallel for schedule(static)
    for (std::int64_t n = 0; n < pictures_; ++n)
      std::copy_n(run.dout + n * (before_ + run_ + after_) + before_, run_, run.din[0] + n * run_);
  }

 private:
  std::int64_t pictures_ = 0, before_ = 0, run_ = 0, after_ = 0;  ///< the last three in floats
};

}  // namespace

std::unique_ptr<Op> lrn(const LrnSpec& spec, const PlanArgs& args) {
  return std::make_unique<LrnOp>(spec, args);
}
std::unique_ptr<Op> softmax(const SoftmaxSpec& spec, const PlanArgs& args) {
  return std::make_unique<SoftmaxOp>(spec, args);
}
std::unique_ptr<Op> channel_pad(const ChannelPadSpec& spec, const PlanArgs& args) {
  return std::make_unique<ChannelPadOp>(spec, args);
}
std::unique_ptr<Op> concat(const ConcatSpec& spec, const PlanArgs& args) {
  return std::make_unique<ConcatOp>(spec, args);
}

}  // namespace enxerto::cpu
