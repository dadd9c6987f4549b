/// Standardised features, a block at a time: nothing of their size is ever copied. Not installed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "enxerto/heads/standardize.h"

namespace enxerto {

/// Rows or columns of a block: its floats should stay in the second-level cache of the cores that share it.
inline std::int64_t block_length(std::int64_t width) {
  return std::clamp((std::int64_t{1} << 20) / std::max<std::int64_t>(width, 1), std::int64_t{16},
                    std::int64_t{512});
}

/// Features as x' = factor * (x - mean) / scale: `by` may be empty, and so may `factors`, one for each row. A
/// row of factor 0 is zeros, whatever it holds.
struct Standardized {
  ConstView x;
  const Standardization& by;
  std::span<const float> factors = {};

  /// Rows [begin, begin + count) to `to`, dense.
  template <class T>
  void copy_rows(std::int64_t begin, std::int64_t count, T* to) const {
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < count; ++i) copy(begin + i, 0, x.shape.c, to + i * x.shape.c);
  }
  /// Columns [begin, begin + count) of all rows to `to`, dense {n, count}.
  template <class T>
  void copy_columns(std::int64_t begin, std::int64_t count, T* to) const {
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < x.shape.n; ++i) copy(i, begin, count, to + i * count);
  }

 private:
  template <class T>
  void copy(std::int64_t row, std::int64_t begin, std::int64_t count, T* to) const {
    const T factor = factors.empty() ? T{1} : static_cast<T>(factors[static_cast<std::size_t>(row)]);
    if (factor == 0) {
      std::fill(to, to + count, T{0});
      return;
    }
    const float* const from = x.data.data() + row * x.shape.c + begin;
    if (by.empty()) {
      for (std::int64_t j = 0; j < count; ++j) to[j] = factor * static_cast<T>(from[j]);
      return;
    }
    const float* const mean = by.mean.data() + begin;
    const float* const scale = by.scale.data() + begin;
    for (std::int64_t j = 0; j < count; ++j)
      to[j] = factor * (static_cast<T>(from[j]) - static_cast<T>(mean[j])) / static_cast<T>(scale[j]);
  }
};

}  // namespace enxerto
