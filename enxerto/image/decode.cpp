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

/// What the bytes are when they are no picture of a kind that we read.
[[noreturn]] void refuse(std::span<const std::uint8_t> bytes) {
  using namespace std::string_view_literals;
  if (bytes.empty()) throw Error(ErrorKind::corrupt, "is empty, a picture was expected");
  struct Kind {
    std::size_t at;
    std::string_view magic, name;
  };
  static constexpr std::array pictures{
      Kind{0, "\0\0\0\x0CjP  "sv, "JPEG 2000"}, Kind{0, "\xFF\x0A"sv, "JPEG XL"},
      Kind{0, "\0\0\0\x0CJXL "sv, "JPEG XL"}, Kind{0, "8BPS"sv, "Photoshop"}, Kind{0, "\0\0\1\0"sv, "icon"}};
  for (const Kind& kind : pictures)
    if (has_at(bytes, kind.at, kind.magic))
      throw Error(ErrorKind::unsupported,
                  text("is a ", kind.name, " picture, which is not read; convert it to PNG or JPEG"));
  static constexpr std::array others{Kind{0, "PK\3\4"sv, "a zip archive"},
                                     Kind{0, "%PDF"sv, "a PDF document"},
                                     Kind{0, "\x1F\x8B"sv, "a gzip archive"}, Kind{4, "ftyp"sv, "a film"}};
  for (const Kind& kind : others)
    if (has_at(bytes, kind.at, kind.magic))
      throw Error(ErrorKind::corrupt, text("is ", kind.name, ", not a picture"));
  const auto start = bytes.first(std::min<std::size_t>(bytes.size(), 512));
  const bool looks_like_text = std::all_of(start.begin(), start.end(), [](std::uint8_t byte) {
    return byte >= 0x20 || byte == '\n' || byte == '\r' || byte == '\t' || byte == '\f';
  });
  throw Error(ErrorKind::corrupt,
              looks_like_text ? "is text, not a picture" : "is no picture of a kind that we know");
}

Decoded decode_as_stored(std::span<const std::uint8_t> bytes, DecodeOptions& options) {
  const auto format = picture_format(bytes);
  if (!format) refuse(bytes);
  switch (*format) {
    case PictureFormat::jpeg:
      return decode_jpeg(bytes, options);
    case PictureFormat::png:
      return decode_png(bytes);
    case PictureFormat::webp:
      return decode_webp(bytes);
    case PictureFormat::gif:
      return decode_gif(bytes);
    case PictureFormat::bmp:
      return decode_bmp(bytes);
    case PictureFormat::tiff:
      return decode_tiff(bytes);
    case PictureFormat::heif:
    case PictureFormat::avif:
      return decode_heif(bytes, *format);
  }
  refuse(bytes);
}

/// Where EXIF's orientation takes rows from: from 5 on, they are the stored columns.
bool swaps_sides(int orientation) { return orientation >= 5; }
bool is_upside_down(int orientation) {
  return orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
}
bool is_mirrored(int orientation) {
  return orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
}

/// Turns and mirrors.
Image upright(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const int h = image.height, w = image.width, c = image.channels;
  const bool swaps = swaps_sides(orientation);
  Image out(swaps ? w : h, swaps ? h : w, c);
  for (int y = 0; y < out.height; ++y) {
    std::uint8_t* to = out.row(y);
    for (int x = 0; x < out.width; ++x, to += c) {
      int from_y = swaps ? x : y, from_x = swaps ? y : x;
      if (is_upside_down(orientation)) from_y = h - 1 - from_y;
      if (is_mirrored(orientation)) from_x = w - 1 - from_x;
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

std::int64_t pixels_possible(std::size_t bytes) {
  return (std::int64_t{1} << 24) + 1024 * static_cast<std::int64_t>(bytes);
}

Area stored_area(const Area& upright, int orientation, int width, int height) {
  Area out = upright;
  if (swaps_sides(orientation)) out = {upright.top, upright.left, upright.height, upright.width};
  if (is_upside_down(orientation)) out.top = height - out.top - out.height;
  if (is_mirrored(orientation)) out.left = width - out.left - out.width;
  return out;
}

Image decode_image(std::span<const std::uint8_t> bytes, const DecodeOptions& given) {
  DecodeOptions options = given;
  const int channels = options.channels;
  ensure(channels == 0 || channels == 1 || channels == 3, "a picture is asked for with 0, 1 or 3 channels");
  Decoded decoded = decode_as_stored(bytes, options);
  if (channels) decoded.image = with_channels(std::move(decoded.image), channels);
  Image image = upright(std::move(decoded.image), decoded.orientation);
  if (decoded.as_asked) return image;
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
  const auto bytes = read_file(path, most_picture_bytes);
  try {
    return decode_image(bytes, options);
  } catch (const Error& error) {
    throw Error(error.kind(), path.string() + ": " + error.what());
  }
}

}  // namespace enxerto
