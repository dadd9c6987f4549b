// The loops of loops.h, compiled once per instruction set: the including file defines ENXERTO_ISA, the
// name of the namespace. Vectors are the compiler's own, so one text serves every width.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "enxerto/kernels/cpu/loops.h"

namespace enxerto::cpu::ENXERTO_ISA {
namespace {

#include "enxerto/kernels/vectors.inl"

template <int W>
struct BitVectors {
  typedef std::uint32_t Whole __attribute__((vector_size(W * sizeof(std::uint32_t))));
  typedef std::uint16_t Half __attribute__((vector_size(W * sizeof(std::uint16_t))));
};

/// From and to bfloat16, rounded as bf16_of() does.
template <int W>
inline F<W> load(const Bf16* from) {
  typename BitVectors<W>::Half half;
  std::memcpy(&half, from, sizeof half);
  const auto bits = __builtin_convertvector(half, typename BitVectors<W>::Whole) << 16;
  F<W> v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}
template <int W>
inline void store(Bf16* to, const F<W>& v) {
  typename BitVectors<W>::Whole bits;
  std::memcpy(&bits, &v, sizeof v);
  const auto rounded = bits + 0x7FFF + (bits >> 16 & 1), quiet = bits | 0x400000;
  const auto half = __builtin_convertvector((v == v ? rounded : quiet) >> 16, typename BitVectors<W>::Half);
  std::memcpy(to, &half, sizeof half);
}

template <int W>
inline F<W> positive(const F<W>& x) {
  return x < 0.0f ? F<W>{} : x;  // NaN stays NaN
}

/// Calls run.template operator()<W>() for the width.
template <class Run>
inline void with_width(int width, Run run) {
  if (width == 16)
    run.template operator()<16>();
  else if (width == 8)
    run.template operator()<8>();
  else
    run.template operator()<1>();
}

template <class T>
void moments(const T* x, std::int64_t pixels, std::int64_t stride, int width, float* mean, float* m2) {
  with_width(width, [&]<int W>() {
    // Four sums at a time: one chain of additions would wait for itself.
    F<W> a{}, b{}, c{}, d{};
    std::int64_t p = 0;
    for (; p + 4 <= pixels; p += 4) {
      const T* at = x + p * stride;
      a += load<W>(at), b += load<W>(at + stride), c += load<W>(at + 2 * stride),
          d += load<W>(at + 3 * stride);
    }
    for (; p < pixels; ++p) a += load<W>(x + p * stride);
    const F<W> m = ((a + b) + (c + d)) / static_cast<float>(pixels);
    a = b = c = d = F<W>{};
    for (p = 0; p + 4 <= pixels; p += 4) {
      const T* at = x + p * stride;
      const F<W> e = load<W>(at) - m, f = load<W>(at + stride) - m, g = load<W>(at + 2 * stride) - m,
                 h = load<W>(at + 3 * stride) - m;
      a += e * e, b += f * f, c += g * g, d += h * h;
    }
    for (; p < pixels; ++p) {
      const F<W> e = load<W>(x + p * stride) - m;
      a += e * e;
    }
    store<W>(mean, m);
    store<W>(m2, (a + b) + (c + d));
  });
}

template <int W>
inline F<W> normalized(const F<W>& x, const F<W>& mean, const F<W>& factor, const F<W>& shift) {
  return (x - mean) * factor + shift;
}

/// Calls run.template operator()<f>(ceiling) for what batch norm ends in; relu6 is a relu with another
/// ceiling.
template <class Run>
inline void with_function(Activation f, Run run) {
  switch (f) {
    case Activation::relu:
      return run.template operator()<Activation::relu>(INFINITY);
    case Activation::relu6:
      return run.template operator()<Activation::relu>(6.0f);
    case Activation::hard_swish:
      return run.template operator()<Activation::hard_swish>(0.0f);
    default:
      return run.template operator()<Activation::none>(0.0f);
  }
}

template <class T>
void normalize(const T* x, const T* residual, T* y, std::int64_t pixels, std::int64_t stride, int width,
               ChannelStats stats, Activation function) {
  with_width(width, [&]<int W>() {
    const F<W> mean = load<W>(stats.mean), factor = load<W>(stats.factor), shift = load<W>(stats.shift);
    with_function(function, [&]<Activation f>(float ceiling) {
      const auto run = [&](auto with_residual) {
        for (std::int64_t p = 0; p < pixels; ++p) {
          F<W> v = normalized<W>(load<W>(x + p * stride), mean, factor, shift);
          if constexpr (with_residual && f != Activation::hard_swish) v += load<W>(residual + p * stride);
          if constexpr (f == Activation::relu) v = positive<W>(v), v = v > ceiling ? ceiling - F<W>{} : v;
          if constexpr (f == Activation::hard_swish)
            v = v <= -3.0f ? F<W>{} : (v >= 3.0f ? v : v * (v + 3.0f) * (1.0f / 6));
          store<W>(y + p * stride, v);
        }
      };
      residual ? run(std::true_type()) : run(std::false_type());
    });
  });
}

/// The gradient behind the activation. relu passes it on where its output was not cut off: y says so, or what
/// makes it.
template <Activation f, int W, class T>
inline F<W> gate(const F<W>& dy, const F<W>& x, const T* y, const F<W>& mean, const F<W>& factor,
                 const F<W>& shift, float ceiling) {
  if constexpr (f == Activation::none) return dy;
  const F<W> z = f == Activation::relu && y ? load<W>(y) : normalized<W>(x, mean, factor, shift);
  if constexpr (f == Activation::relu)
    return (z > 0.0f) & (z < ceiling) ? dy : F<W>{};
  else
    return z > -3.0f ? (z < 3.0f ? dy * (z * (1.0f / 3) + 0.5f) : dy) : F<W>{};
}

template <class T>
void gradient_sums(const T* x, const T* y, const T* dy, std::int64_t pixels, std::int64_t stride, int width,
                   ChannelStats stats, Activation function, float* sum_g, float* sum_gx) {
  with_width(width, [&]<int W>() {
    const F<W> mean = load<W>(stats.mean), factor = load<W>(stats.factor), shift = load<W>(stats.shift);
    with_function(function, [&]<Activation f>(float ceiling) {
      F<W> s[2] = {}, t[2] = {};
      for (std::int64_t p = 0; p < pixels; ++p) {
        const std::int64_t at = p * stride;
        const F<W> v = load<W>(x + at);
        const F<W> g = gate<f, W>(load<W>(dy + at), v, y ? y + at : y, mean, factor, shift, ceiling);
        s[p & 1] += g;
        t[p & 1] += g * (v - mean);
      }
      store<W>(sum_g, s[0] + s[1]);
      store<W>(sum_gx, t[0] + t[1]);
    });
  });
}

template <class T>
void gradient(const T* x, const T* y, const T* dy, T* dx, T* dresidual, std::int64_t pixels,
              std::int64_t stride, int width, ChannelStats stats, const float* slope, const float* offset,
              Activation function) {
  with_width(width, [&]<int W>() {
    const F<W> mean = load<W>(stats.mean), factor = load<W>(stats.factor), shift = load<W>(stats.shift);
    const F<W> a = load<W>(slope), b = load<W>(offset);
    with_function(function, [&]<Activation f>(float ceiling) {
      for (std::int64_t p = 0; p < pixels; ++p) {
        const std::int64_t at = p * stride;
        const F<W> v = load<W>(x + at);
        const F<W> g = gate<f, W>(load<W>(dy + at), v, y ? y + at : y, mean, factor, shift, ceiling);
        if (dresidual) store<W>(dresidual + at, g);
        if (dx) store<W>(dx + at, g * factor + (v - mean) * a + b);
      }
    });
  });
}

/// Runs over all elements, sixteen at a time and the rest one by one.
template <class Run>
inline void flat(std::int64_t count, Run run) {
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) run.template operator()<16>(i);
  for (; i < count; ++i) run.template operator()<1>(i);
}

inline float sigmoid_of(float x) { return 1.0f / (1.0f + std::exp(-x)); }

void activate(const ActivationSpec& spec, const float* x, float* y, std::int64_t count) {
  const float alpha = spec.alpha;
  const auto each = [&](auto f) {
    for (std::int64_t i = 0; i < count; ++i) y[i] = f(x[i]);
  };
  switch (spec.kind) {
    case Activation::none:
      if (x != y) std::memcpy(y, x, static_cast<std::size_t>(count) * sizeof(float));
      return;
    case Activation::relu:
      return each([](float v) { return v < 0 ? 0.0f : v; });
    case Activation::relu6:
      return each([](float v) { return v < 0 ? 0.0f : (v > 6 ? 6.0f : v); });
    case Activation::leaky_relu:
      return each([=](float v) { return v > 0 ? v : alpha * v; });
    case Activation::sigmoid:
      return each(sigmoid_of);
    case Activation::tanh:
      return each([](float v) { return std::tanh(v); });
    case Activation::hard_sigmoid:
      return each([](float v) { return v <= -3 ? 0.0f : (v >= 3 ? 1.0f : v / 6.0f + 0.5f); });
    case Activation::hard_swish:
      return each([](float v) { return v <= -3 ? 0.0f : (v >= 3 ? v : v * (v + 3.0f) / 6.0f); });
    case Activation::silu:
      return each([](float v) { return v * sigmoid_of(v); });
    case Activation::exp:
      return each([](float v) { return std::exp(v); });
  }
}

void activate_gradient(const ActivationSpec& spec, const float* kept, const float* dy, float* dx,
                       std::int64_t count) {
  const float alpha = spec.alpha;
  const auto each = [&](auto slope) {
    for (std::int64_t i = 0; i < count; ++i) dx[i] = dy[i] * slope(kept[i]);
  };
  const auto pass = [&](auto open) {
    for (std::int64_t i = 0; i < count; ++i) dx[i] = open(kept[i]) ? dy[i] : 0.0f;
  };
  switch (spec.kind) {
    case Activation::none:
      if (dx != dy) std::memcpy(dx, dy, static_cast<std::size_t>(count) * sizeof(float));
      return;
    case Activation::relu:
      return pass([](float y) { return y > 0; });
    case Activation::relu6:
      return pass([](float y) { return (y > 0) & (y < 6); });
    case Activation::leaky_relu:
      return each([=](float v) { return v > 0 ? 1.0f : alpha; });
    case Activation::sigmoid:
      return each([](float y) { return y * (1.0f - y); });
    case Activation::tanh:
      return each([](float y) { return 1.0f - y * y; });
    case Activation::hard_sigmoid:
      return each([](float y) { return (y > 0) & (y < 1) ? 1.0f / 6.0f : 0.0f; });
    case Activation::hard_swish:
      return each([](float x) { return x > -3 ? (x < 3 ? x / 3.0f + 0.5f : 1.0f) : 0.0f; });
    case Activation::silu:
      return each([](float x) {
        const float s = sigmoid_of(x);
        return s * (1.0f + x * (1.0f - s));
      });
    case Activation::exp:
      return each([](float y) { return y; });
  }
}

/// The loops over floats, on pieces that stay in the first-level cache.
template <std::size_t N, class Run>
inline void widened(const std::array<const Bf16*, N>& from, Bf16* to, std::int64_t count, Run run) {
  constexpr std::int64_t piece = 512;
  float floats[N + 1][piece];
  for (std::int64_t at = 0; at < count; at += piece) {
    const std::int64_t here = count - at < piece ? count - at : piece;
    for (std::size_t k = 0; k < N; ++k)
      flat(here, [&]<int W>(std::int64_t i) { store<W>(floats[k] + i, load<W>(from[k] + at + i)); });
    run(floats, here);
    flat(here, [&]<int W>(std::int64_t i) { store<W>(to + at + i, load<W>(floats[N] + i)); });
  }
}

void activate_bf16(const ActivationSpec& spec, const Bf16* x, Bf16* y, std::int64_t count) {
  widened<1>({x}, y, count, [&](auto& floats, std::int64_t n) { activate(spec, floats[0], floats[1], n); });
}

void activate_gradient_bf16(const ActivationSpec& spec, const Bf16* kept, const Bf16* dy, Bf16* dx,
                            std::int64_t count) {
  widened<2>({kept, dy}, dx, count, [&](auto& floats, std::int64_t n) {
    activate_gradient(spec, floats[0], floats[1], floats[2], n);
  });
}

template <class T>
void add(const T* a, const T* b, T* y, std::int64_t count) {
  flat(count, [=]<int W>(std::int64_t i) { store<W>(y + i, load<W>(a + i) + load<W>(b + i)); });
}

void multiply(const float* a, const float* b, float* y, std::int64_t count) {
  flat(count, [=]<int W>(std::int64_t i) { store<W>(y + i, load<W>(a + i) * load<W>(b + i)); });
}

template <class T>
void scale(const T* a, const float* factor, T* y, std::int64_t pixels, std::int64_t stride, int width) {
  with_width(width, [&]<int W>() {
    const F<W> f = load<W>(factor);
    for (std::int64_t p = 0; p < pixels; ++p) store<W>(y + p * stride, load<W>(a + p * stride) * f);
  });
}

template <class T>
void dot(const T* a, const T* b, std::int64_t pixels, std::int64_t stride, int width, float* sum) {
  with_width(width, [&]<int W>() {
    F<W> s{};
    for (std::int64_t p = 0; p < pixels; ++p) s += load<W>(a + p * stride) * load<W>(b + p * stride);
    store<W>(sum, s);
  });
}

/// Where v takes the best one's place: it is larger, or NaN, which wins as in PyTorch so that it is not lost
/// on the way.
template <int W>
inline I<W> replaces(const F<W>& v, const F<W>& best) {
  return (v > best) | (v != v);
}

template <class T>
void window_max(const T* x, int rows, int columns, std::int64_t row_stride, std::int64_t column_stride,
                int width, int first_index, int index_step, T* y, std::int32_t* index) {
  with_width(width, [&]<int W>() {
    F<W> best = load<W>(x);
    if (!index) {
      for (int r = 0; r < rows; ++r)
        for (int c = 0; c < columns; ++c) {
          const F<W> v = load<W>(x + r * row_stride + c * column_stride);
          best = replaces<W>(v, best) ? v : best;
        }
      store<W>(y, best);
      return;
    }
    I<W> where = first_index - I<W>{};
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < columns; ++c) {
        const F<W> v = load<W>(x + r * row_stride + c * column_stride);
        const I<W> better = replaces<W>(v, best);
        best = better ? v : best;
        where = better ? (first_index + r * index_step + c) - I<W>{} : where;
      }
    store<W>(y, best);
    std::memcpy(index, &where, sizeof where);
  });
}

