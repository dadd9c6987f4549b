// The kernels of direct.h, compiled for AVX-512 and run where the chip has it (direct.cpp).
#include <omp.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "enxerto/kernels/direct/direct.h"

namespace enxerto::direct::avx512 {
namespace {

#include "enxerto/kernels/vectors.inl"

constexpr int widest = 16;  ///< channels of a group

/// The activations that suits() lets in, as bounds: v = clamp(v, low, high), then for hard_swish, whose low
/// is -3, v * min((v + 3) / 6, 1).
struct Bounds {
  explicit Bounds(const ActivationSpec& activation) : swish(activation.kind == Activation::hard_swish) {
    if (activation.kind == Activation::relu || activation.kind == Activation::relu6) low = 0;
    if (activation.kind == Activation::relu6) high = 6;
    if (swish) low = -3;
  }
  float low = -std::numeric_limits<float>::infinity(), high = std::numeric_limits<float>::infinity();
  bool swish;
};

template <int P, class V>
[[gnu::always_inline]] inline void activate(const Bounds& bounds, V (&v)[P]) {
  const V low = bounds.low - V{}, high = bounds.high - V{}, one = 1.0f - V{};
#pragma GCC unroll 16
  for (int p = 0; p < P; ++p) {
    v[p] = low > v[p] ? low : v[p];
    v[p] = high < v[p] ? high : v[p];
  }
  if (!bounds.swish) return;
#pragma GCC unroll 16
  for (int p = 0; p < P; ++p) {
    const V share = (v[p] + 3.0f) * (1.0f / 6);
    v[p] *= one < share ? one : share;
  }
}

/// How many pixels a kernel can make at a time, as registers allow.
using Runs = std::integer_sequence<int, 14, 10, 7, 4>;

/// The least of them with which a row of `width` takes no more runs than with the longest.
template <int... each>
std::int64_t run_for(std::int64_t width, std::integer_sequence<int, each...>) {
  const std::int64_t longest = std::max({each...}), count = (width + longest - 1) / longest;
  std::int64_t best = longest;
  ((each * count >= width ? void(best = std::min<std::int64_t>(best, each)) : void()), ...);
  return best;
}
std::int64_t run_for(std::int64_t width) { return run_for(width, Runs{}); }

/// Calls run.template operator()<P>() for the number of pixels.
template <class Run, int... each>
void with_run(std::int64_t pixels, Run run, std::integer_sequence<int, each...>) {
  ((pixels == each ? run.template operator()<each>() : void()), ...);
}

/// The columns that the windows of a row look at: padding before, pixels of the picture, padding behind.
struct Columns {
  explicit Columns(const ConvSpec& spec) {
    const std::int64_t run = run_for(spec.out.w), out = (spec.out.w + run - 1) / run * run;
    all = (out - 1) * spec.window.stride_w + spec.window.kernel_w;
    before = std::min(spec.window.pad_left, all);
    pixels = std::min(spec.in.w, all - before);
  }
  std::int64_t all = 0, before = 0, pixels = 0;
};

/// Rows of the input with their padding beside them, so that no window looks over an edge: the last kernel_h
/// ones, each copied once. A row has `planes` of columns of `numbers`.
class Ring {
 public:
  static std::int64_t size(const ConvSpec& spec) {
    const std::int64_t numbers = spec.groups == 1 ? spec.in.c : widest;
    return (spec.window.kernel_h * Columns(spec).all * numbers + 15) / 16 * 16;
  }

  Ring(const ConvSpec& spec, std::int64_t planes, std::int64_t numbers, float* memory)
      : window_(spec.window), columns_(spec), height_(spec.in.h), numbers_(numbers), memory_(memory) {
    row_size_ = planes * columns_.all * numbers;
    // The padding stays zero: only pixels are written.
    const std::int64_t pixels = columns_.pixels * numbers, row = columns_.all * numbers;
    for (std::int64_t i = 0; i < window_.kernel_h * planes; ++i) {
      float* const begin = memory + i * row;
      float* const behind = std::fill_n(begin, columns_.before * numbers, 0.0f) + pixels;
      std::fill(behind, begin + row, 0.0f);
    }
  }

