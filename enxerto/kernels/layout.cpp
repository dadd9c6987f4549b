#include "enxerto/kernels/layout.h"

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/kernels/cpu/loops.h"
#include "enxerto/kernels/cpu/tiles.h"
#include "enxerto/tensor/bfloat16.h"

namespace enxerto {
namespace {

constexpr std::int64_t tile_channels = 16, tile_pixels = 64;  // 4 KiB a side: stays in the first cache

/// Where channel c of picture n starts; pixel p is p * block floats further.
std::int64_t start_of(const Layout& layout, std::int64_t n, std::int64_t c) {
  return (n * layout.blocks() + c / layout.block) * layout.pixels() * layout.block + c % layout.block;
}

inline void convert(float from, float& to) { to = from; }
inline void convert(Bf16 from, Bf16& to) { to = from; }
inline void convert(Bf16 from, float& to) { to = float_of_bf16(from); }
inline void convert(float from, Bf16& to) { to = bf16_of(from); }

template <class A, class B>
void convert_row(const A* from, std::int64_t count, B* to) {
  for (std::int64_t i = 0; i < count; ++i) convert(from[i], to[i]);
}

/// Pixels [begin, end) of the channels [first, last) of picture n; those behind the last one are zero.
template <class A, class B>
void reorder_tile(const Layout& from, const A* source, const Layout& to, B* target, std::int64_t n,
                  std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end) {
  const std::int64_t a = from.block, b = to.block;
  for (std::int64_t c = first; c < last;) {
    B* const into = target + start_of(to, n, c);
    if (c >= from.shape.c) {
      for (std::int64_t p = begin; p < end; ++p) into[p * b] = B{};
      ++c;
      continue;
    }
    const A* const out_of = source + start_of(from, n, c);
    // Channels that lie side by side in both.
    const std::int64_t run = std::min({a - c % a, b - c % b, last - c, from.shape.c - c});
    if (run == 1)
      for (std::int64_t p = begin; p < end; ++p) convert(out_of[p * a], into[p * b]);
    else if (run == 8)
      for (std::int64_t p = begin; p < end; ++p) convert_row(out_of + p * a, 8, into + p * b);
    else
      for (std::int64_t p = begin; p < end; ++p) convert_row(out_of + p * a, run, into + p * b);
    c += run;
  }
}

/// Pictures in three colours, plane by plane, to pixels side by side: what every network that takes its input
/// channels last begins with.
bool interleaves(const Layout& from, const Layout& to) {
  return from.block == 1 && to.shape.c == 3 && to.block == 3;
}

template <class B>
void interleave_all(const Layout& from, const float* source, B* target) {
  constexpr std::int64_t piece = 1 << 12;
  const std::int64_t pixels = from.pixels(), pieces = (pixels + piece - 1) / piece;
#pragma omp parallel for schedule(static) if (from.shape.n * pieces > 1)
  for (std::int64_t item = 0; item < from.shape.n * pieces; ++item) {
    const std::int64_t start = item / pieces * pixels * 3, first = item % pieces * piece;
    const float* const planes[3] = {source + start + first, source + start + pixels + first,
                                    source + start + 2 * pixels + first};
    cpu::loops().planes.of<B>().interleave(planes, std::min(piece, pixels - first),
                                           target + start + 3 * first);
  }
}

template <class A, class B>
void reorder_as(const Layout& from, const A* source, const Layout& to, B* target) {
  if (from.block == to.block) {
    constexpr std::int64_t piece = 1 << 14;
    const std::int64_t all = from.elements();
#pragma omp parallel for schedule(static) if (all > 4 * piece)
    for (std::int64_t at = 0; at < all; at += piece)
      convert_row(source + at, std::min(piece, all - at), target + at);
    return;
  }
  if constexpr (std::is_same_v<A, float>)
    if (interleaves(from, to)) return interleave_all(from, source, target);
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

}  // namespace

Layout make_layout(const Shape& shape, std::int64_t block) {
  ensure(block >= 1, "a block has at least one channel");
  const bool moves = shape.h * shape.w != 1 || shape.c % block != 0;
  return {shape, moves ? block : 1};
}

std::string format_layout(const Layout& layout) {
  std::string made = format_shape(layout.shape);
  if (layout.bf16) made += " bf16";
  if (layout.block == 1) return made;
  if (layout.block == layout.shape.c) return made + " channels last";
  return text(made, " blocked by ", layout.block);
}

void reorder(const Layout& from, const float* source, const Layout& to, float* target) {
  ensure(from.shape == to.shape, "a reorder keeps the shape");
  const auto* const halves = reinterpret_cast<const Bf16*>(source);
  auto* const into_halves = reinterpret_cast<Bf16*>(target);
  if (from.bf16 && to.bf16)
    reorder_as(from, halves, to, into_halves);
  else if (from.bf16)
    reorder_as(from, halves, to, target);
  else if (to.bf16)
    reorder_as(from, source, to, into_halves);
  else
    reorder_as(from, source, to, target);
}

void accumulate(const Layout& layout, const float* from, float* into) {
  if (!layout.bf16)
    return cpu::parallel_pieces(layout.elements(), [&](std::int64_t first, std::int64_t last) {
      cpu::loops().add(into + first, from + first, into + first, last - first);
    });
  const auto* const halves = reinterpret_cast<const Bf16*>(from);
  auto* const into_halves = reinterpret_cast<Bf16*>(into);
  cpu::parallel_pieces(layout.elements(), [&](std::int64_t first, std::int64_t last) {
    cpu::loops().add_bf16(into_halves + first, halves + first, into_halves + first, last - first);
  });
}

std::int64_t preferred_block() { return chip_isa() == Isa::avx512 ? 16 : 8; }

}  // namespace enxerto