template <class T, class Y>
void window_sum(const T* x, int rows, int columns, std::int64_t row_stride, std::int64_t column_stride,
                int width, float factor, Y* y) {
  with_width(width, [&]<int W>() {
    // A whole map is one row.
    if (row_stride == columns * column_stride) columns *= rows, rows = 1;
    // Four sums at a time: one chain of additions would wait for itself.
    F<W> a{}, b{}, c{}, d{};
    for (int r = 0; r < rows; ++r, x += row_stride) {
      int p = 0;
      for (; p + 4 <= columns; p += 4) {
        const T* const at = x + p * column_stride;
        a += load<W>(at), b += load<W>(at + column_stride), c += load<W>(at + 2 * column_stride),
            d += load<W>(at + 3 * column_stride);
      }
      for (; p < columns; ++p) a += load<W>(x + p * column_stride);
    }
    store<W>(y, ((a + b) + (c + d)) * factor);
  });
}

template <class T>
void window_route(const T* g, const std::int32_t* index, int rows, int columns, std::int64_t row_stride,
                  std::int64_t column_stride, int width, int first_index, int index_step, T* dx) {
  with_width(width, [&]<int W>() {
    const F<W> gradient = load<W>(g);
    I<W> where;
    std::memcpy(&where, index, sizeof where);
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < columns; ++c) {
        T* const at = dx + r * row_stride + c * column_stride;
        store<W>(at, load<W>(at) + (where == first_index + r * index_step + c ? gradient : F<W>{}));
      }
  });
}

