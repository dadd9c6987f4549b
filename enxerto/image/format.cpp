#include "enxerto/image/format.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "enxerto/core/error.h"
#include "enxerto/image/codecs.h"

namespace enxerto {
namespace {

using namespace std::string_view_literals;

using Bytes = std::span<const std::uint8_t>;

bool has_at(Bytes bytes, std::size_t at, std::string_view magic) {
  return bytes.size() >= at + magic.size() && std::memcmp(bytes.data() + at, magic.data(), magic.size()) == 0;
}

/// Two letters are little to go by: the header behind them has to have a size that there is.
bool is_bmp(Bytes bytes) {
  if (!has_at(bytes, 0, "BM") || bytes.size() < 18) return false;
  constexpr std::array<std::uint8_t, 7> header_sizes{12, 40, 52, 56, 64, 108, 124};
  return std::find(header_sizes.begin(), header_sizes.end(), bytes[14]) != header_sizes.end() &&
         has_at(bytes, 15, "\0\0\0"sv);
}

/// ISO files name a main brand and those they are compatible with; "mif1" may hold either codec.
std::optional<PictureFormat> iso_format(Bytes bytes) {
  if (!has_at(bytes, 4, "ftyp")) return std::nullopt;
  const std::size_t box_bytes = std::size_t{bytes[2]} << 8 | bytes[3];
  const std::size_t end = std::min({bytes.size(), box_bytes, format_bytes});
  const auto has_brand = [&](std::string_view brand) {
    if (has_at(bytes, 8, brand)) return true;
    // Four bytes between the main brand and the others are a version.
    for (std::size_t at = 16; at + 4 <= end; at += 4)
      if (has_at(bytes, at, brand)) return true;
    return false;
  };
  if (has_brand("avif") || has_brand("avis")) return PictureFormat::avif;
  for (const std::string_view brand : {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"})
    if (has_brand(brand)) return PictureFormat::heif;
  return std::nullopt;
}

}  // namespace

std::optional<PictureFormat> picture_format(Bytes start) {
  if (has_at(start, 0, "\xFF\xD8\xFF")) return PictureFormat::jpeg;
  if (has_at(start, 0, "\x89PNG\r\n\x1A\n")) return PictureFormat::png;
  if (has_at(start, 0, "RIFF") && has_at(start, 8, "WEBP")) return PictureFormat::webp;
  if (has_at(start, 0, "GIF87a") || has_at(start, 0, "GIF89a")) return PictureFormat::gif;
  // 42, and 43 for files beyond 4 GB, in both orders of bytes.
  for (const std::string_view magic : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv})
    if (has_at(start, 0, magic)) return PictureFormat::tiff;
  if (is_bmp(start)) return PictureFormat::bmp;
  return iso_format(start);
}

std::string_view format_name(PictureFormat format) {
  switch (format) {
    case PictureFormat::jpeg:
      return "JPEG";
    case PictureFormat::png:
      return "PNG";
    case PictureFormat::webp:
      return "WebP";
    case PictureFormat::gif:
      return "GIF";
    case PictureFormat::bmp:
      return "BMP";
    case PictureFormat::tiff:
      return "TIFF";
    case PictureFormat::heif:
      return "HEIF";
    case PictureFormat::avif:
      return "AVIF";
  }
  ensure(false, "a picture format is one of the list");
  return "";
}

std::optional<PictureFormat> format_of_ending(std::string_view ending) {
  if (ending.starts_with('.')) ending.remove_prefix(1);
  std::string lower(ending);
  for (char& letter : lower)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  struct Known {
    std::string_view ending;
    PictureFormat format;
  };
  using enum PictureFormat;
  static constexpr std::array known{Known{"jpg", jpeg},  Known{"jpeg", jpeg}, Known{"jpe", jpeg},
                                    Known{"jfif", jpeg}, Known{"png", png},   Known{"webp", webp},
                                    Known{"gif", gif},   Known{"bmp", bmp},   Known{"dib", bmp},
                                    Known{"tif", tiff},  Known{"tiff", tiff}, Known{"heic", heif},
                                    Known{"heif", heif}, Known{"hif", heif},  Known{"avif", avif}};
  for (const Known& one : known)
    if (one.ending == lower) return one.format;
  return std::nullopt;
}

bool can_read(PictureFormat format) {
  const bool is_heif = format == PictureFormat::heif || format == PictureFormat::avif;
  return !is_heif || can_decode_heif(format);
}

}  // namespace enxerto