  /// What row `y` of the output needs is there from now on: copy(row, to, pixels) brings what is not.
  template <class Copy>
  void move_to(std::int64_t y, Copy copy) {
    const std::int64_t first = y * window_.stride_h - window_.pad_top;
    begin_ = std::max<std::int64_t>(0, -first);
    end_ = std::max(begin_, std::min(window_.kernel_h, height_ - first));
    for (next_ = std::max(next_, first + begin_); next_ < first + end_; ++next_)
      copy(next_, at(next_) + columns_.before * numbers_, columns_.pixels);
    for (std::int64_t r = begin_; r < end_; ++r) rows_[r] = at(first + r);
  }
  /// The window's rows that lie inside the picture.
  std::int64_t begin() const { return begin_; }
  std::int64_t end() const { return end_; }
  const float* row(std::int64_t r) const { return rows_[r]; }
  std::int64_t columns() const { return columns_.all; }

 private:
  float* at(std::int64_t row) const { return memory_ + row % window_.kernel_h * row_size_; }

  const Window& window_;
  Columns columns_;
  std::int64_t height_, numbers_, row_size_ = 0;
  float* memory_;
  std::int64_t begin_ = 0, end_ = 0, next_ = 0;
  const float* rows_[5] = {};
};

std::int64_t scratch_size(const ConvSpec& spec, int threads) { return threads * Ring::size(spec); }

/// Calls run(n, begin, end, scratch) for bands of output rows, in parallel: a picture's band of the input
/// stays in the second cache while one group after the other reads it, and there is a band for each thread.
template <class Run>
void bands(const Call& call, Run run) {
  const ConvSpec& spec = *call.spec;
  constexpr std::int64_t band_floats = 1 << 16;
  const std::int64_t by_size = (call.x_size + band_floats - 1) / band_floats;
  const std::int64_t by_threads = (call.threads + spec.out.n - 1) / spec.out.n;
  const std::int64_t count = std::min(spec.out.h, std::max(by_size, by_threads));
  const std::int64_t each = Ring::size(spec);
#pragma omp parallel for schedule(static) num_threads(call.threads)
  for (std::int64_t item = 0; item < spec.out.n * count; ++item) {
    const std::int64_t band = item % count;
    run(item / count, band * spec.out.h / count, (band + 1) * spec.out.h / count,
        call.scratch + omp_get_thread_num() * each);
  }
}

/// Adds what one row of the window gives to P sums: each column is read once, for all places that see it.
template <int W, int K, int S, int P, class Read>
[[gnu::always_inline]] inline void add_row(Read read, const float* weights, F<W> (&sum)[P]) {
  F<W> weight[K];
#pragma GCC unroll 16
  for (int k = 0; k < K; ++k) weight[k] = load<W>(weights + k * W);
#pragma GCC unroll 64
  for (int column = 0; column < (P - 1) * S + K; ++column) {
    const F<W> pixel = read(column);
#pragma GCC unroll 16
    for (int k = 0; k < K; ++k)
      if (column >= k && (column - k) % S == 0 && (column - k) / S < P)
        sum[(column - k) / S] += pixel * weight[k];
  }
}

/// The first `count` of the pixels.
template <int W, int P>
[[gnu::always_inline]] inline void write(const F<W> (&v)[P], std::int64_t count, float* y,
                                         std::int64_t step) {
  if (count >= P) {
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) store<W>(y + p * step, v[p]);
    return;
  }
#pragma GCC unroll 16
  for (int p = 0; p < P; ++p)
    if (p < count) store<W>(y + p * step, v[p]);
}

/// A band of the output for one group.
template <int W, int S, int P>
void depthwise_band(const Call& call, const Group& group, std::int64_t n, std::int64_t begin,
                    std::int64_t end, float* scratch) {
  constexpr int K = 5;
  const ConvSpec& spec = *call.spec;
  const float* const x = call.x + n * call.x_size + group.x;
  const float* const weights = call.weights + group.channel * K * K;
  const F<W> bias = call.bias ? load<W>(call.bias + group.channel) : F<W>{};
  const std::int64_t in_w = spec.in.w, out_w = spec.out.w, x_step = call.x_step, y_step = call.y_step;
  const Bounds bounds(spec.activation);
  Ring ring(spec, 1, W, scratch);
  for (std::int64_t i = begin; i < end; ++i) {
    ring.move_to(i, [=](std::int64_t row, float* to, std::int64_t pixels) {
      const float* const from = x + row * in_w * x_step;
      for (std::int64_t p = 0; p < pixels; ++p) store<W>(to + p * W, load<W>(from + p * x_step));
    });
    float* y = call.y + n * call.y_size + group.y + i * out_w * y_step;
    for (std::int64_t j = 0; j < out_w; j += P, y += P * y_step) {
      F<W> sum[P];
#pragma GCC unroll 16
      for (int p = 0; p < P; ++p) sum[p] = bias;
      for (std::int64_t r = ring.begin(); r < ring.end(); ++r) {
        const float* const row = opaque(ring.row(r) + j * S * W);
        add_row<W, K, S>([=](int column) { return load<W>(row + column * W); }, weights + r * K * W, sum);
      }
      activate<P>(bounds, sum);
      write<W, P>(sum, out_w - j, y, y_step);
    }
  }
}

void depthwise(const Call& call) {
  const std::int64_t stride = call.spec->window.stride_w;
  const auto run = [&]<int P>() {
    const auto wide = stride == 1 ? depthwise_band<16, 1, P> : depthwise_band<16, 2, P>;
    const auto narrow = stride == 1 ? depthwise_band<8, 1, P> : depthwise_band<8, 2, P>;
    bands(call, [&](std::int64_t n, std::int64_t begin, std::int64_t end, float* scratch) {
      for (const Group& group : call.groups)
        (group.width == 16 ? wide : narrow)(call, group, n, begin, end, scratch);
    });
  };
  with_run(run_for(call.spec->out.w), run, Runs{});
}

/// One row of the output for one group.
template <int W, int S, int P>
void row_of_few(const Call& call, const Group& group, const Ring& ring, float* y) {
  constexpr int K = 3;
  const std::int64_t channels = call.spec->in.c, out_w = call.spec->out.w, y_step = call.y_step;
  const float* const weights = call.weights + group.channel * channels * K * K;
  const F<W> bias = call.bias ? load<W>(call.bias + group.channel) : F<W>{};
  const Bounds bounds(call.spec->activation);
  for (std::int64_t j = 0; j < out_w; j += P, y += P * y_step) {
    F<W> sum[P];
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) sum[p] = bias;
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t r = ring.begin(); r < ring.end(); ++r) {
        const float* const row = opaque(ring.row(r) + c * ring.columns() + j * S);
        add_row<W, K, S>([=](int column) { return fill<W>(row[column]); }, weights + (c * K + r) * K * W,
                         sum);
      }
    activate<P>(bounds, sum);
    write<W, P>(sum, out_w - j, y, y_step);
  }
}

