// The kernels of winograd.h, compiled once per instruction set: the including file defines ENXERTO_ISA,
// ENXERTO_LANES and ENXERTO_ROWS (tiles that the inner product takes at a time, as registers allow).
#include <algorithm>
#include <cstring>

#include "enxerto/kernels/winograd/winograd.h"

namespace enxerto::winograd::ENXERTO_ISA {
namespace {

constexpr int L = ENXERTO_LANES;
constexpr int rows = ENXERTO_ROWS;
constexpr int points = 36;       ///< of a transformed tile, 6 x 6
constexpr int tile_out = 4;      ///< pixels that a tile makes, per side
constexpr int panel_blocks = 2;  ///< channel blocks that the inner product makes at a time

typedef float V __attribute__((vector_size(L * sizeof(float))));

inline V load(const float* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
inline void store(float* to, const V& v) { std::memcpy(to, &v, sizeof v); }

/// B^T d along one side: six points from six pixels.
inline void transform_in(const V* d, std::int64_t step, V* o, std::int64_t out_step) {
  const V d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  const V a = d4 - 4.0f * d2, b = d3 - 4.0f * d1, c = d4 - d2, e = 2.0f * (d3 - d1);
  o[0] = 4.0f * d0 - 5.0f * d2 + d4;
  o[out_step] = a + b;
  o[2 * out_step] = a - b;
  o[3 * out_step] = c + e;
  o[4 * out_step] = c - e;
  o[5 * out_step] = 4.0f * d1 - 5.0f * d3 + d5;
}

/// A^T m along one side: four pixels from six points.
inline void transform_out(const V* m, std::int64_t step, V* o, std::int64_t out_step) {
  const V s1 = m[step] + m[2 * step], d1 = m[step] - m[2 * step];
  const V s2 = m[3 * step] + m[4 * step], d2 = m[3 * step] - m[4 * step];
  o[0] = m[0] + s1 + s2;
  o[out_step] = d1 + 2.0f * d2;
  o[2 * out_step] = s1 + 4.0f * s2;
  o[3 * out_step] = d1 + 8.0f * d2 + m[5 * step];
}

/// G g along one side: six points from three weights.
inline void transform_filter(const V* g, std::int64_t step, V* o, std::int64_t out_step) {
  const V g0 = g[0], g1 = g[step], g2 = g[2 * step];
  const V even = (g0 + g2) * (-1.0f / 6), far = g0 * (1.0f / 24) + g2 * (1.0f / 6);
  o[0] = g0 * 0.25f;
  o[out_step] = even - g1 * (1.0f / 6);
  o[2 * out_step] = even + g1 * (1.0f / 6);
  o[3 * out_step] = far + g1 * (1.0f / 12);
  o[4 * out_step] = far - g1 * (1.0f / 12);
  o[5 * out_step] = g2;
}

/// Where channel block `block` of the products starts in the filters of one point, for `depth` channels of
/// depth: whole panels lie [depth][2 * L], a last single block [depth][L].
inline std::int64_t panel_offset(std::int64_t block, std::int64_t blocks, std::int64_t depth,
                                 std::int64_t* step) {
  const std::int64_t panel = block / panel_blocks;
  const bool whole = (panel + 1) * panel_blocks <= blocks;
  *step = whole ? panel_blocks * L : L;
  return panel * panel_blocks * L * depth + (whole ? block % panel_blocks * L : 0);
}

/// Nine vectors of one input channel (or, turned, of one output channel) to 36 places.
inline void scatter_filter(const V* nine, float* to, std::int64_t point_size) {
  V half[18], whole[points];
  for (int x = 0; x < 3; ++x) transform_filter(nine + x, 3, half + x, 3);
  for (int y = 0; y < 6; ++y) transform_filter(half + y * 3, 1, whole + y * 6, 1);
  for (int q = 0; q < points; ++q) store(to + q * point_size, whole[q]);
}

void transform_filters(const float* filters, std::int64_t out_blocks, std::int64_t in_blocks, float* to) {
  const std::int64_t depth = in_blocks * L, point_size = out_blocks * L * depth;
#pragma omp parallel for schedule(static)
  for (std::int64_t pair = 0; pair < out_blocks * in_blocks; ++pair) {
    const std::int64_t ob = pair / in_blocks, ib = pair % in_blocks;
    std::int64_t step;
    const std::int64_t base = panel_offset(ob, out_blocks, depth, &step);
    for (std::int64_t i = 0; i < L; ++i) {
      V nine[9];
      for (int r = 0; r < 9; ++r) nine[r] = load(filters + (pair * 9 + r) * L * L + i * L);
      scatter_filter(nine, to + base + (ib * L + i) * step, point_size);
    }
  }
}

void transform_turned_filters(const float* filters, std::int64_t out_blocks, std::int64_t in_blocks,
                              float* to) {
  const std::int64_t depth = out_blocks * L, point_size = in_blocks * L * depth;
#pragma omp parallel for schedule(static)
  for (std::int64_t pair = 0; pair < out_blocks * in_blocks; ++pair) {
    const std::int64_t ob = pair / in_blocks, ib = pair % in_blocks;
    alignas(64) float turned[9][L][L];  // [weight, turned by 180 degrees][out][in]
    for (int r = 0; r < 9; ++r) {
      const float* const from = filters + (pair * 9 + r) * L * L;
      for (int i = 0; i < L; ++i)
        for (int o = 0; o < L; ++o) turned[8 - r][o][i] = from[i * L + o];
    }
    std::int64_t step;
    const std::int64_t base = panel_offset(ib, in_blocks, depth, &step);
    for (std::int64_t o = 0; o < L; ++o) {
      V nine[9];
      for (int r = 0; r < 9; ++r) nine[r] = load(turned[r][o]);
      scatter_filter(nine, to + base + (ob * L + o) * step, point_size);
    }
  }
}

/// out[r][B * L] = sum over depth of a[r][d] * b[d][B * L], for R rows.
template <int R, int B>
inline void multiply(std::int64_t depth, const float* a, const float* b, float* out, std::int64_t out_step) {
  V sum[R][B] = {};
  for (std::int64_t d = 0; d < depth; ++d) {
    V right[B];
    for (int j = 0; j < B; ++j) right[j] = load(b + (d * B + j) * L);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const V left = V{} + a[r * depth + d];
      for (int j = 0; j < B; ++j) sum[r][j] += left * right[j];
    }
  }
  for (int r = 0; r < R; ++r)
    for (int j = 0; j < B; ++j) store(out + r * out_step + j * L, sum[r][j]);
}

template <int B>
inline void multiply_rows(std::int64_t count, std::int64_t depth, const float* a, const float* b, float* out,
                          std::int64_t out_step) {
  std::int64_t r = 0;
  for (; r + rows <= count; r += rows)
    multiply<rows, B>(depth, a + r * depth, b, out + r * out_step, out_step);
  for (; r + 4 <= count; r += 4) multiply<4, B>(depth, a + r * depth, b, out + r * out_step, out_step);
  for (; r < count; ++r) multiply<1, B>(depth, a + r * depth, b, out + r * out_step, out_step);
}

/// How the tiles are cut into chunks.
struct Chunks {
  std::int64_t tiles_h, tiles_w, tiles, size, count;
};

Chunks chunks_of(const Call& call, int threads) {
  Chunks chunks;
  chunks.tiles_h = (call.out_h + tile_out - 1) / tile_out;
  chunks.tiles_w = (call.out_w + tile_out - 1) / tile_out;
  chunks.tiles = call.n * chunks.tiles_h * chunks.tiles_w;
  // Transformed tiles of one chunk fill about half of a second-level cache; but each chunk reads all
  // filters, so where those are large a chunk is too.
  const std::int64_t per_tile = points * (call.c_blocks + call.k_blocks) * L * 4;
  const std::int64_t filters = points * call.c_blocks * call.k_blocks * L * L * 4;
  std::int64_t size =
      std::max<std::int64_t>((std::int64_t{640} << 10) / per_tile, filters / (std::int64_t{512} << 10));
  size = std::clamp<std::int64_t>((size + rows - 1) / rows * rows, rows, 10 * rows);
  // Even shares for the threads.
  const std::int64_t rounds =
      std::max<std::int64_t>(1, (chunks.tiles + size * threads - 1) / (size * threads));
  const std::int64_t share = (chunks.tiles + rounds * threads - 1) / (rounds * threads);
  chunks.size = std::min(size, (share + 3) / 4 * 4);
  chunks.count = (chunks.tiles + chunks.size - 1) / chunks.size;
  return chunks;
}

std::int64_t scratch_size(const Call& call, int threads) {
  return threads * chunks_of(call, threads).size * points * (call.c_blocks + call.k_blocks) * L;
}

/// Where a tile stands.
struct Tile {
  std::int64_t n, y, x;  ///< picture; first output pixel
};
inline Tile tile_at(const Chunks& chunks, std::int64_t t) {
  const std::int64_t per_picture = chunks.tiles_h * chunks.tiles_w, in_picture = t % per_picture;
  return {t / per_picture, in_picture / chunks.tiles_w * tile_out, in_picture % chunks.tiles_w * tile_out};
}

void gather_tile(const Call& call, const Tile& tile, float* to, std::int64_t point_step) {
  const std::int64_t y0 = tile.y - call.pad_top, x0 = tile.x - call.pad_left;
  const bool inside = y0 >= 0 && x0 >= 0 && y0 + 6 <= call.h && x0 + 6 <= call.w;
  for (std::int64_t cb = 0; cb < call.c_blocks; ++cb) {
    const float* const from = call.x + tile.n * call.c_blocks * L * call.h * call.w + cb * call.x_steps.block;
    const std::int64_t pixel = call.x_steps.pixel;
    V d[points], e[points];
    if (inside) {
      for (int y = 0; y < 6; ++y)
        for (int x = 0; x < 6; ++x) d[y * 6 + x] = load(from + ((y0 + y) * call.w + x0 + x) * pixel);
    } else {
      for (int y = 0; y < 6; ++y)
        for (int x = 0; x < 6; ++x) {
          const std::int64_t iy = y0 + y, ix = x0 + x;
          const bool in = iy >= 0 && ix >= 0 && iy < call.h && ix < call.w;
          d[y * 6 + x] = in ? load(from + (iy * call.w + ix) * pixel) : V{};
        }
    }
    for (int x = 0; x < 6; ++x) transform_in(d + x, 6, e + x, 6);
    for (int y = 0; y < 6; ++y) transform_in(e + y * 6, 1, d + y * 6, 1);
    for (int q = 0; q < points; ++q) store(to + q * point_step + cb * L, d[q]);
  }
}

void scatter_tile(const Call& call, const Tile& tile, const float* from, std::int64_t point_step) {
  const std::int64_t height = std::min<std::int64_t>(tile_out, call.out_h - tile.y);
  const std::int64_t width = std::min<std::int64_t>(tile_out, call.out_w - tile.x);
  for (std::int64_t kb = 0; kb < call.k_blocks; ++kb) {
    V m[points], e[24], o[16];
    for (int q = 0; q < points; ++q) m[q] = load(from + q * point_step + kb * L);
    for (int x = 0; x < 6; ++x) transform_out(m + x, 6, e + x, 6);
    for (int y = 0; y < 4; ++y) transform_out(e + y * 6, 1, o + y * 4, 1);
    const V bias = call.bias ? load(call.bias + kb * L) : V{};
    const std::int64_t start = tile.n * call.k_blocks * L * call.out_h * call.out_w + kb * call.y_steps.block;
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x) {
        const std::int64_t at = start + ((tile.y + y) * call.out_w + tile.x + x) * call.y_steps.pixel;
        V v = o[y * 4 + x] + bias;
        if (call.residual) v += load(call.residual + at);
        if (call.relu) v = v > 0.0f ? v : V{};
        store(call.y + at, v);
      }
  }
}

void convolve(const Call& call, int threads) {
  const Chunks chunks = chunks_of(call, threads);
  const std::int64_t depth = call.c_blocks * L, width = call.k_blocks * L;
  const std::int64_t in_step = chunks.size * depth, out_step = chunks.size * width;
  const std::int64_t per_thread = points * (in_step + out_step);
  // One thread takes whole chunks; a tile's answer does not depend on which.
#pragma omp parallel for schedule(static, 1) num_threads(threads)
  for (std::int64_t thread = 0; thread < threads; ++thread) {
    float* const in = call.scratch + thread * per_thread;
    float* const out = in + points * in_step;
    for (std::int64_t chunk = thread; chunk < chunks.count; chunk += threads) {
      const std::int64_t first = chunk * chunks.size, count = std::min(chunks.size, chunks.tiles - first);
      for (std::int64_t t = 0; t < count; ++t)
        gather_tile(call, tile_at(chunks, first + t), in + t * depth, in_step);
      for (int q = 0; q < points; ++q) {
        const float* const filters = call.filters + q * depth * width;
        for (std::int64_t kb = 0; kb < call.k_blocks; kb += panel_blocks) {
          float* const to = out + q * out_step + kb * L;
          const float* const panel = filters + kb * L * depth;
          if (kb + panel_blocks <= call.k_blocks)
            multiply_rows<panel_blocks>(count, depth, in + q * in_step, panel, to, width);
          else
            multiply_rows<1>(count, depth, in + q * in_step, panel, to, width);
        }
      }
      for (std::int64_t t = 0; t < count; ++t)
        scatter_tile(call, tile_at(chunks, first + t), out + t * width, out_step);
    }
  }
}

}  // namespace

const Kernels& table() {
  static constexpr Kernels one{L, transform_filters, transform_turned_filters, convolve, scratch_size};
  return one;
}

}  // namespace enxerto::winograd::ENXERTO_ISA