template <class T, class G>
void window_spread(const G* g, int rows, int columns, std::int64_t row_stride, std::int64_t column_stride,
                   int width, float factor, T* dx) {
  with_width(width, [&]<int W>() {
    const F<W> share = load<W>(g) * factor;
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < columns; ++c) {
        T* const at = dx + r * row_stride + c * column_stride;
        store<W>(at, load<W>(at) + share);
      }
  });
}

/// Small pictures get columns of zeros beside them, in a copy, so that none of their pixels is at a border.
constexpr std::int64_t small_width = 32;

/// The columns that windows see before and behind a picture's.
struct Margins {
  std::int64_t before = 0, behind = 0;
};
constexpr int dx_run = 7;  ///< columns of dx that depthwise_columns() makes at a time
Margins margins_of_x(const Window& window, const Shape& in, const Shape& out) {
  if (in.w > small_width) return {};
  const std::int64_t last = (out.w - 1) * window.stride_w + (window.kernel_w - 1) * window.dilation_w;
  return {window.pad_left, std::max<std::int64_t>(0, last - window.pad_left - (in.w - 1))};
}
Margins margins_of_dy(const Window& window, const Shape& in, const Shape& out) {
  if (out.w > small_width) return {};
  const std::int64_t end = (in.w - 1 + window.pad_left) / window.stride_w + dx_run;
  return {(window.kernel_w - 1) / window.stride_w, std::max<std::int64_t>(0, end - out.w)};
}
std::int64_t depthwise_scratch(const Window& window, const Shape& in, const Shape& out, int width) {
  const auto [x_before, x_behind] = margins_of_x(window, in, out);
  const auto [dy_before, dy_behind] = margins_of_dy(window, in, out);
  const std::int64_t x = x_before + x_behind > 0 ? in.h * (x_before + in.w + x_behind) : 0;
  const std::int64_t dy = dy_before + dy_behind > 0 ? out.h * (dy_before + out.w + dy_behind) : 0;
  return (std::max(x, dy) * width + 15) / 16 * 16;
}

