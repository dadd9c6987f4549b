/// The inner loops of colour.h, one text compiled for each instruction set and chosen at run time; all give
/// the same bits. Not installed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace enxerto {

struct ColourLoops {
  /// Each value of `to` becomes from + factor * (to - from), cut to 0..255: Pillow's blend in its own
  /// precision.
  void (*blend)(const std::uint8_t* from, std::uint8_t* to, std::size_t count, float factor);
  /// Each of `count` RGB pixels away from its own grey, by the same formula.
  void (*saturate)(std::uint8_t* pixels, std::size_t count, float factor);
  /// The middle row's values, `step` bytes from the next pixel's, smoothed by (1 1 1, 1 5 1, 1 1 1) / 13. The
  /// first and last `step` of `bytes` are left out.
  void (*smooth)(const std::uint8_t* above, const std::uint8_t* here, const std::uint8_t* below,
                 std::ptrdiff_t bytes, std::ptrdiff_t step, std::uint8_t* to);
  /// The hue of `count` RGB pixels is moved by `shift` of 256.
  void (*turn_hue)(std::uint8_t* pixels, std::size_t count, int shift);
};

/// The loops for this chip.
const ColourLoops& colour_loops();

/// The loops that were built; the chip has to be able to run them.
const ColourLoops& colour_loops_generic();
const ColourLoops* colour_loops_avx2();  ///< null where not built

}  // namespace enxerto
