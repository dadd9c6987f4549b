/// Picture files -> Image. The bytes are taken for hostile: memory is bounded by what they can hold.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

#include "enxerto/image/image.h"

namespace enxerto {

/// More pixels than this, all together or on a side, are refused before memory is taken.
inline constexpr std::int64_t max_pixels = std::int64_t{1} << 28, max_side = 65535;

/// What is wanted of a picture. The default is all of it, as it lies in the file.
struct DecodeOptions {
  int channels = 0;  ///< 1 or 3 converts with with_channels(); 0 keeps grey grey and colour colour
  /// Above 0: the picture may come reduced (JPEG: in the frequency domain, which is fast), with both sides
  /// still at least this large. It is never enlarged; a smaller one comes as it is.
  int least_width = 0, least_height = 0;
  /// Only these pixels of the upright picture, bit for bit those of crop() on the whole; without width or
  /// height: all. Not together with a least side.
  Area part;
  /// Where set: called once with the sides of the whole upright picture, before it is decoded, to set the
  /// fields above by them.
  std::function<void(int width, int height, DecodeOptions& options)> choose;
};

/// The picture in JPEG, PNG, WebP, GIF, BMP, TIFF and, where libheif is there, HEIF and AVIF; recognised by
/// content; of several the first. One rule for each mode, whatever the format (docs/formats/pictures.md):
/// alpha is laid over white, 16 bits a channel are scaled to 8, ink (CMYK, YCCK) and palettes become RGB,
/// 1 bit becomes 0 and 255. Turned upright as EXIF, or the format itself, says.
/// Throws Error: corrupt where the bytes are damaged, cut short or no picture at all, unsupported where
/// they are a picture of another kind or too large. The text does not know the file's name.
Image decode_image(std::span<const std::uint8_t> bytes, const DecodeOptions& options);
Image decode_image(std::span<const std::uint8_t> bytes, int channels = 0);

/// No file of a picture that can be decoded is larger.
inline constexpr std::uint64_t most_picture_bytes = std::uint64_t{1} << 30;

/// decode_image() on a file; the text of an Error opens with its path.
Image load_image(const std::filesystem::path& path, const DecodeOptions& options);
Image load_image(const std::filesystem::path& path, int channels = 0);

}  // namespace enxerto