/// The copy; where there are no margins the picture itself.
template <int W>
inline const float* with_margins(const float* from, const Shape& shape, const Margins& margins, float* to) {
  if (margins.before + margins.behind == 0) return from;
  float* at = to;
  const auto zeros = [&](std::int64_t count) {
    for (std::int64_t p = 0; p < count; ++p, at += W) store<W>(at, F<W>{});
  };
  for (std::int64_t y = 0; y < shape.h; ++y) {
    zeros(margins.before);
    for (std::int64_t p = 0; p < shape.w; ++p, at += W, from += W) store<W>(at, load<W>(from));
    zeros(margins.behind);
  }
  return to;
}

/// The row of `K` weights that starts at weight `first` of kernel row `i`, over the whole picture. Pixels
/// take turns with several sums: one chain of additions would wait for itself.
template <int W, int K>
inline void depthwise_row(const Window& window, const Shape& in, const Shape& out, const float* x,
                          const float* dy, std::int64_t i, std::int64_t first, float* sums) {
  constexpr int turns = K >= 5 ? 2 : K >= 3 ? 3 : 8;
  F<W> sum[turns][K] = {};
  const std::int64_t stride = window.stride_w, dilation = window.dilation_w;
  // Output columns whose K pixels all lie inside the picture; at the borders each is looked at.
  const std::int64_t left = first * dilation - window.pad_left;
  const std::int64_t right = left + (K - 1) * dilation;
  std::int64_t from = left >= 0 ? 0 : (-left + stride - 1) / stride;
  std::int64_t to = in.w - 1 - right < 0 ? 0 : (in.w - 1 - right) / stride + 1;
  from = from < out.w ? from : out.w;
  to = to < from ? from : to < out.w ? to : out.w;
  for (std::int64_t oy = 0; oy < out.h; ++oy) {
    const std::int64_t iy = oy * window.stride_h + i * window.dilation_h - window.pad_top;
    if (iy < 0 || iy >= in.h) continue;
    const float* const row = x + iy * in.w * W;
    const float* const g_row = dy + oy * out.w * W;
    const auto border = [&](std::int64_t ox) {
      for (int j = 0; j < K; ++j) {
        const std::int64_t ix = ox * stride + left + j * dilation;
        if (ix >= 0 && ix < in.w) sum[0][j] += load<W>(row + ix * W) * load<W>(g_row + ox * W);
      }
    };
    for (std::int64_t ox = 0; ox < from; ++ox) border(ox);
    std::int64_t ox = from;
    for (; ox + turns <= to; ox += turns)
#pragma GCC unroll 8
      for (int t = 0; t < turns; ++t) {
        const F<W> g = load<W>(g_row + (ox + t) * W);
        const float* const at = opaque(row + ((ox + t) * stride + left) * W);
#pragma GCC unroll 8
        for (int j = 0; j < K; ++j) sum[t][j] += load<W>(at + j * dilation * W) * g;
      }
    for (; ox < to; ++ox) {
      const F<W> g = load<W>(g_row + ox * W);
      const float* const at = row + (ox * stride + left) * W;
#pragma GCC unroll 8
      for (int j = 0; j < K; ++j) sum[0][j] += load<W>(at + j * dilation * W) * g;
    }
    for (ox = to; ox < out.w; ++ox) border(ox);
  }
  for (int j = 0; j < K; ++j) {
    for (int t = 1; t < turns; ++t) sum[0][j] += sum[t][j];
    store<W>(sums + j * W, sum[0][j]);
  }
}

