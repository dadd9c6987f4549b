#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/kernels/cpu/cpu.h"
#include "enxerto/kernels/cpu/loops.h"
#include "enxerto/kernels/cpu/tiles.h"

namespace enxerto::cpu {
namespace {

constexpr int widest = 16;

/// Parameters: gamma, beta, running mean, running variance.
enum : std::size_t { gamma_at, beta_at, mean_at, variance_at };

/// Activations and their gradients are of type T, float or Bf16.
template <class T>
class BatchNormOp : public Op {
 public:
  BatchNormOp(const BatchNormSpec& spec, const PlanArgs& args, const Layout& layout)
      : spec_(spec), layout_(layout), groups_(layout_), f_(spec.activation.kind) {
    const std::int64_t channels = padded_channels(layout_);
    info_.in.assign(spec.residual ? 2 : 1, layout_);
    info_.out = layout_;
    info_.params.assign(4, channels);
    info_.saved = 4 * channels;
    info_.forward_scratch = info_.backward_scratch = partial_size();
    info_.backward_scratch += 2 * channels;
    // Moments need no backward; the rest is rebuilt from x, and y decides what is let through where there is
    // a residual.
    info_.keeps_in.assign(info_.in.size(), false);
    info_.keeps_in[0] =
        args.backward() && (spec.batch_statistics || args.wants_dparams || f_ != Activation::none);
    info_.keeps_out = args.backward() && f_ != Activation::none && spec.residual;
    info_.in_place = info_.keeps_in[0] ? -1 : 0;
    info_.din_in_place = spec.residual ? 1 : 0;
    info_.rebuilds = true;
    info_.implementation = implementation_of(layout_);
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
    const T *const x = numbers<T>(run.in[0]), *const residual =
                                                  spec_.residual ? numbers<T>(run.in[1]) : nullptr;
    T* const y = numbers<T>(run.out);
    for_each_tile([&](const Tile& tile) {
      const std::int64_t at = tile.offset;
      loops().norm.of<T>().normalize(x + at, residual ? residual + at : nullptr, y + at, tile.pixels,
                                     layout_.block, tile.group.width, of(stats, tile.group), f_);
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
    T *const dx = numbers<T>(run.din[0]), *const dresidual =
                                              spec_.residual ? numbers<T>(run.din[1]) : nullptr;
    if (!dx && !dresidual) return;
    // Where x is not kept nothing reads its values, only addresses are computed.
    const T *const dy = numbers<T>(run.dout), *const x = run.in[0] ? numbers<T>(run.in[0]) : dy,
                   *const y = numbers<T>(run.out);
    for_each_tile([&](const Tile& tile) {
      const std::int64_t at = tile.offset;
      loops().norm.of<T>().gradient(x + at, y ? y + at : nullptr, dy + at, dx ? dx + at : nullptr,
                                    dresidual ? dresidual + at : nullptr, tile.pixels, layout_.block,
                                    tile.group.width, of(stats, tile.group), slope + tile.group.channel,
                                    offsets + tile.group.channel, f_);
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
  /// Two doubles for each channel of each picture.
  std::int64_t partial_size() const { return 4 * layout_.shape.n * padded_channels(layout_); }
  void move(float& running, double batch) const {
    running = static_cast<float>((1.0 - spec_.momentum) * running + spec_.momentum * batch);
  }
  /// Some pixels of one picture and one group of channels.
  struct Tile {
    std::int64_t n, from, pixels, offset;  ///< picture, first pixel, how many, numbers from the start
    Group group;
  };
  /// Calls run(tile) for all of it: each picture and group of channels by one thread, its tiles in order.
  /// Channels last, a picture by one thread, all groups of some pixels before the next pixels. What is read
  /// twice is then still in the first-level cache.
  template <class Run>
  void for_each_tile(Run run) const {
    const std::int64_t groups = groups_.per_picture(), pixels = layout_.pixels();
    const bool whole_rows = layout_.blocks() == 1;
    const std::int64_t together = whole_rows ? groups : 1, items = layout_.shape.n * groups / together;
    const std::int64_t most = whole_rows ? std::clamp<std::int64_t>((1 << 14) / layout_.block, 16, 256) : 256;
#pragma omp parallel for schedule(static)
    for (std::int64_t item = 0; item < items; ++item) {
      const std::int64_t n = item * together / groups, first = item * together % groups;
      for (std::int64_t from = 0; from < pixels; from += most)
        for (std::int64_t g = first; g < first + together; ++g) {
          const Group group = groups_[g];
          const std::int64_t start = n * groups_.picture_size() + group.offset;
          run({n, from, std::min(most, pixels - from), start + from * layout_.block, group});
        }
    }
  }

  /// Mean and biased variance of every channel, into stats.mean and stats.inverse. Pieces of a picture, then
  /// pictures, are put together by Chan, Golub & LeVeque (1979): E[x^2] - E[x]^2 would lose all digits
  /// where the mean is large.
  void gather(const Forward& run) const {
    const std::int64_t channels = padded_channels(layout_), pictures = layout_.shape.n;
    auto* const means = reinterpret_cast<double*>(run.scratch);
    double* const m2s = means + pictures * channels;
    std::fill_n(means, 2 * pictures * channels, 0.0);
    for_each_tile([&](const Tile& tile) {
      float tile_mean[widest], tile_m2[widest];
      loops().norm.of<T>().moments(numbers<T>(run.in[0]) + tile.offset, tile.pixels, layout_.block,
                                   tile.group.width, tile_mean, tile_m2);
      double* const mean = means + tile.n * channels + tile.group.channel;
      double* const m2 = m2s + tile.n * channels + tile.group.channel;
      const auto before = static_cast<double>(tile.from), pixels = static_cast<double>(tile.pixels);
      const double share = pixels / (before + pixels);
      for (int j = 0; j < tile.group.width; ++j) {
        const double difference = tile_mean[j] - mean[j];
        mean[j] += difference * share;
        m2[j] += tile_m2[j] + difference * difference * share * before;
      }
    });
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
    std::fill_n(sums, 2 * pictures * channels, 0.0);
    const T *const x = numbers<T>(run.in[0]), *const y = numbers<T>(run.out),
                   *const dy = numbers<T>(run.dout);
    for_each_tile([&](const Tile& tile) {
      const std::int64_t at = tile.offset;
      float g[widest], gx[widest];
      loops().norm.of<T>().gradient_sums(x + at, y ? y + at : nullptr, dy + at, tile.pixels, layout_.block,
                                         tile.group.width, of(stats, tile.group), f_, g, gx);
      double* const sum_g = sums + 2 * tile.n * channels + tile.group.channel;
      for (int j = 0; j < tile.group.width; ++j) sum_g[j] += g[j], sum_g[channels + j] += gx[j];
    });
    for (std::int64_t n = 1; n < pictures; ++n)
      for (std::int64_t c = 0; c < 2 * channels; ++c) sums[c] += sums[2 * n * channels + c];
  }

  BatchNormSpec spec_;
  Layout layout_;
  Groups groups_;
  Activation f_;
};

}  // namespace

std::unique_ptr<Op> batch_norm(const BatchNormSpec& spec, const PlanArgs& args) {
  const Layout layout = common_layout(spec.shape, args.in);
  if (layout.bf16) return std::make_unique<BatchNormOp<Bf16>>(spec, args, layout);
  return std::make_unique<BatchNormOp<float>>(spec, args, layout);
}

}  // namespace enxerto::cpu