void of_few_channels(const Call& call) {
  const ConvSpec& spec = *call.spec;
  const std::int64_t stride = spec.window.stride_w;
  const auto run = [&]<int P>() {
    const auto wide = stride == 1 ? row_of_few<16, 1, P> : row_of_few<16, 2, P>;
    const auto narrow = stride == 1 ? row_of_few<8, 1, P> : row_of_few<8, 2, P>;
    bands(call, [&](std::int64_t n, std::int64_t begin, std::int64_t end, float* scratch) {
      Ring ring(spec, spec.in.c, 1, scratch);
      for (std::int64_t i = begin; i < end; ++i) {
        ring.move_to(i, [&](std::int64_t row, float* to, std::int64_t pixels) {
          const float* from = call.x + n * call.x_size + row * spec.in.w;
          for (std::int64_t c = 0; c < spec.in.c; ++c, from += spec.in.h * spec.in.w, to += ring.columns())
            std::copy_n(from, pixels, to);
        });
        float* const y = call.y + n * call.y_size + i * spec.out.w * call.y_step;
        for (const Group& group : call.groups)
          (group.width == 16 ? wide : narrow)(call, group, ring, y + group.y);
      }
    });
  };
  with_run(run_for(spec.out.w), run, Runs{});
}

}  // namespace

const Kernels& table() {
  static constexpr Kernels one{depthwise, of_few_channels, scratch_size};
  return one;
}

}  // namespace enxerto::direct::avx512
