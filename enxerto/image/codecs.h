/// What decode.cpp and the codecs agree on. Not installed.
#pragma once

#include <cstdint>
#include <span>

#include "enxerto/image/image.h"

namespace enxerto {

/// A decoded picture as it lies in the file, with what EXIF says about turning it.
struct Decoded {
  Image image;
  int orientation = 1;  ///< EXIF: 1 upright, 2..8 mirrored or turned
};

Decoded decode_jpeg(std::span<const std::uint8_t> bytes);
Decoded decode_png(std::span<const std::uint8_t> bytes);

/// Throws Error{unsupported} where there are too many pixels, Error{corrupt} where there are none or
/// more than `possible`, the number that bytes of this length can encode.
void check_pixels(std::int64_t width, std::int64_t height, std::int64_t possible);

/// The orientation in a TIFF block ("II*\0..." or "MM\0*..."), 1 where there is none or it makes no sense.
int find_orientation(std::span<const std::uint8_t> tiff);

}  // namespace enxerto
