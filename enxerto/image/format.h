/// Which kind of picture file some bytes are: told by content, never by the name.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace enxerto {

enum class PictureFormat { jpeg, png, webp, gif, bmp, tiff, heif, avif };

inline constexpr std::array picture_formats{PictureFormat::jpeg, PictureFormat::png, PictureFormat::webp,
                                            PictureFormat::gif,  PictureFormat::bmp, PictureFormat::tiff,
                                            PictureFormat::heif, PictureFormat::avif};

/// So many bytes of a file's start are enough for picture_format(); more do no harm.
inline constexpr std::size_t format_bytes = 64;

/// The format that the first bytes of a file announce; empty where they are no picture that we know.
/// The rest of the file may still be damaged.
std::optional<PictureFormat> picture_format(std::span<const std::uint8_t> start);

/// As people write it: "JPEG", "WebP".
std::string_view format_name(PictureFormat format);

/// The format that a name's ending stands for, with or without its dot, in any case: ".JPG", "tif".
std::optional<PictureFormat> format_of_ending(std::string_view ending);

/// Whether decode_image() reads the format: HEIF and AVIF need libheif, found when Enxerto was built, and its
/// decoders, found when it runs. Cheap after the first call, safe from many threads.
bool can_read(PictureFormat format);

}  // namespace enxerto
