// The kernels of winograd.h, compiled once per instruction set: the including file defines ENXERTO_ISA,
// ENXERTO_LANES and ENXERTO_ROWS (tiles that the inner product takes at a time, as registers allow).
#include <omp.h>

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

#include "enxerto/kernels/vectors.inl"

using V = F<L>;
inline V load(const float* from) { return load<L>(from); }
inline void store(float* to, const V& v) { store<L>(to, v); }

/// Floats from a point of many blocks to the next. The 36 points of a block are written or read together, so
/// they must not all fall into one set of the cache: an odd number of cache lines apart, they do not.
inline std::int64_t point_step(std::int64_t floats) { return (floats + 15) / 16 * 16 | 16; }

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

/// The same six points from four weights: a gradient's tile is the filter there.
inline void transform_out_gradient(const V* g, std::int64_t step, V* o, std::int64_t out_step) {
  const V g0 = g[0], g1 = g[step], g2 = g[2 * step], g3 = g[3 * step];
  const V even = (g0 + g2) * (-1.0f / 6), odd = (g1 + g3) * (-1.0f / 6);
  const V far_even = g0 * (1.0f / 24) + g2 * (1.0f / 6), far_odd = g1 * (1.0f / 12) + g3 * (1.0f / 3);
  o[0] = g0 * 0.25f;
  o[out_step] = even + odd;
  o[2 * out_step] = even - odd;
  o[3 * out_step] = far_even + far_odd;
  o[4 * out_step] = far_even - far_odd;
  o[5 * out_step] = g3;
}

