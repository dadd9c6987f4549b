/// Arithmetic on rows of features for few outputs (classes): a product with a handful of columns is bound by
/// memory, where a general matrix product would pack what it then reads once. The loops are compiled for each
/// instruction set (rows.inl) and chosen at run time; the functions below them run on all threads and give
/// the same bits for any number of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "enxerto/tensor/tensor.h"

namespace enxerto::cpu {

struct RowLoops {
  const char* name;  ///< of the instruction set
  /// out[i * classes + k] = sum over `width` columns of (rows[i] - mean) * w[k * w_stride + column]. mean may
  /// be null.
  void (*scores)(const float* const* rows, std::int64_t count, const float* mean, const float* w,
                 std::int64_t w_stride, int classes, std::int64_t width, float* out);
  /// g[k * g_stride + column] += scale * sum over rows of factors[i * classes + k] * (rows[i] - mean). mean
  /// and scale, a number for each column, may be null.
  void (*outer)(const float* const* rows, std::int64_t count, const float* mean, const float* scale,
                const float* factors, int classes, std::int64_t width, float* g, std::int64_t g_stride);
};

/// The table for this chip.
const RowLoops& row_loops();

/// The tables that were built, for tests; null where not built. Ask chip_isa() before calling one.
const RowLoops* row_loops_generic();
const RowLoops* row_loops_avx2();
const RowLoops* row_loops_avx512();

/// Rows of a dense {n,c} block, seen as (x - mean) * scale; both may be null.
struct RowView {
  const float* x = nullptr;
  std::int64_t c = 0;
  const float* mean = nullptr;
  const float* scale = nullptr;  ///< read by gram() alone: elsewhere it is part of the weights
};

/// Scores {rows, classes} of the rows named, with w {classes, c}: sums of strips of columns in float, of
/// these in double. Nothing is scaled.
void scores(const RowView& view, std::span<const std::int32_t> rows, const float* w, int classes,
            std::span<double> out);

/// g {classes, c} += factors^T (x - mean), over the rows named, each column times `scale` where that is not
/// null.
void add_outer(const RowView& view, std::span<const std::int32_t> rows, std::span<const float> factors,
               int classes, float* g, const float* scale = nullptr);

/// add_outer() of some rows and then scores() of others by the new w {classes, c}, in one go: each thread
/// keeps to its columns, so that it waits once, and what it has written is still in its cache. `added` may be
/// empty.
struct Added {
  std::span<const std::int32_t> rows;
  std::span<const float> factors;
  const float* scale = nullptr;
};
void add_then_score(const RowView& view, const Added& added, float* w, int classes,
                    std::span<const std::int32_t> rows, std::span<double> out);

/// Products of all pairs of the rows named, scaled and shifted: {rows, rows}, one thread's work.
void gram_block(const RowView& view, std::span<const std::int32_t> rows, float* out);

/// The same for all n rows, on all threads, by oneDNN's matrix product: {n, n}. Beside `out` it takes n * 4
/// KiB.
void gram(const RowView& view, std::int64_t n, float* out);

}  // namespace enxerto::cpu
