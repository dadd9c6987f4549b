#include "enxerto/image/decode.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/image/codecs.h"
#include "enxerto/image/resize.h"

namespace enxerto {
namespace {

bool has_at(std::span<const std::uint8_t> bytes, std::size_t at, std::string_view magic) {
  return bytes.size() >= at + magic.size() && std::memcmp(bytes.data() + at, magic.data(), magic.size()) == 0;
}

/// What the bytes are when they are neither JPEG nor PNG.
[[noreturn]] void refuse(std::span<const std::uint8_t> bytes) {
  using namespace std::string_view_literals;
  if (bytes.empty()) throw Error(ErrorKind::corrupt, "is empty, a JPEG or PNG picture was expected");
  struct Kind {
    std::size_t at;
    std::string_view magic, name;
  };
  static constexpr std::array kinds{Kind{0, "GIF8"sv, "GIF"},
                                    Kind{0, "II*\0"sv, "TIFF"},
                                    Kind{0, "MM\0*"sv, "TIFF"},
                                    Kind{8, "WEBP"sv, "WebP"},
                                    Kind{4, "ftypavif"sv, "AVIF"},
                                    Kind{4, "ftyp"sv, "HEIF"},
                                    Kind{0, "\0\0\0\x0CjP  "sv, "JPEG 2000"},
                                    Kind{0, "BM"sv, "BMP"}};
  for (const Kind& kind : kinds)
    if (has_at(bytes, kind.at, kind.magic))
      throw Error(ErrorKind::unsupported,
                  text("is a ", kind.name, " picture; JPEG and PNG are read, convert it first"));
  const auto start = bytes.first(std::min<std::size_t>(bytes.size(), 512));
  const bool looks_like_text = std::all_of(start.begin(), start.end(), [](std::uint8_t byte) {
    return byte >= 0x20 || byte == '\n' || byte == '\r' || byte == '\t' || byte == '\f';
  });
  throw Error(ErrorKind::corrupt, looks_like_text
                                      ? "is text, not a picture; a JPEG or PNG picture was expected"
                                      : "is no picture that we know; a JPEG or PNG picture was expected");
}

/// Turns and mirrors. From 5 on, rows become columns.
Image upright(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const int h = image.height, w = image.width, c = image.channels;
  const bool swaps = orientation >= 5;
  Image out(swaps ? w : h, swaps ? h : w, c);
  for (int y = 0; y < out.height; ++y) {
    std::uint8_t* to = out.row(y);
    for (int x = 0; x < out.width; ++x, to += c) {
      int from_y = swaps ? x : y, from_x = swaps ? y : x;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
        from_y = h - 1 - from_y;
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
        from_x = w - 1 - from_x;
      const std::uint8_t* from = image.row(from_y) + static_cast<std::ptrdiff_t>(from_x) * c;
      std::copy_n(from, c, to);
    }
  }
  return out;
}

}  // namespace

void check_pixels(std::int64_t width, std::int64_t height, std::int64_t possible) {
  if (width <= 0 || height <= 0) throw Error(ErrorKind::corrupt, "is a picture without pixels");
  if (width > max_side || height > max_side || width * height > max_pixels)
    throw Error(ErrorKind::unsupported,
                text("has ", width, " x ", height, " pixels; at most ", with_commas(max_pixels), " and ",
                     with_commas(max_side), " a side are read, make it smaller"));
  if (width * height > possible)
    throw Error(ErrorKind::corrupt, text("is damaged or cut short: it says that it has ", width, " x ",
                                         height, " pixels, more than so few bytes can hold"));
}

int find_orientation(std::span<const std::uint8_t> tiff) {
  if (tiff.size() < 8) return 1;
  const bool little = tiff[0] == 'I';
  if (!has_at(tiff, 0, little ? std::string_view("II*\0", 4) : std::string_view("MM\0*", 4))) return 1;
  const auto number = [&](std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value |= std::uint32_t{tiff[at + i]} << (8 * (little ? i : size - 1 - i));
    return value;
  };
  const std::size_t entries = number(4, 4);
  if (entries > tiff.size() - 2) return 1;
  const std::size_t count = number(entries, 2);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = entries + 2 + 12 * i;
    if (at + 12 > tiff.size()) return 1;
    constexpr std::uint32_t orientation_tag = 0x0112, short_type = 3;
    if (number(at, 2) != orientation_tag || number(at + 2, 2) != short_type) continue;
    const std::uint32_t value = number(at + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image decode_image(std::span<const std::uint8_t> bytes, const DecodeOptions& given) {
  DecodeOptions options = given;
  const int channels = options.channels;
  ensure(channels == 0 || channels == 1 || channels == 3, "a picture is asked for with 0, 1 or 3 channels");
  Decoded decoded;
  if (has_at(bytes, 0, "\xFF\xD8\xFF")) {
    decoded = decode_jpeg(bytes);
  } else if (has_at(bytes, 0, "\x89PNG\r\n\x1A\n")) {
    decoded = decode_png(bytes);
  } else {
    refuse(bytes);
  }
  if (channels) decoded.image = with_channels(std::move(decoded.image), channels);
  Image image = upright(std::move(decoded.image), decoded.orientation);
  if (options.choose) options.choose(image.width, image.height, options);
  const Area& part = options.part;
  if (part.width > 0 && part.height > 0) return crop(image, part.left, part.top, part.width, part.height);
  return image;
}

Image decode_image(std::span<const std::uint8_t> bytes, int channels) {
  DecodeOptions options;
  options.channels = channels;
  return decode_image(bytes, options);
}

Image load_image(const std::filesystem::path& path, int channels) {
  DecodeOptions options;
  options.channels = channels;
  return load_image(path, options);
}

Image load_image(const std::filesystem::path& path, const DecodeOptions& options) {
  const auto bytes = read_file(path);
  try {
    return decode_image(bytes, options);
  } catch (const Error& error) {
    throw Error(error.kind(), path.string() + ": " + error.what());
  }
}

}  // namespace enxerto
