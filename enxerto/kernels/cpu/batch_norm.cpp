#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/kernels/cpu/cpu.h"
#include "enxerto/kernels/cpu/loops.h"
#include "enxerto/kernels/cpu/tiles.h"

namespace enxerto::cpu {
namespace {

/// Pixels that are read twice while they are still in the first-level cache.
constexpr std::int64_t tile_pixels = 256;
constexpr int widest = 16;

/// Parameters: gamma, beta, running mean, running variance.
enum : std::size_t { gamma_at, beta_at, mean_at, variance_at };

class BatchNormOp : public Op {
 public:
  BatchNormOp(const BatchNormSpec& spec, const PlanArgs& args)
      : spec_(spec), layout_(common_layout(spec.shape, args.in)), groups_(layout_) {
    const std::int64_t channels = padded_channels(layout_);
    info_.in.assign(spec.residual ? 2 : 1, layout_);
    info_.out = layout_;
    info_.params.assign(4, channels);
    info_.saved = 4 * channels;
    info_.forward_scratch = info_.backward_scratch = partial_size();
    info_.backward_scratch += 2 * channels;
    // Moments need no backward; the rest is rebuilt from x, and the sign from y where a residual decided it.
    info_.keeps_in.assign(info_.in.size(), false);
    info_.keeps_in[0] = args.backward() && (spec.batch_statistics || args.wants_dparams || relu());
    info_.keeps_out = args.backward() && relu() && spec.residual;
    info_.in_place = info_.keeps_in[0] ? -1 : 0;
    info_.din_in_place = spec.residual ? 1 : 0;
    info_.rebuilds = true;
    info_.implementation = loops().name;
  }

  void pack(int param, std::span<const float> plain, std::span<float> packed) const override {
    ensure(param < 4, "batch norm has four parameters");
    std::fill(std::copy(plain.begin(), plain.end(), packed.begin()), packed.end(), 0.0f);
  }
  void unpack(int, std::span<const float> packed, std::span<float> plain) const override {
    std::copy_n(packed.begin(), plain.size(), plain.begin());
  }

  void forward(const Forward& run) override {
    const Stats stats = at(run.saved);
    if (spec_.batch_statistics) gather(run);
    for (std::int64_t c = 0; c < padded_channels(layout_); ++c) {
      double mean = run.params[mean_at][c], variance = run.params[variance_at][c];
      if (spec_.batch_statistics) {
        mean = stats.mean[c], variance = stats.inverse[c];  // as gather() left them
        const double count = static_cast<double>(layout_.shape.n * layout_.pixels());
        const double unbiased = count > 1 ? variance * count / (count - 1) : variance;
        move(run.params[mean_at][c], mean);
        move(run.params[variance_at][c], unbiased);
      }
      stats.mean[c] = static_cast<float>(mean);
      const double inverse = 1.0 / std::sqrt(variance + spec_.eps);
      stats.inverse[c] = static_cast<float>(inverse);
      stats.factor[c] = static_cast<float>(run.params[gamma_at][c] * inverse);
      stats.shift[c] = run.params[beta_at][c];
    }
    rebuild(run);
  }

  void rebuild(const Forward& run) override {
    const Stats stats = at(run.saved);
    for_each_tile([&](std::int64_t offset, std::int64_t pixels, const Group& group) {
      loops().normalize(run.in[0] + offset, spec_.residual ? run.in[1] + offset : nullptr, run.out + offset,
                        pixels, layout_.block, group.width, of(stats, group), relu());
    });
  }

  void backward(const Backward& run) override {
    const Stats stats = at(run.saved);
    const std::int64_t channels = padded_channels(layout_);
    float* const slope = run.scratch + partial_size();
    float* const offsets = slope + channels;
    std::fill(slope, slope + 2 * channels, 0.0f);
    const bool wants_params = run.dparams[gamma_at] != nullptr;
    if (spec_.batch_statistics || wants_params) sum_gradients(run);
    const auto* const sums = reinterpret_cast<const double*>(run.scratch);
    const double count = static_cast<double>(layout_.shape.n * layout_.pixels());
    for (std::int64_t c = 0; c < channels && (spec_.batch_statistics || wants_params); ++c) {
      const double inverse = stats.inverse[c];
      const double sum_g = sums[c], sum_gx = sums[channels + c];
      if (wants_params) {
        run.dparams[gamma_at][c] = static_cast<float>(sum_gx * inverse);
        run.dparams[beta_at][c] = static_cast<float>(sum_g);
      }
      if (spec_.batch_statistics) {
        slope[c] = static_cast<float>(-stats.factor[c] * inverse * inverse * sum_gx / count);
        offsets[c] = static_cast<float>(-stats.factor[c] * sum_g / count);
      }
    }
    float* const dresidual = spec_.residual ? run.din[1] : nullptr;
    if (!run.din[0] && !dresidual) return;
    for_each_tile([&](std::int64_t offset, std::int64_t pixels, const Group& group) {
      loops().gradient(x_of(run) + offset, run.out ? run.out + offset : nullptr, run.dout + offset,
                       run.din[0] ? run.din[0] + offset : nullptr, dresidual ? dresidual + offset : nullptr,
                       pixels, layout_.block, group.width, of(stats, group), slope + group.channel,
                       offsets + group.channel, relu());
    });
  }