void depthwise_gradient(const Window& window, const Shape& in, const Shape& out, const float* x,
                        const float* dy, int width, float* sums, float* scratch) {
  const auto run = [&]<int W>() {
    const Margins margins = margins_of_x(window, in, out);
    Window placed = window;
    placed.pad_left -= margins.before;
    Shape wide = in;
    wide.w += margins.before + margins.behind;
    const float* const from = with_margins<W>(x, in, margins, scratch);
    for (std::int64_t i = 0; i < window.kernel_h; ++i)
      for (std::int64_t first = 0; first < window.kernel_w;) {
        float* const to = sums + (i * window.kernel_w + first) * W;
        const std::int64_t left = window.kernel_w - first;
        if (left >= 5) {
          depthwise_row<W, 5>(placed, wide, out, from, dy, i, first, to);
          first += 5;
        } else if (left >= 3) {
          depthwise_row<W, 3>(placed, wide, out, from, dy, i, first, to);
          first += 3;
        } else {
          depthwise_row<W, 1>(placed, wide, out, from, dy, i, first, to);
          first += 1;
        }
      }
    F<W> sum{};
    for (std::int64_t p = 0; p < out.h * out.w; ++p) sum += load<W>(dy + p * W);
    store<W>(sums + window.kernel_h * window.kernel_w * W, sum);
  };
  width == 16 ? run.template operator()<16>() : run.template operator()<8>();
}

