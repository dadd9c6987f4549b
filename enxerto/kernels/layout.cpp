#include "enxerto/kernels/layout.h"

#include <algorithm>
#include <cstring>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

constexpr std::int64_t tile_channels = 16, tile_pixels = 64;  // 4 KiB a side: stays in the first cache

/// Where channel c of picture n starts; pixel p is p * block floats further.
std::int64_t start_of(const Layout& layout, std::int64_t n, std::int64_t c) {
  return (n * layout.blocks() + c / layout.block) * layout.pixels() * layout.block + c % layout.block;
}

/// Pixels [begin, end) of the channels [first, last) of picture n; those behind the last one are zero.
void reorder_tile(const Layout& from, const float* source, const Layout& to, float* target, std::int64_t n,
                  std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end) {
  const std::int64_t a = from.block, b = to.block;
  for (std::int64_t c = first; c < last;) {
    float* const into = target + start_of(to, n, c);
    if (c >= from.shape.c) {
      for (std::int64_t p = begin; p < end; ++p) into[p * b] = 0.0f;
      ++c;
      continue;
    }
    const float* const out_of = source + start_of(from, n, c);
    // Channels that lie side by side in both.
    const std::int64_t run = std::min({a - c % a, b - c % b, last - c, from.shape.c - c});
    if (run == 1)
      for (std::int64_t p = begin; p < end; ++p) into[p * b] = out_of[p * a];
    else if (run == 8)
      for (std::int64_t p = begin; p < end; ++p) std::memcpy(into + p * b, out_of + p * a, 8 * sizeof(float));
    else
      for (std::int64_t p = begin; p < end; ++p) std::copy_n(out_of + p * a, run, into + p * b);
    c += run;
  }
}

}  // namespace

Layout make_layout(const Shape& shape, std::int64_t block) {
  ensure(block >= 1, "a block has at least one channel");
  const bool moves = shape.h * shape.w != 1 || shape.c % block != 0;
  return {shape, moves ? block : 1};
}

std::string format_layout(const Layout& layout) {
  std::string made = format_shape(layout.shape);
  if (layout.block == 1) return made;
  if (layout.block == layout.shape.c) return made + " channels last";
  return text(made, " blocked by ", layout.block);
}

void reorder(const Layout& from, const float* source, const Layout& to, float* target) {
  ensure(from.shape == to.shape, "a reorder keeps the shape");
  if (from.block == to.block) {
    std::copy_n(source, from.size(), target);
    return;
  }
  const std::int64_t channels = to.blocks() * to.block;
  const std::int64_t groups = (channels + tile_channels - 1) / tile_channels;
  const std::int64_t strips = (to.pixels() + tile_pixels - 1) / tile_pixels;
  const std::int64_t tiles = to.shape.n * groups * strips;
#pragma omp parallel for schedule(static) if (tiles > 16)
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    const std::int64_t n = tile / (groups * strips);
    const std::int64_t first = tile / strips % groups * tile_channels;
    const std::int64_t begin = tile % strips * tile_pixels;
    reorder_tile(from, source, to, target, n, first, std::min(first + tile_channels, channels), begin,
                 std::min(begin + tile_pixels, to.pixels()));
  }
}

std::int64_t preferred_block() { return chip_isa() == Isa::avx512 ? 16 : 8; }

}  // namespace enxerto
