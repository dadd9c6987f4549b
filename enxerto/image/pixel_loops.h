/// The inner loops over pixels: plain ones, and the same compiled for each instruction set and chosen at run
/// time. All give the same bits. Not installed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "enxerto/image/taps.h"

namespace enxerto {

// Plain fields only: an inline function that is compiled for several instruction sets may end up in a program
// in its widest form.

/// Rows of bytes, `stride` apart; `end` is behind the last byte that may be read.
struct Rows {
  const std::uint8_t* data = nullptr;
  std::size_t stride = 0;
  const std::uint8_t* end = nullptr;
};

/// Taps, as the loops see them.
struct TapsView {
  const Taps::Run* runs = nullptr;
  const std::int32_t* weights = nullptr;
  std::size_t stride = 0;
  int size = 0;
};

/// What becomes of the 256 values of a channel. Where `is_affine`, value[p] is p * factor + offset with one
/// rounding in double and one to float.
struct PixelTable {
  float value[256];
  double factor = 0, offset = 0;
  bool is_affine = false;
};

struct PixelLoops {
  const char* name;  ///< of the instruction set
  /// The pass along rows: `count` rows of pixels with 1 or 3 channels; rows of `to` are dense.
  void (*across)(const Rows& from, int count, int channels, const TapsView& taps, std::uint8_t* to);
  /// The pass along columns, `bytes` of each row; rows of `to` are dense. Rows count as the taps do.
  void (*down)(const Rows& from, std::size_t bytes, const TapsView& taps, std::uint8_t* to);
  /// `count` pixels into planes of floats: plane c from channel source[c] by table[c].
  void (*planes)(const std::uint8_t* pixels, std::size_t count, int channels, const int* source,
                 const PixelTable* table, float* to);
};

/// The table for this chip.
const PixelLoops& pixel_loops();

/// The tables that were built; the chip has to be able to run them.
const PixelLoops& pixel_loops_reference();
const PixelLoops* pixel_loops_avx2();    ///< null where not built
const PixelLoops* pixel_loops_avx512();  ///< null where not built

}  // namespace enxerto