/// The rows of dy that a row of dx had a part in, each with its row of weights.
struct DepthwiseRows {
  static constexpr int most = 16;
  int count = 0;
  const float *dy[most], *weights[most];
};

/// Columns of dx that `Taps` weights (each window.stride_w-th from `residue` on) reach: one row of dx.
/// Column m * stride + residue - pad_left is the sum over q < Taps of dy[m - q] * weights[residue + q *
/// stride].
template <int W, int Taps>
inline void depthwise_columns(const Window& window, const Shape& in, const Shape& out,
                              const DepthwiseRows& rows, std::int64_t residue, const Margins& margins,
                              float* dx) {
  const std::int64_t stride = window.stride_w, shift = residue - window.pad_left;
  std::int64_t m = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
  const std::int64_t end = in.w - 1 - shift < 0 ? 0 : (in.w - 1 - shift) / stride + 1;
  const auto border = [&] {
    F<W> sum{};
    for (int r = 0; r < rows.count; ++r)
      for (int q = 0; q < Taps; ++q)
        if (m - q >= 0 && m - q < out.w)
          sum += load<W>(rows.dy[r] + (m - q) * W) * load<W>(rows.weights[r] + (residue + q * stride) * W);
    store<W>(dx + (m * stride + shift) * W, sum);
  };
  for (; m < end && m < Taps - 1 - margins.before; ++m) border();
  constexpr int some = dx_run;  // columns that share a weight; the last ones perhaps for nothing
  for (; m < end && m + some <= out.w + margins.behind; m += some) {
    F<W> sum[some] = {};
    for (int r = 0; r < rows.count; ++r) {
      const float* const weights = rows.weights[r] + residue * W;
#pragma GCC unroll 8
      for (int q = 0; q < Taps; ++q) {
        const F<W> weight = load<W>(weights + q * stride * W);
        const float* const from = opaque(rows.dy[r] + (m - q) * W);
#pragma GCC unroll 8
        for (int t = 0; t < some; ++t) sum[t] += load<W>(from + t * W) * weight;
      }
    }
#pragma GCC unroll 8
    for (int t = 0; t < some; ++t)
      if (m + t < end) store<W>(dx + ((m + t) * stride + shift) * W, sum[t]);
  }
  for (; m < end; ++m) border();
}

