#include <png.h>

#include <csetjmp>
#include <cstring>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/image/codecs.h"
#include "enxerto/image/exif.h"

namespace enxerto {
namespace {

/// As in decode_jpeg.cpp: libpng leaves by a jump, so what has a destructor lives outside of it.
class PngReader {
 public:
  explicit PngReader(std::span<const std::uint8_t> bytes)
      : bytes_(bytes), png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning)) {
    if (png_) info_ = png_create_info_struct(png_);
    if (!info_) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw std::bad_alloc();
    }
  }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  bool read_header() {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_set_read_fn(png_, this, on_read);
    // Sides are checked by check_pixels(), with a text of our own.
    png_set_user_limits(png_, 0x7FFFFFFF, 0x7FFFFFFF);
    // What nobody reads is passed over: libpng would unpack and keep it, thousands of times the file.
    static constexpr png_byte unread[] = "tEXt\0zTXt\0iTXt\0iCCP\0sPLT";
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, unread, 5);
    png_read_info(png_, info_);
    return true;
  }
  int width() const { return static_cast<int>(png_get_image_width(png_, info_)); }
  int height() const { return static_cast<int>(png_get_image_height(png_, info_)); }
  std::int64_t bits_per_pixel() const {
    return std::int64_t{png_get_bit_depth(png_, info_)} * png_get_channels(png_, info_);
  }

  /// Everything becomes 8 bits of grey, grey and alpha, RGB, or RGB and alpha.
  bool set_output() {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_set_expand(png_);
    png_set_scale_16(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }
  int channels() const { return png_get_channels(png_, info_); }

  bool read_pixels(png_bytepp rows) {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_read_image(png_, rows);
    png_read_end(png_, info_);
    return true;
  }

  int orientation() {
#ifdef PNG_eXIf_SUPPORTED
    png_uint_32 size = 0;
    png_bytep exif = nullptr;
    if (png_get_eXIf_1(png_, info_, &size, &exif)) return Exif({exif, size}).orientation();
#endif
    return 1;
  }

  [[noreturn]] void fail() const {
    throw Error(ErrorKind::corrupt, text("is a PNG picture that is damaged or cut short: ", message_));
  }

 private:
  static void on_error(png_structp png, png_const_charp message) {
    auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
    std::strncpy(reader->message_, message, sizeof reader->message_ - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_read(png_structp png, png_bytep to, std::size_t size) {
    auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
    if (size > reader->bytes_.size()) png_error(png, "the end is missing");
    std::memcpy(to, reader->bytes_.data(), size);
    reader->bytes_ = reader->bytes_.subspan(size);
  }

  std::span<const std::uint8_t> bytes_;
  char message_[128] = {};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

/// libpng takes memory for some chunks before it has seen that the file ends within them.
void check_chunks(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t signature = 8, frame = 12;  // length, type and checksum
  for (std::size_t at = signature;;) {
    const std::size_t left = bytes.size() - at;
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4 && left >= frame; ++i) length = length << 8 | bytes[at + i];
    if (left < frame || length > left - frame)
      throw Error(ErrorKind::corrupt, "is a PNG picture that is damaged or cut short: the end is missing");
    if (std::memcmp(bytes.data() + at + 4, "IEND", 4) == 0) return;
    at += frame + length;
  }
}

}  // namespace

Decoded decode_png(std::span<const std::uint8_t> bytes) {
  check_chunks(bytes);
  PngReader reader(bytes);
  if (!reader.read_header()) reader.fail();
  // Deflate makes at most 1032 bytes of one.
  check_pixels(reader.width(), reader.height(),
               (static_cast<std::int64_t>(bytes.size()) * 1032 * 8) / reader.bits_per_pixel());
  if (!reader.set_output()) reader.fail();
  Decoded out;
  out.image = Image(reader.height(), reader.width(), reader.channels());
  std::vector<png_bytep> rows(static_cast<std::size_t>(out.image.height));
  for (int y = 0; y < out.image.height; ++y) rows[static_cast<std::size_t>(y)] = out.image.row(y);
  if (!reader.read_pixels(rows.data())) reader.fail();
  out.orientation = reader.orientation();
  if (out.image.channels == 2 || out.image.channels == 4) out.image = over_white(out.image);
  return out;
}

}  // namespace enxerto
