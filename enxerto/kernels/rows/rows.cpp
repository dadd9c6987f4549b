#include "enxerto/kernels/rows/rows.h"

#include <algorithm>

#include "enxerto/core/system.h"
#include "enxerto/kernels/onednn/onednn.h"

namespace enxerto::cpu {

namespace generic {
const RowLoops& row_table();
}
const RowLoops* row_loops_generic() { return &generic::row_table(); }

#if defined(__x86_64__)
namespace avx2 {
const RowLoops& row_table();
}
namespace avx512 {
const RowLoops& row_table();
}
const RowLoops* row_loops_avx2() { return &avx2::row_table(); }
const RowLoops* row_loops_avx512() { return &avx512::row_table(); }
#else
const RowLoops* row_loops_avx2() { return nullptr; }
const RowLoops* row_loops_avx512() { return nullptr; }
#endif

const RowLoops& row_loops() {
  static const RowLoops* const one = [] {
    if (chip_isa() == Isa::avx512 && row_loops_avx512()) return row_loops_avx512();
    if (chip_isa() != Isa::generic && row_loops_avx2()) return row_loops_avx2();
    return row_loops_generic();
  }();
  return *one;
}

namespace {

/// Columns that one thread takes at a time: about sixteen strips, so that there is enough to share out, each
/// long enough that adding up its vectors does not matter. A function of c alone: so the sums do not depend
/// on threads.
std::int64_t strip_of(std::int64_t c) {
  const std::int64_t wanted = (c / 16 + 63) / 64 * 64;
  return std::clamp<std::int64_t>(wanted, 256, 2048);
}

std::vector<const float*> starts_of(const RowView& view, std::span<const std::int32_t> rows) {
  std::vector<const float*> made(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) made[i] = view.x + rows[i] * view.c;
  return made;
}

std::vector<const float*> moved(const std::vector<const float*>& starts, std::int64_t by) {
  std::vector<const float*> made(starts);
  for (const float*& each : made) each += by;
  return made;
}

/// One row's columns [begin, begin + width), shifted and scaled.
void standardize(const RowView& view, std::int64_t row, std::int64_t begin, std::int64_t width, float* to) {
  const float* const from = view.x + row * view.c + begin;
  std::copy(from, from + width, to);
  if (view.mean)
    for (std::int64_t j = 0; j < width; ++j) to[j] -= view.mean[begin + j];
  if (view.scale)
    for (std::int64_t j = 0; j < width; ++j) to[j] *= view.scale[begin + j];
}

}  // namespace

void scores(const RowView& view, std::span<const std::int32_t> rows, const float* w, int classes,
            std::span<double> out) {
  // Nothing is added, so that w is only read.
  add_then_score(view, {}, const_cast<float*>(w), classes, rows, out);
}

void add_outer(const RowView& view, std::span<const std::int32_t> rows, std::span<const float> factors,
               int classes, float* g, const float* scale) {
  add_then_score(view, {rows, factors, scale}, g, classes, {}, {});
}

void add_then_score(const RowView& view, const Added& added, float* w, int classes,
                    std::span<const std::int32_t> rows, std::span<double> out) {
  const RowLoops& loops = row_loops();
  const std::vector<const float*> from = starts_of(view, added.rows), to = starts_of(view, rows);
  const std::int64_t strip = strip_of(view.c), strips = (view.c + strip - 1) / strip;
  const auto count = static_cast<std::int64_t>(rows.size()), size = count * classes;
  std::vector<float> parts(static_cast<std::size_t>(strips * size));
  // Fewer multiplications are done before another thread is awake.
  constexpr std::int64_t worth_threads = 1 << 17;
  const std::int64_t products = (static_cast<std::int64_t>(from.size()) + count) * classes * view.c;
#pragma omp parallel for schedule(static) if (products > worth_threads)
  for (std::int64_t s = 0; s < strips; ++s) {
    const std::int64_t begin = s * strip, width = std::min(strip, view.c - begin);
    const float* const mean = view.mean ? view.mean + begin : nullptr;
    if (!from.empty())
      loops.outer(moved(from, begin).data(), static_cast<std::int64_t>(from.size()), mean,
                  added.scale ? added.scale + begin : nullptr, added.factors.data(), classes, width,
                  w + begin, view.c);
    if (count > 0)
      loops.scores(moved(to, begin).data(), count, mean, w + begin, view.c, classes, width,
                   parts.data() + s * size);
  }
  std::fill(out.begin(), out.end(), 0.0);
  for (std::int64_t s = 0; s < strips; ++s)
    for (std::int64_t i = 0; i < size; ++i)
      out[static_cast<std::size_t>(i)] += static_cast<double>(parts[static_cast<std::size_t>(s * size + i)]);
}

void gram_block(const RowView& view, std::span<const std::int32_t> rows, float* out) {
  // A strip of all rows, scaled, fits the second-level cache; each is multiplied with those before it.
  constexpr std::int64_t strip = 512, group = 16;
  const RowLoops& loops = row_loops();
  const auto count = static_cast<std::int64_t>(rows.size());
  std::vector<float> z(static_cast<std::size_t>(count * strip)),
      part(static_cast<std::size_t>(group * count));
  std::vector<const float*> starts(rows.size());
  for (std::int64_t i = 0; i < count; ++i) starts[static_cast<std::size_t>(i)] = z.data() + i * strip;
  std::fill(out, out + count * count, 0.0f);
  for (std::int64_t begin = 0; begin < view.c; begin += strip) {
    const std::int64_t width = std::min(strip, view.c - begin);
    for (std::int64_t i = 0; i < count; ++i)
      standardize(view, rows[static_cast<std::size_t>(i)], begin, width, z.data() + i * strip);
    for (std::int64_t i = 0; i < count; i += group) {
      const std::int64_t some = std::min(group, count - i), upto = i + some;
      loops.scores(starts.data() + i, some, nullptr, z.data(), strip, static_cast<int>(upto), width,
                   part.data());
      for (std::int64_t a = 0; a < some; ++a)
        for (std::int64_t j = 0; j <= i + a; ++j)
          out[(i + a) * count + j] += part[static_cast<std::size_t>(a * upto + j)];
    }
  }
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t j = i + 1; j < count; ++j) out[i * count + j] = out[j * count + i];
}

void gram(const RowView& view, std::int64_t n, float* out) {
  constexpr std::int64_t strip = 1024, group = 512;
  std::vector<float> z(static_cast<std::size_t>(n * std::min(strip, view.c)));
  for (std::int64_t begin = 0; begin < view.c; begin += strip) {
    const std::int64_t width = std::min(strip, view.c - begin);
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < n; ++i) standardize(view, i, begin, width, z.data() + i * width);
    // The lower triangle alone, in stripes of rows.
    for (std::int64_t i = 0; i < n; i += group) {
      const std::int64_t some = std::min(group, n - i);
      onednn::multiply_transposed(z.data() + i * width, z.data(), out + i * n, {some, i + some, width, n},
                                  begin > 0);
    }
  }
#pragma omp parallel for schedule(static, 16)
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = i + 1; j < n; ++j) out[i * n + j] = out[j * n + i];
}

}  // namespace enxerto::cpu
