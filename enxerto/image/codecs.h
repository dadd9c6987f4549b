/// What decode.cpp and the codecs agree on. Not installed.
#pragma once

#include <cstdint>
#include <span>

#include "enxerto/image/decode.h"
#include "enxerto/image/format.h"
#include "enxerto/image/image.h"

namespace enxerto {

/// A decoded picture as it lies in the file, with what EXIF says about turning it.
struct Decoded {
  Image image;
  int orientation = 1;    ///< EXIF: 1 upright, 2..8 mirrored or turned
  bool as_asked = false;  ///< DecodeOptions::choose and part are done with
};

// Each takes the whole file, which picture_format() has found to be of its kind.
Decoded decode_png(std::span<const std::uint8_t> bytes);
Decoded decode_webp(std::span<const std::uint8_t> bytes);
Decoded decode_gif(std::span<const std::uint8_t> bytes);
Decoded decode_bmp(std::span<const std::uint8_t> bytes);
Decoded decode_tiff(std::span<const std::uint8_t> bytes);
Decoded decode_heif(std::span<const std::uint8_t> bytes, PictureFormat format);
/// Does what the options say about the part and the least sides; they are those of the upright picture.
Decoded decode_jpeg(std::span<const std::uint8_t> bytes, DecodeOptions& options);

/// Whether this build and this machine have a decoder for HEIF or AVIF.
bool can_decode_heif(PictureFormat format);

/// Throws Error{unsupported} where there are too many pixels, Error{corrupt} where there are none or
/// more than `possible`, the number that bytes of this length can encode.
void check_pixels(std::int64_t width, std::int64_t height, std::int64_t possible);

/// The `possible` of formats that squeeze without a bound of their own (one colour takes next to no bytes):
/// so far above what photographs and drawings need that only bytes made to deceive meet it.
std::int64_t pixels_possible(std::size_t bytes);

// The one rule for each mode, the same in all formats; docs/formats/pictures.md has them for users.

/// Grey or colour with a last channel of alpha, laid over white and without it: c a + 255 (255 - a), over
/// 255, rounded; c + 255 - a where the file holds colours that are multiplied with alpha already.
Image over_white(const Image& with_alpha, bool multiplied = false);

/// Ink, four bytes a pixel, to RGB: (255 - c) (255 - k) over 255, rounded, which is Pillow's to the bit.
/// `inverted`: 255 stands for no ink, as Adobe's programs write it.
Image from_cmyk(std::span<const std::uint8_t> ink, int height, int width, bool inverted);

/// 16 bits to 8: the nearest of the 256 values that span the same range, v / 257 rounded.
constexpr std::uint8_t eight_bits(unsigned sixteen) {
  return static_cast<std::uint8_t>((sixteen + 128) / 257);
}

/// An area of the upright picture, where it lies in the stored one of width x height.
Area stored_area(const Area& upright, int orientation, int width, int height);

}  // namespace enxerto