/// Three weights from six points.
inline void transform_filter_gradient(const V* m, std::int64_t step, V* o, std::int64_t out_step) {
  const V s1 = m[step] + m[2 * step], d1 = m[step] - m[2 * step];
  const V s2 = m[3 * step] + m[4 * step], d2 = m[3 * step] - m[4 * step];
  o[0] = m[0] + s1 + s2;
  o[out_step] = d1 + 2.0f * d2;
  o[2 * out_step] = s1 + 4.0f * s2 + m[5 * step];
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

std::int64_t filters_size(std::int64_t out_blocks, std::int64_t in_blocks) {
  return points * point_step(out_blocks * in_blocks * L * L);
}

void transform_filters(const float* filters, std::int64_t out_blocks, std::int64_t in_blocks, float* to) {
  const std::int64_t depth = in_blocks * L, point_size = point_step(out_blocks * L * depth);
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
  const std::int64_t depth = out_blocks * L, point_size = point_step(in_blocks * L * depth);
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

/// out[r][B * L] = sum over d of a[r * row_step + d * depth_step] * b[d][B * L], for R rows.
template <int R, int B>
inline void multiply(std::int64_t depth, const float* a, std::int64_t row_step, std::int64_t depth_step,
                     const float* b, float* out, std::int64_t out_step) {
  V sum[R][B] = {};
  for (std::int64_t d = 0; d < depth; ++d) {
    V right[B];
    for (int j = 0; j < B; ++j) right[j] = load(b + (d * B + j) * L);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const V left = fill<L>(a[r * row_step + d * depth_step]);
      for (int j = 0; j < B; ++j) sum[r][j] += left * right[j];
    }
  }
  for (int r = 0; r < R; ++r)
    for (int j = 0; j < B; ++j) store(out + r * out_step + j * L, sum[r][j]);
}

/// Rows one after the other, as transformed tiles lie for convolve().
template <int B>
inline void multiply_rows(std::int64_t count, std::int64_t depth, const float* a, const float* b, float* out,
                          std::int64_t out_step) {
  std::int64_t r = 0;
  for (; r + rows <= count; r += rows)
    multiply<rows, B>(depth, a + r * depth, depth, 1, b, out + r * out_step, out_step);
  for (; r + 4 <= count; r += 4)
    multiply<4, B>(depth, a + r * depth, depth, 1, b, out + r * out_step, out_step);
  for (; r < count; ++r) multiply<1, B>(depth, a + r * depth, depth, 1, b, out + r * out_step, out_step);
}

/// Rows side by side, a panel of them, as transformed tiles lie for filter_gradient().
template <int B>
inline void multiply_columns(std::int64_t width, std::int64_t depth, const float* a, const float* b,
                             float* out) {
  const auto some = [&]<int R>(std::int64_t first) {
    multiply<R, B>(depth, a + first, 1, width, b, out + first * B * L, B * L);
  };
  if (width == panel_blocks * L) {
    some.template operator()<rows>(0);
    some.template operator()<rows>(rows);
    some.template operator()<panel_blocks * L - 2 * rows>(2 * rows);
  } else {
    some.template operator()<L / 2>(0);
    some.template operator()<L / 2>(L / 2);
  }
}

/// Where a tile stands.
struct Tile {
  std::int64_t n, y, x;  ///< picture; first output pixel
};

/// The tiles that cover the outputs of all pictures.
struct Tiles {
  std::int64_t down, across, count;
  explicit Tiles(const Geometry& geometry)
      : down((geometry.out_h + tile_out - 1) / tile_out),
        across((geometry.out_w + tile_out - 1) / tile_out),
        count(geometry.n * down * across) {}
  Tile operator[](std::int64_t t) const {
    const std::int64_t in_picture = t % (down * across);
    return {t / (down * across), in_picture / across * tile_out, in_picture % across * tile_out};
  }
};

/// Pixels of a square of x or dy, those outside the picture as zero.
template <int Size>
inline void load_square(const float* from, std::int64_t pixel, std::int64_t h, std::int64_t w,
                        std::int64_t y0, std::int64_t x0, V* to) {
  if (y0 >= 0 && x0 >= 0 && y0 + Size <= h && x0 + Size <= w) {
    for (int y = 0; y < Size; ++y)
      for (int x = 0; x < Size; ++x) to[y * Size + x] = load(from + ((y0 + y) * w + x0 + x) * pixel);
    return;
  }
  for (int y = 0; y < Size; ++y)
    for (int x = 0; x < Size; ++x) {
      const std::int64_t iy = y0 + y, ix = x0 + x;
      const bool in = iy >= 0 && ix >= 0 && iy < h && ix < w;
      to[y * Size + x] = in ? load(from + (iy * w + ix) * pixel) : V{};
    }
}

/// The 36 points of one block of x at a tile.
inline void transform_x(const Geometry& g, const float* x, const Tile& tile, std::int64_t block, V* to) {
  V square[points], half[points];
  load_square<6>(x + tile.n * g.c_blocks * L * g.h * g.w + block * g.x_steps.block, g.x_steps.pixel, g.h, g.w,
                 tile.y - g.pad_top, tile.x - g.pad_left, square);
  for (int i = 0; i < 6; ++i) transform_in(square + i, 6, half + i, 6);
  for (int i = 0; i < 6; ++i) transform_in(half + i * 6, 1, to + i * 6, 1);
}

/// The same of one block of dy.
inline void transform_dy(const Geometry& g, const float* dy, const Tile& tile, std::int64_t block, V* to) {
  V square[tile_out * tile_out], half[6 * tile_out];
  load_square<tile_out>(dy + tile.n * g.k_blocks * L * g.out_h * g.out_w + block * g.y_steps.block,
                        g.y_steps.pixel, g.out_h, g.out_w, tile.y, tile.x, square);
  for (int i = 0; i < tile_out; ++i) transform_out_gradient(square + i, tile_out, half + i, tile_out);
  for (int i = 0; i < 6; ++i) transform_out_gradient(half + i * tile_out, 1, to + i * 6, 1);
}

/// How the tiles are cut into chunks.
struct Chunks {
  std::int64_t size, count;
};

Chunks chunks_of(const Geometry& geometry, int threads) {
  const std::int64_t tiles = Tiles(geometry).count;
  // Transformed tiles of one chunk fill about half of a second-level cache; but each chunk reads all filters,
  // so where those are large it has as many tiles as weigh the same.
  const std::int64_t per_tile = points * (geometry.c_blocks + geometry.k_blocks) * L * 4;
  const std::int64_t even =
      geometry.c_blocks * geometry.k_blocks * L / (geometry.c_blocks + geometry.k_blocks);
  std::int64_t size = std::max<std::int64_t>((std::int64_t{640} << 10) / per_tile, even);
  size = std::clamp<std::int64_t>((size + rows - 1) / rows * rows, rows, 128);
  // Even shares for the threads.
  const std::int64_t rounds = std::max<std::int64_t>(1, (tiles + size * threads - 1) / (size * threads));
  const std::int64_t share = (tiles + rounds * threads - 1) / (rounds * threads);
  size = std::min(size, (share + 3) / 4 * 4);
  return {size, (tiles + size - 1) / size};
}

/// Few tiles are worked on by all threads together, each with its share of the filters: those are then what
/// takes the time, and no two threads should read the same.
constexpr std::int64_t few_tiles = 128;

std::int64_t scratch_size(const Geometry& geometry, int threads) {
  if (const std::int64_t tiles = Tiles(geometry).count; tiles <= few_tiles)
    return points * (point_step(tiles * geometry.c_blocks * L) + point_step(tiles * geometry.k_blocks * L));
  const std::int64_t size = chunks_of(geometry, threads).size * L;
  return threads * points * (point_step(size * geometry.c_blocks) + point_step(size * geometry.k_blocks));
}

/// One block of x at a tile, transformed, to its place among the other blocks.
inline void gather_block(const Call& call, const Tile& tile, std::int64_t block, float* to,
                         std::int64_t point) {
  V transformed[points];
  transform_x(call.geometry, call.x, tile, block, transformed);
  for (int q = 0; q < points; ++q) store(to + q * point + block * L, transformed[q]);
}

/// One block of y at a tile from its products.
inline void scatter_block(const Call& call, const Tile& tile, std::int64_t block, const float* from,
                          std::int64_t point) {
  const Geometry& g = call.geometry;
  const std::int64_t height = std::min<std::int64_t>(tile_out, g.out_h - tile.y);
  const std::int64_t width = std::min<std::int64_t>(tile_out, g.out_w - tile.x);
  V m[points], e[24], o[16];
  for (int q = 0; q < points; ++q) m[q] = load(from + q * point + block * L);
  for (int x = 0; x < 6; ++x) transform_out(m + x, 6, e + x, 6);
  for (int y = 0; y < 4; ++y) transform_out(e + y * 6, 1, o + y * 4, 1);
  const V bias = call.bias ? load(call.bias + block * L) : V{};
  const std::int64_t start = tile.n * g.k_blocks * L * g.out_h * g.out_w + block * g.y_steps.block;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      const std::int64_t at = start + ((tile.y + y) * g.out_w + tile.x + x) * g.y_steps.pixel;
      V v = o[y * 4 + x] + bias;
      if (call.residual) v += load(call.residual + at);
      if (call.relu) v = v < 0.0f ? V{} : v;  // NaN stays NaN
      store(call.y + at, v);
    }
}