 private:
  /// What forward leaves for backward, one number per channel.
  struct Stats {
    float *mean, *factor, *shift, *inverse;
  };
  Stats at(float* saved) const {
    const std::int64_t channels = padded_channels(layout_);
    return {saved, saved + channels, saved + 2 * channels, saved + 3 * channels};
  }
  static ChannelStats of(const Stats& stats, const Group& group) {
    return {stats.mean + group.channel, stats.factor + group.channel, stats.shift + group.channel};
  }
  bool relu() const { return spec_.activation.kind == Activation::relu; }
  /// Two doubles for each channel of each picture.
  std::int64_t partial_size() const { return 4 * layout_.shape.n * padded_channels(layout_); }
  void move(float& running, double batch) const {
    running = static_cast<float>((1.0 - spec_.momentum) * running + spec_.momentum * batch);
  }
  /// Where x is not kept nothing reads its values, only addresses are computed.
  static const float* x_of(const Backward& run) { return run.in[0] ? run.in[0] : run.dout; }

  /// Calls run(offset, pixels, group) for pieces of every picture and group, in parallel.
  template <class Run>
  void for_each_tile(Run run) const {
    const std::int64_t per_picture = groups_.per_picture(), items = layout_.shape.n * per_picture;
#pragma omp parallel for schedule(static)
    for (std::int64_t item = 0; item < items; ++item) {
      const Group group = groups_[item % per_picture];
      const std::int64_t start = item / per_picture * groups_.picture_size() + group.offset;
      run(start, layout_.pixels(), group);
    }
  }

  /// Mean and biased variance of every channel, into stats.mean and stats.inverse. Pieces of a picture, then
  /// pictures, are put together by Chan, Golub & LeVeque (1979): E[x^2] - E[x]^2 would lose all digits
  /// where the mean is large.
  void gather(const Forward& run) const {
    const std::int64_t channels = padded_channels(layout_), pictures = layout_.shape.n;
    auto* const means = reinterpret_cast<double*>(run.scratch);
    double* const m2s = means + pictures * channels;
    const std::int64_t per_picture = groups_.per_picture(), items = pictures * per_picture;
#pragma omp parallel for schedule(static)
    for (std::int64_t item = 0; item < items; ++item) {
      const Group group = groups_[item % per_picture];
      const std::int64_t n = item / per_picture;
      const float* const x = run.in[0] + n * groups_.picture_size() + group.offset;
      double mean[widest] = {}, m2[widest] = {};
      for (std::int64_t from = 0; from < layout_.pixels(); from += tile_pixels) {
        const std::int64_t pixels = std::min(tile_pixels, layout_.pixels() - from);
        float tile_mean[widest], tile_m2[widest];
        loops().moments(x + from * layout_.block, pixels, layout_.block, group.width, tile_mean, tile_m2);
        const double share = static_cast<double>(pixels) / static_cast<double>(from + pixels);
        for (int j = 0; j < group.width; ++j) {
          const double difference = tile_mean[j] - mean[j];
          mean[j] += difference * share;
          m2[j] += tile_m2[j] + difference * difference * share * static_cast<double>(from);
        }
      }
      std::copy_n(mean, group.width, means + n * channels + group.channel);
      std::copy_n(m2, group.width, m2s + n * channels + group.channel);
    }
    const Stats stats = at(run.saved);
    for (std::int64_t c = 0; c < channels; ++c) {
      double mean = 0, m2 = 0;
      for (std::int64_t n = 0; n < pictures; ++n) {
        const double difference = means[n * channels + c] - mean;
        mean += difference / static_cast<double>(n + 1);
        m2 += m2s[n * channels + c] + difference * difference * static_cast<double>(layout_.pixels() * n) /
                                          static_cast<double>(n + 1);
      }
      stats.mean[c] = static_cast<float>(mean);
      stats.inverse[c] = static_cast<float>(m2 / static_cast<double>(pictures * layout_.pixels()));
    }
  }

  /// Sums of g and of g * (x - mean) for every channel, to the front of the scratch.
  void sum_gradients(const Backward& run) const {
    const Stats stats = at(run.saved);
    const std::int64_t channels = padded_channels(layout_), pictures = layout_.shape.n;
    auto* const sums = reinterpret_cast<double*>(run.scratch);
    const std::int64_t per_picture = groups_.per_picture(), items = pictures * per_picture;
#pragma omp parallel for schedule(static)
    for (std::int64_t item = 0; item < items; ++item) {
      const Group group = groups_[item % per_picture];
      const std::int64_t n = item / per_picture, start = n * groups_.picture_size() + group.offset;
      double sum_g[widest] = {}, sum_gx[widest] = {};
      for (std::int64_t from = 0; from < layout_.pixels(); from += tile_pixels) {
        const std::int64_t pixels = std::min(tile_pixels, layout_.pixels() - from);
        const std::int64_t offset = start + from * layout_.block;
        float g[widest], gx[widest];
        loops().gradient_sums(run.in[0] + offset, run.out ? run.out + offset : nullptr, run.dout + offset,
                              pixels, layout_.block, group.width, of(stats, group), relu(), g, gx);
        for (int j = 0; j < group.width; ++j) sum_g[j] += g[j], sum_gx[j] += gx[j];
      }
      double* const at_picture = sums + 2 * n * channels + group.channel;
      std::copy_n(sum_g, group.width, at_picture);
      std::copy_n(sum_gx, group.width, at_picture + channels);
    }
    for (std::int64_t n = 1; n < pictures; ++n)
      for (std::int64_t c = 0; c < 2 * channels; ++c) sums[c] += sums[2 * n * channels + c];
  }

  BatchNormSpec spec_;
  Layout layout_;
  Groups groups_;
};

}  // namespace

std::unique_ptr<Op> batch_norm(const BatchNormSpec& spec, const PlanArgs& args) {
  return std::make_unique<BatchNormOp>(spec, args);
}

}  // namespace enxerto::cpu
