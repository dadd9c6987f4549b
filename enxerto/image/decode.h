/// Picture files -> Image. The bytes are taken for hostile: memory is bounded by what they can hold.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "enxerto/image/image.h"

namespace enxerto {

/// More pixels than this, all together or on a side, are refused before memory is taken.
inline constexpr std::int64_t max_pixels = std::int64_t{1} << 28, max_side = 65535;

/// JPEG (baseline, progressive; grey, colour, CMYK) and PNG (every kind; 16 bits are scaled to 8, what
/// is transparent is laid over white), recognised by content. Turned upright as EXIF says.
/// `channels` 1 or 3 converts with with_channels(); 0 keeps grey grey and colour colour.
/// Throws Error: corrupt where the bytes are damaged, cut short or no picture at all, unsupported where
/// they are a picture of another kind or too large. The text does not know the file's name.
Image decode_image(std::span<const std::uint8_t> bytes, int channels = 0);

/// decode_image() on a file; the text of an Error opens with its path.
Image load_image(const std::filesystem::path& path, int channels = 0);

}  // namespace enxerto