/// The products of some tiles and one panel of the filters at one point.
inline void multiply_panel(const Call& call, std::int64_t count, int point, std::int64_t k_block,
                           const float* in, float* out) {
  const Geometry& g = call.geometry;
  const std::int64_t depth = g.c_blocks * L, width = g.k_blocks * L;
  const float* const panel = call.filters + point * point_step(depth * width) + k_block * L * depth;
  if (k_block + panel_blocks <= g.k_blocks)
    multiply_rows<panel_blocks>(count, depth, in, panel, out + k_block * L, width);
  else
    multiply_rows<1>(count, depth, in, panel, out + k_block * L, width);
}

void convolve_few(const Call& call, const Tiles& tiles, int threads) {
  const Geometry& g = call.geometry;
  const std::int64_t depth = g.c_blocks * L, width = g.k_blocks * L, count = tiles.count;
  const std::int64_t in_step = point_step(count * depth), out_step = point_step(count * width);
  const std::int64_t panels = (g.k_blocks + panel_blocks - 1) / panel_blocks;
  float* const in = call.scratch;
  float* const out = in + points * in_step;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static)
    for (std::int64_t item = 0; item < count * g.c_blocks; ++item) {
      const std::int64_t t = item / g.c_blocks;
      gather_block(call, tiles[t], item % g.c_blocks, in + t * depth, in_step);
    }
#pragma omp for schedule(static)
    for (std::int64_t item = 0; item < points * panels; ++item) {
      const int q = static_cast<int>(item / panels);
      multiply_panel(call, count, q, item % panels * panel_blocks, in + q * in_step, out + q * out_step);
    }
#pragma omp for schedule(static)
    for (std::int64_t item = 0; item < count * g.k_blocks; ++item) {
      const std::int64_t t = item / g.k_blocks;
      scatter_block(call, tiles[t], item % g.k_blocks, out + t * width, out_step);
    }
  }
}