void depthwise_data_gradient(const Window& window, const Shape& in, const Shape& out, const float* dy,
                             const float* weights, int width, float* dx, float* scratch) {
  const auto run = [&]<int W>() {
    const Margins margins = margins_of_dy(window, in, out);
    const float* const from = with_margins<W>(dy, out, margins, scratch) + margins.before * W;
    const std::int64_t row_size = (margins.before + out.w + margins.behind) * W;
    for (std::int64_t iy = 0; iy < in.h; ++iy) {
      DepthwiseRows rows;
      for (std::int64_t i = 0; i < window.kernel_h; ++i) {
        const std::int64_t at = iy + window.pad_top - i * window.dilation_h;
        if (at < 0 || at % window.stride_h != 0 || at / window.stride_h >= out.h) continue;
        rows.dy[rows.count] = from + at / window.stride_h * row_size;
        rows.weights[rows.count++] = weights + i * window.kernel_w * W;
      }
      float* const to = dx + iy * in.w * W;
      for (std::int64_t residue = 0; residue < window.stride_w; ++residue) {
        const std::int64_t taps = (window.kernel_w - residue + window.stride_w - 1) / window.stride_w;
        const auto columns = [&]<int Taps>() {
          depthwise_columns<W, Taps>(window, in, out, rows, residue, margins, to);
        };
        if (taps <= 0)
          columns.template operator()<0>();
        else if (taps == 1)
          columns.template operator()<1>();
        else if (taps == 2)
          columns.template operator()<2>();
        else if (taps == 3)
          columns.template operator()<3>();
        else if (taps == 4)
          columns.template operator()<4>();
        else
          columns.template operator()<5>();
      }
    }
  };
  width == 16 ? run.template operator()<16>() : run.template operator()<8>();
}

void widen_tile(const Bf16* from, std::int64_t pixels, std::int64_t stride, int channels, float* to) {
  constexpr int W = 16;
  if (channels == W) {
    for (std::int64_t p = 0; p < pixels; ++p) store<W>(to + p * W, load<W>(from + p * stride));
    return;
  }
  for (std::int64_t p = 0; p < pixels; ++p)
    for (int j = 0; j < W; ++j) to[p * W + j] = j < channels ? load<1>(from + p * stride + j)[0] : 0.0f;
}

