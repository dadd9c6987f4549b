// The loops of rows.h, compiled once per instruction set: the including file defines ENXERTO_ISA (a
// namespace), ENXERTO_ISA_NAME, and ENXERTO_LANES, the floats of a vector. Blocks of accumulators stay in
// registers.
#include <cstring>

#include "enxerto/kernels/rows/rows.h"

namespace enxerto::cpu::ENXERTO_ISA {
namespace {

constexpr int lanes = ENXERTO_LANES;
constexpr int most_classes = 5;
constexpr int block_rows = lanes == 16 ? 4 : 2;     // times most_classes: 20 of 32 registers, or 10 of 16
constexpr int block_vectors = lanes == 16 ? 4 : 2;  // the same the other way round
constexpr int outer_rows = 16;                      // rows that are streamed at once

#include "enxerto/kernels/vectors.inl"

using Vector = F<lanes>;

/// The sum of a vector's elements, by halves: the same order for every row.
template <int N>
inline float sum_of(const float* values) {
  if constexpr (N == 1) {
    return values[0];
  } else {
    const F<N / 2> low = load<N / 2>(values) + load<N / 2>(values + N / 2);
    return sum_of<N / 2>(reinterpret_cast<const float*>(&low));
  }
}

/// R rows times K classes. Every sum is made in the same order whatever R and K are.
template <int R, int K, bool Shifted>
inline void score_tile(const float* const* rows, const float* mean, const float* w, std::int64_t w_stride,
                       int classes, std::int64_t width, float* out) {
  Vector sum[R][K] = {};
  std::int64_t j = 0;
  for (; j + lanes <= width; j += lanes) {
    Vector x[R];
    for (int r = 0; r < R; ++r) {
      x[r] = load<lanes>(rows[r] + j);
      if constexpr (Shifted) x[r] -= load<lanes>(mean + j);
    }
    for (int k = 0; k < K; ++k) {
      const Vector weight = load<lanes>(w + k * w_stride + j);
      for (int r = 0; r < R; ++r) sum[r][k] += x[r] * weight;
    }
  }
  for (int r = 0; r < R; ++r)
    for (int k = 0; k < K; ++k) {
      float total = sum_of<lanes>(reinterpret_cast<const float*>(&sum[r][k]));
      for (std::int64_t rest = j; rest < width; ++rest)
        total += (Shifted ? rows[r][rest] - mean[rest] : rows[r][rest]) * w[k * w_stride + rest];
      out[r * classes + k] = total;
    }
}

/// Calls run.template operator()<K>(first) for groups of at most most_classes classes, as even as may be.
template <class Run>
inline void in_groups(int classes, const Run& run) {
  for (int first = 0; first < classes;) {
    const int left = classes - first;
    const int groups = (left + most_classes - 1) / most_classes;
    const int size = (left + groups - 1) / groups;
    if (size == 5)
      run.template operator()<5>(first);
    else if (size == 4)
      run.template operator()<4>(first);
    else if (size == 3)
      run.template operator()<3>(first);
    else if (size == 2)
      run.template operator()<2>(first);
    else
      run.template operator()<1>(first);
    first += size;
  }
}

template <bool Shifted>
void scores_of(const float* const* rows, std::int64_t count, const float* mean, const float* w,
               std::int64_t w_stride, int classes, std::int64_t width, float* out) {
  std::int64_t i = 0;
  for (; i + block_rows <= count; i += block_rows)
    in_groups(classes, [&]<int K>(int first) {
      score_tile<block_rows, K, Shifted>(rows + i, mean, w + first * w_stride, w_stride, classes, width,
                                         out + i * classes + first);
    });
  for (; i < count; ++i)
    in_groups(classes, [&]<int K>(int first) {
      score_tile<1, K, Shifted>(rows + i, mean, w + first * w_stride, w_stride, classes, width,
                                out + i * classes + first);
    });
}

/// V vectors of columns times K classes, over some rows.
template <int V, int K, bool Shifted>
inline void outer_tile(const float* const* rows, int count, const float* mean, const float* scale,
                       const float* factors, int classes, std::int64_t j, float* g, std::int64_t g_stride) {
  Vector sum[K][V] = {}, shift[V];
  if constexpr (Shifted)
    for (int v = 0; v < V; ++v) shift[v] = load<lanes>(mean + j + v * lanes);
  for (int r = 0; r < count; ++r) {
    Vector x[V];
    for (int v = 0; v < V; ++v) {
      x[v] = load<lanes>(rows[r] + j + v * lanes);
      if constexpr (Shifted) x[v] -= shift[v];
    }
    for (int k = 0; k < K; ++k) {
      const Vector factor = fill<lanes>(factors[r * classes + k]);
      for (int v = 0; v < V; ++v) sum[k][v] += factor * x[v];
    }
  }
  for (int v = 0; v < V; ++v) {
    const Vector by = scale ? load<lanes>(scale + j + v * lanes) : fill<lanes>(1.0f);
    for (int k = 0; k < K; ++k) {
      float* const at = g + k * g_stride + j + v * lanes;
      store<lanes>(at, load<lanes>(at) + sum[k][v] * by);
    }
  }
}

template <bool Shifted>
void outer_of(const float* const* rows, std::int64_t count, const float* mean, const float* scale,
              const float* factors, int classes, std::int64_t width, float* g, std::int64_t g_stride) {
  for (std::int64_t i = 0; i < count; i += outer_rows) {
    const int some = static_cast<int>(count - i < outer_rows ? count - i : outer_rows);
    const float* const* const group = rows + i;
    std::int64_t j = 0;
    for (; j + block_vectors * lanes <= width; j += block_vectors * lanes)
      in_groups(classes, [&]<int K>(int first) {
        outer_tile<block_vectors, K, Shifted>(group, some, mean, scale, factors + i * classes + first,
                                              classes, j, g + first * g_stride, g_stride);
      });
    for (; j + lanes <= width; j += lanes)
      in_groups(classes, [&]<int K>(int first) {
        outer_tile<1, K, Shifted>(group, some, mean, scale, factors + i * classes + first, classes, j,
                                  g + first * g_stride, g_stride);
      });
    for (; j < width; ++j)
      for (int k = 0; k < classes; ++k) {
        float sum = 0;
        for (int r = 0; r < some; ++r)
          sum += factors[(i + r) * classes + k] * (Shifted ? group[r][j] - mean[j] : group[r][j]);
        g[k * g_stride + j] += scale ? sum * scale[j] : sum;
      }
  }
}

void scores(const float* const* rows, std::int64_t count, const float* mean, const float* w,
            std::int64_t w_stride, int classes, std::int64_t width, float* out) {
  mean ? scores_of<true>(rows, count, mean, w, w_stride, classes, width, out)
       : scores_of<false>(rows, count, mean, w, w_stride, classes, width, out);
}

void outer(const float* const* rows, std::int64_t count, const float* mean, const float* scale,
           const float* factors, int classes, std::int64_t width, float* g, std::int64_t g_stride) {
  mean ? outer_of<true>(rows, count, mean, scale, factors, classes, width, g, g_stride)
       : outer_of<false>(rows, count, mean, scale, factors, classes, width, g, g_stride);
}

}  // namespace

const RowLoops& row_table() {
  static constexpr RowLoops one{ENXERTO_ISA_NAME, scores, outer};
  return one;
}

}  // namespace enxerto::cpu::ENXERTO_ISA
