// HEIF and AVIF by libheif. without_heif.cpp stands in where it is missing.
#include <libheif/heif.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/image/codecs.h"
#include "enxerto/image/coded_sizes.h"
#include "enxerto/image/decode.h"

namespace enxerto {
namespace {

template <auto release>
struct Release {
  template <class Thing>
  void operator()(Thing* thing) const {
    release(thing);
  }
};
using Context = std::unique_ptr<heif_context, Release<heif_context_free>>;
using Handle = std::unique_ptr<heif_image_handle, Release<heif_image_handle_release>>;
using Options = std::unique_ptr<heif_decoding_options, Release<heif_decoding_options_free>>;
using Picture = std::unique_ptr<heif_image, Release<heif_image_release>>;

[[noreturn]] void fail(PictureFormat format, std::string_view why) {
  throw Error(ErrorKind::corrupt,
              text("is a ", format_name(format), " picture that is damaged or cut short: ", why));
}

void check(PictureFormat format, const heif_error& error) {
  switch (error.code) {
    case heif_error_Ok:
      return;
    case heif_error_Unsupported_feature:
    case heif_error_Unsupported_filetype:
      throw Error(ErrorKind::unsupported, text("is a ", format_name(format), " picture that is not read (",
                                               error.message, "); convert it to JPEG"));
    default:
      fail(format, error.message);
  }
}

/// The boxes at the top have to lie within the file: decoders would make up what is missing.
void check_boxes(std::span<const std::uint8_t> bytes, PictureFormat format) {
  const auto number = [&](std::size_t at, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value << 8 | bytes[at + i];
    return value;
  };
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t left = bytes.size() - at;
    if (left < 8) fail(format, "the end is missing");
    std::uint64_t size = number(at, 4), header = 8;
    if (size == 0) return;  // to the end of the file
    if (size == 1) {
      if (left < 16) fail(format, "the end is missing");
      size = number(at + 8, 8);
      header = 16;
    }
    if (size < header || size > left) fail(format, "the end is missing");
    at += static_cast<std::size_t>(size);
  }
}

void set_limits(heif_context* context, std::size_t file_bytes) {
#if LIBHEIF_HAVE_VERSION(1, 19, 0)
  heif_security_limits* limits = heif_context_get_security_limits(context);
  limits->max_image_size_pixels = static_cast<std::uint64_t>(max_pixels);
  // A picture of as many pixels as may be, in four channels, once more for its tiles.
  limits->max_memory_block_size = static_cast<std::uint64_t>(max_pixels) * 4 + file_bytes;
#else
  static_cast<void>(file_bytes);
  heif_context_set_maximum_image_size_limit(context, static_cast<int>(max_side));
#endif
#if LIBHEIF_HAVE_VERSION(1, 13, 0)
  // Pictures are decoded on many threads already.
  heif_context_set_max_decoding_threads(context, 0);
#endif
}

/// Tiles and overlays are put together on a canvas that has a size of its own. 8,192: what is cut to size
/// later may be larger than what comes out.
void limit_canvas(heif_context* context, int width, int height) {
  heif_context_set_maximum_image_size_limit(context, std::max({width, height, 8192}));
}

Picture decode(PictureFormat format, const heif_image_handle* handle, bool has_alpha, bool is_deep) {
  const Options options(heif_decoding_options_alloc());
  if (!options) throw std::bad_alloc();
#if LIBHEIF_HAVE_VERSION(1, 15, 0)
  options->strict_decoding = 1;
#endif
  heif_chroma chroma = has_alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB;
  if (is_deep) chroma = has_alpha ? heif_chroma_interleaved_RRGGBBAA_LE : heif_chroma_interleaved_RRGGBB_LE;
  heif_image* decoded = nullptr;
  check(format, heif_decode_image(handle, &decoded, heif_colorspace_RGB, chroma, options.get()));
  return Picture(decoded);
}

/// Copies the rows; deep ones are scaled from their 9 to 16 bits to 8.
Image copy(const heif_image* picture, PictureFormat format, int channels, bool is_deep) {
  const int width = heif_image_get_width(picture, heif_channel_interleaved);
  const int height = heif_image_get_height(picture, heif_channel_interleaved);
  check_pixels(width, height, max_pixels);  // what the codec says, not the container
  int step = 0;
  const std::uint8_t* rows = heif_image_get_plane_readonly(picture, heif_channel_interleaved, &step);
  if (!rows) fail(format, "it has no pixels");
  Image out(height, width, channels);
  const int bits = heif_image_get_bits_per_pixel_range(picture, heif_channel_interleaved);
  if (is_deep && (bits < 8 || bits > 16)) fail(format, text(bits, " bits a channel"));
  const unsigned largest = is_deep ? (1u << bits) - 1 : 255;
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* from = rows + std::ptrdiff_t{y} * step;
    std::uint8_t* to = out.row(y);
    if (!is_deep) std::memcpy(to, from, out.row_bytes());
    if (!is_deep) continue;
    for (std::size_t i = 0; i < out.row_bytes(); ++i, from += 2) {
      const unsigned value = std::min(from[0] | unsigned{from[1]} << 8, largest);
      to[i] = static_cast<std::uint8_t>((value * 255 + largest / 2) / largest);
    }
  }
  return out;
}

}  // namespace

bool can_decode_heif(PictureFormat format) {
#if LIBHEIF_HAVE_VERSION(1, 13, 0)
  // Loads decoders that are files of their own; later calls cost nothing.
  static const bool has_begun = heif_init(nullptr).code == heif_error_Ok;
  if (!has_begun) return false;
#endif
  return heif_have_decoder_for_format(format == PictureFormat::avif ? heif_compression_AV1
                                                                    : heif_compression_HEVC);
}

Decoded decode_heif(std::span<const std::uint8_t> bytes, PictureFormat format) {
  if (!can_decode_heif(format))
    throw Error(ErrorKind::unsupported,
                text("is a ", format_name(format), " picture, and libheif has no decoder for it; install ",
                     format == PictureFormat::avif ? "libheif-plugin-dav1d" : "libheif-plugin-libde265",
                     ", or convert the picture to JPEG"));
  check_boxes(bytes, format);
  const std::int64_t possible = pixels_possible(bytes.size());
  check_coded_sizes(bytes, [&](std::int64_t wide, std::int64_t high) { check_pixels(wide, high, possible); });
  const Context context(heif_context_alloc());
  if (!context) throw std::bad_alloc();
  set_limits(context.get(), bytes.size());
  check(format,
        heif_context_read_from_memory_without_copy(context.get(), bytes.data(), bytes.size(), nullptr));
  heif_image_handle* primary = nullptr;
  check(format, heif_context_get_primary_image_handle(context.get(), &primary));
  const Handle handle(primary);
  const int width = heif_image_handle_get_width(primary), height = heif_image_handle_get_height(primary);
  check_pixels(width, height, possible);
  limit_canvas(context.get(), width, height);
  const bool has_alpha = heif_image_handle_has_alpha_channel(primary);
  const bool is_deep = heif_image_handle_get_luma_bits_per_pixel(primary) > 8;
  const Picture picture = decode(format, primary, has_alpha, is_deep);
  // Turned already: the format has boxes for that, beside which EXIF's orientation does not count.
  Image image = copy(picture.get(), format, has_alpha ? 4 : 3, is_deep);
  if (has_alpha) image = over_white(image, heif_image_handle_is_premultiplied_alpha(primary));
  return {std::move(image), 1};
}

}  // namespace enxerto
