/// Look: what a picture looks like, in 1.2 KB, so that any two can be compared without their files.
#pragma once

#include <array>
#include <cstdint>

#include "enxerto/image/image.h"

namespace enxerto {

/// One of the eight ways to lay a square on itself: bit 0 exchanges left and right, bit 1 top and bottom, bit
/// 2 rows and columns (before the others). 0 leaves it as it is, 3 turns it by 180 degrees.
using Symmetry = int;
inline constexpr int symmetries = 8;

/// Sides of the small pictures that are compared.
inline constexpr int luma_side = 32, chroma_side = 8;

struct Look {
  /// Signs of the 63 lowest frequencies of the grey picture squashed to a square (a discrete cosine
  /// transform; Zauner 2010 compares such hashes): bit 8 v + u is that of u waves across and v down; bit 0 is
  /// not used.
  std::uint64_t hash = 0;
  std::array<std::uint8_t, luma_side * luma_side> luma{};
  std::array<std::uint8_t, 2 * chroma_side * chroma_side>
      chroma{};       ///< blue and red differences, 128 is grey
  bool flat = true;   ///< hardly anything in it: its hash is noise, and so would be any likeness
  bool grey = false;  ///< every pixel, whether the file is grey or not
};

/// The picture has to have a pixel.
Look look_of(const Image& image);

/// The hash of the picture laid over by `symmetry`; equal to that of the turned picture but for ties.
std::uint64_t turned(std::uint64_t hash, Symmetry symmetry);
/// The small picture (side x side) laid over: out[y][x] is what lies there afterwards.
void turn(const std::uint8_t* from, std::uint8_t* out, int side, Symmetry symmetry);

/// How alike two pictures are, whatever their brightness and contrast.
struct Likeness {
  double whole = 0;   ///< correlation of the grey pictures, -1 to 1
  double detail = 0;  ///< the same of what is left when each pixel's surroundings are taken away
  double colour = 0;  ///< mean difference of the colours, in levels; 0 where one of them is grey
};
/// Of `a` turned by `symmetry` and `b`. Where the whole is below `least_whole` the rest is not computed and
/// stays 0.
Likeness likeness(const Look& a, const Look& b, Symmetry symmetry, double least_whole = -1);

}  // namespace enxerto