void convolve(const Call& call, int threads) {
  const Geometry& g = call.geometry;
  const Tiles tiles(g);
  if (tiles.count <= few_tiles) return convolve_few(call, tiles, threads);
  const Chunks chunks = chunks_of(g, threads);
  const std::int64_t depth = g.c_blocks * L, width = g.k_blocks * L;
  const std::int64_t in_step = point_step(chunks.size * depth), out_step = point_step(chunks.size * width);
  const std::int64_t per_thread = points * (in_step + out_step);
  // One thread takes whole chunks, the next as soon as it is done; a tile's answer does not depend on which.
#pragma omp parallel num_threads(threads)
  {
    float* const in = call.scratch + omp_get_thread_num() * per_thread;
    float* const out = in + points * in_step;
#pragma omp for schedule(dynamic)
    for (std::int64_t chunk = 0; chunk < chunks.count; ++chunk) {
      const std::int64_t first = chunk * chunks.size, count = std::min(chunks.size, tiles.count - first);
      for (std::int64_t t = 0; t < count; ++t)
        for (std::int64_t cb = 0; cb < g.c_blocks; ++cb)
          gather_block(call, tiles[first + t], cb, in + t * depth, in_step);
      for (int q = 0; q < points; ++q)
        for (std::int64_t kb = 0; kb < g.k_blocks; kb += panel_blocks)
          multiply_panel(call, count, q, kb, in + q * in_step, out + q * out_step);
      for (std::int64_t t = 0; t < count; ++t)
        for (std::int64_t kb = 0; kb < g.k_blocks; ++kb)
          scatter_block(call, tiles[first + t], kb, out + t * width, out_step);
    }
  }
}

/// How the sum over all tiles is cut: `rounds` of `slices` of `depth` tiles. Each slice has sums of its own,
/// so that many threads have work where channels are few. A function of sizes alone, and so are the bits.
struct Slices {
  std::int64_t c_panels, k_panels, slices, depth, rounds;
  explicit Slices(const Geometry& g)
      : c_panels((g.c_blocks + panel_blocks - 1) / panel_blocks),
        k_panels((g.k_blocks + panel_blocks - 1) / panel_blocks) {
    constexpr std::int64_t most_floats = std::int64_t{3} << 18;  // 3 MiB of transformed tiles
    constexpr std::int64_t least_items = 8;
    const std::int64_t tiles = Tiles(g).count;
    slices = std::max<std::int64_t>(1, least_items / (c_panels * k_panels));
    depth =
        std::clamp<std::int64_t>(most_floats / (slices * points * (g.c_blocks + g.k_blocks) * L), 64, 128);
    rounds = (tiles + slices * depth - 1) / (slices * depth);
    depth = (tiles + rounds * slices - 1) / (rounds * slices);
  }
};

/// Where things lie in filter_gradient()'s scratch, in floats.
struct GradientScratch {
  std::int64_t x_point, dy_point;            ///< from a point to the next: transformed x, transformed dy
  std::int64_t x_size, dy_size, sums_size;   ///< of a slice: those, and its sums
  std::int64_t product_point, product_size;  ///< of a thread
  GradientScratch(const Geometry& g, const Slices& cut)
      : x_point(point_step(cut.depth * g.c_blocks * L)),
        dy_point(point_step(cut.depth * g.k_blocks * L)),
        x_size(points * x_point),
        dy_size(points * dy_point),
        sums_size(9 * g.c_blocks * g.k_blocks * L * L),
        product_point(point_step(panel_blocks * panel_blocks * L * L)),
        product_size(points * product_point) {}
};

std::int64_t gradient_scratch_size(const Geometry& g, int threads) {
  const Slices cut(g);
  const GradientScratch sizes(g, cut);
  return cut.slices * (sizes.x_size + sizes.dy_size) + (cut.slices - 1) * sizes.sums_size +
         threads * sizes.product_size;
}

/// Products of one panel of input channels and one of output channels, over a slice's tiles, back to 3x3 and
/// into `sums`, which are laid out as filters are: added, or where they are the first written.
void add_products(const Geometry& g, const GradientScratch& sizes, std::int64_t depth, std::int64_t c_first,
                  std::int64_t k_first, const float* x, const float* dy, float* products, float* sums,
                  bool first) {
  const std::int64_t c_width = std::min<std::int64_t>(panel_blocks, g.c_blocks - c_first) * L;
  const std::int64_t k_some = std::min<std::int64_t>(panel_blocks, g.k_blocks - k_first),
                     k_width = k_some * L;
  for (int q = 0; q < points; ++q) {
    const float *const x_panel = x + q * sizes.x_point, *const dy_panel = dy + q * sizes.dy_point;
    float* const to = products + q * sizes.product_point;
    if (k_some == panel_blocks)
      multiply_columns<panel_blocks>(c_width, depth, x_panel, dy_panel, to);
    else
      multiply_columns<1>(c_width, depth, x_panel, dy_panel, to);
  }
  for (std::int64_t c = 0; c < c_width; ++c)
    for (std::int64_t k = 0; k < k_some; ++k) {
      V m[points], half[18], nine[9];
      for (int q = 0; q < points; ++q) m[q] = load(products + q * sizes.product_point + c * k_width + k * L);
      for (int i = 0; i < 6; ++i) transform_filter_gradient(m + i, 6, half + i, 6);
      for (int i = 0; i < 3; ++i) transform_filter_gradient(half + i * 6, 1, nine + i * 3, 1);
      float* const to = sums + ((k_first + k) * g.c_blocks + c_first + c / L) * 9 * L * L + c % L * L;
      for (int r = 0; r < 9; ++r) store(to + r * L * L, first ? nine[r] : load(to + r * L * L) + nine[r]);
    }
}