void narrow_tile(const float* from, std::int64_t pixels, std::int64_t stride, int channels, Bf16* to) {
  constexpr int W = 16;
  if (channels == W) {
    for (std::int64_t p = 0; p < pixels; ++p) store<W>(to + p * stride, load<W>(from + p * W));
    return;
  }
  for (std::int64_t p = 0; p < pixels; ++p)
    for (int j = 0; j < channels; ++j) store<1>(to + p * stride + j, load<1>(from + p * W + j));
}

#ifdef __AVX512F__
constexpr int dense_lanes = 16, dense_rows = 4;
#else
constexpr int dense_lanes = 8, dense_rows = 2;
#endif

/// P rows at a time, each with the sums that it would have alone: four, so that no chain of additions waits
/// for itself.
template <int P>
inline void dense_of(const float* x, std::int64_t x_step, std::int64_t inputs, const float* weights,
                     const float* bias, float* y, std::int64_t y_step) {
  constexpr int W = dense_lanes;
  F<W> sum[P][4] = {};
  std::int64_t i = 0;
  for (; i + 4 <= inputs; i += 4)
    for (int k = 0; k < 4; ++k) {
      const F<W> weight = load<W>(weights + (i + k) * W);
      for (int p = 0; p < P; ++p) sum[p][k] += x[p * x_step + i + k] * weight;
    }
  for (; i < inputs; ++i)
    for (int p = 0; p < P; ++p) sum[p][0] += x[p * x_step + i] * load<W>(weights + i * W);
  for (int p = 0; p < P; ++p)
    store<W>(y + p * y_step, load<W>(bias) + ((sum[p][0] + sum[p][1]) + (sum[p][2] + sum[p][3])));
}

void dense(const float* x, std::int64_t x_step, std::int64_t rows, std::int64_t inputs, const float* weights,
           const float* bias, float* y, std::int64_t y_step) {
  constexpr int P = dense_rows;
  for (; rows >= P; rows -= P, x += P * x_step, y += P * y_step)
    dense_of<P>(x, x_step, inputs, weights, bias, y, y_step);
  for (; rows > 0; --rows, x += x_step, y += y_step) dense_of<1>(x, x_step, inputs, weights, bias, y, y_step);
}

/// A loop that the compiler makes shuffles of.
template <class T>
inline void interleave_three(const T* __restrict a, const T* __restrict b, const T* __restrict c,
                             std::int64_t count, T* __restrict to) {
  for (std::int64_t i = 0; i < count; ++i) {
    to[3 * i] = a[i];
    to[3 * i + 1] = b[i];
    to[3 * i + 2] = c[i];
  }
}

void interleave(const float* const planes[3], std::int64_t count, float* to) {
  interleave_three(planes[0], planes[1], planes[2], count, to);
}

void interleave(const float* const planes[3], std::int64_t count, Bf16* to) {
  constexpr std::int64_t piece = 512;
  Bf16 halves[3][piece];
  for (std::int64_t at = 0; at < count; at += piece) {
    const std::int64_t here = count - at < piece ? count - at : piece;
    for (int c = 0; c < 3; ++c)
      flat(here, [&]<int W>(std::int64_t i) { store<W>(halves[c] + i, load<W>(planes[c] + at + i)); });
    interleave_three(halves[0], halves[1], halves[2], here, to + 3 * at);
  }
}

}  // namespace

const Loops& table() {
  static constexpr Loops one{
      ENXERTO_ISA_NAME,
      {{moments, normalize, gradient_sums, gradient}, {moments, normalize, gradient_sums, gradient}},
      {{window_max, window_sum, window_sum, window_route, window_spread, window_spread},
       {window_max, window_sum, window_sum, window_route, window_spread, window_spread}},
      {{scale, dot}, {scale, dot}},
      {{interleave}, {interleave}},
      activate,
      activate_gradient,
      activate_bf16,
      activate_gradient_bf16,
      add,
      add,
      multiply,
      dense_lanes,
      dense,
      depthwise_scratch,
      depthwise_gradient,
      depthwise_data_gradient,
      widen_tile,
      narrow_tile};
  return one;
}

}  // namespace enxerto::cpu::ENXERTO_ISA