/// Sums of dy over all pictures and pixels.
void bias_gradient(const GradientCall& call, int threads) {
  const Geometry& g = call.geometry;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t kb = 0; kb < g.k_blocks; ++kb) {
    V sum{};
    for (std::int64_t n = 0; n < g.n; ++n) {
      const float* const from = call.dy + n * g.k_blocks * L * g.out_h * g.out_w + kb * g.y_steps.block;
      for (std::int64_t y = 0; y < g.out_h; ++y) {
        V row{};
        for (std::int64_t x = 0; x < g.out_w; ++x) row += load(from + (y * g.out_w + x) * g.y_steps.pixel);
        sum += row;
      }
    }
    store(call.dbias + kb * L, sum);
  }
}

void filter_gradient(const GradientCall& call, int threads) {
  const Geometry& g = call.geometry;
  const Tiles tiles(g);
  const Slices cut(g);
  const GradientScratch sizes(g, cut);
  float* const x_all = call.scratch;
  float* const dy_all = x_all + cut.slices * sizes.x_size;
  float* const sums_all = dy_all + cut.slices * sizes.dy_size;
  float* const products_all = sums_all + (cut.slices - 1) * sizes.sums_size;
  const std::int64_t per_round = cut.slices * cut.depth, pairs = cut.c_panels * cut.k_panels;
  // Tiles of slice s in a round that begins with tile `first`.
  const auto depth_of = [&](std::int64_t first, std::int64_t s) {
    return std::clamp<std::int64_t>(tiles.count - first - s * cut.depth, 0, cut.depth);
  };
  const auto sums_of = [&](std::int64_t s) {
    return s == 0 ? call.dfilters : sums_all + (s - 1) * sizes.sums_size;
  };
#pragma omp parallel num_threads(threads)
  for (std::int64_t first = 0; first < tiles.count; first += per_round) {
#pragma omp for schedule(dynamic, 4)
    for (std::int64_t t = 0; t < std::min(per_round, tiles.count - first); ++t) {
      const std::int64_t s = t / cut.depth, depth = depth_of(first, s);
      const auto spread = [&](std::int64_t blocks, std::int64_t point, float* to, auto transform) {
        for (std::int64_t block = 0; block < blocks; ++block) {
          V transformed[points];
          transform(block, transformed);
          std::int64_t step;
          const std::int64_t base = panel_offset(block, blocks, depth, &step) + t % cut.depth * step;
          for (int q = 0; q < points; ++q) store(to + (s * points + q) * point + base, transformed[q]);
        }
      };
      const Tile tile = tiles[first + t];
      spread(g.c_blocks, sizes.x_point, x_all,
             [&](std::int64_t block, V* to) { transform_x(g, call.x, tile, block, to); });
      spread(g.k_blocks, sizes.dy_point, dy_all,
             [&](std::int64_t block, V* to) { transform_dy(g, call.dy, tile, block, to); });
    }
#pragma omp for schedule(dynamic)
    for (std::int64_t item = 0; item < cut.slices * pairs; ++item) {
      const std::int64_t s = item / pairs, depth = depth_of(first, s);
      const std::int64_t k_first = item % pairs / cut.c_panels * panel_blocks;
      const std::int64_t c_first = item % pairs % cut.c_panels * panel_blocks;
      add_products(g, sizes, depth, c_first, k_first, x_all + s * sizes.x_size + c_first * L * depth,
                   dy_all + s * sizes.dy_size + k_first * L * depth,
                   products_all + omp_get_thread_num() * sizes.product_size, sums_of(s), first == 0);
    }
  }
  if (cut.slices > 1) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (std::int64_t i = 0; i < sizes.sums_size; i += L) {
      V sum = load(call.dfilters + i);
      for (std::int64_t s = 1; s < cut.slices; ++s) sum += load(sums_of(s) + i);
      store(call.dfilters + i, sum);
    }
  }
  if (call.dbias) bias_gradient(call, threads);
}

}  // namespace

const Kernels& table() {
  static constexpr Kernels one{L,
                               transform_filters,
                               transform_turned_filters,
                               convolve,
                               filter_gradient,
                               scratch_size,
                               gradient_scratch_size,
                               filters_size};
  return one;
}

}  // namespace enxerto::winograd::ENXERTO_ISA
