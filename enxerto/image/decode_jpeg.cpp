// jpeglib.h needs size_t and FILE declared before it, jerror.h needs jpeglib.h.
// clang-format off
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <csetjmp>
#include <cstring>
#include <string>
#include <string_view>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/image/codecs.h"

namespace enxerto {
namespace {

/// libjpeg reports errors by a call that may not return, so we jump. Whatever has a destructor lives
/// outside of the functions that we jump out of: in the reader or in its caller.
struct Trouble {
  jpeg_error_mgr manager;  // first, so that libjpeg's pointer is ours
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  int code;
};

[[noreturn]] void on_error(j_common_ptr info) {
  auto* trouble = reinterpret_cast<Trouble*>(info->err);
  trouble->code = trouble->manager.msg_code;
  trouble->manager.format_message(info, trouble->message);
  std::longjmp(trouble->jump, 1);
}

/// libjpeg warns where it goes on with grey instead of the picture; we want the picture or an error.
/// Harmless ones (bytes between markers, odd version numbers) pass.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_ARITH_BAD_CODE:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
      on_error(info);
    default:
      return;
  }
}

/// A small file can ask for any number of passes over a large picture; real ones have about ten.
void on_progress(j_common_ptr info) {
  constexpr int max_scans = 200;
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= max_scans) return;
  auto* trouble = reinterpret_cast<Trouble*>(info->err);
  trouble->code = JERR_BAD_PROGRESSION;
  std::strcpy(trouble->message, "far too many scans");
  std::longjmp(trouble->jump, 1);
}

class JpegReader {
 public:
  JpegReader() {
    std::memset(&info_, 0, sizeof info_);
    std::memset(&trouble_, 0, sizeof trouble_);
    info_.err = jpeg_std_error(&trouble_.manager);
    trouble_.manager.error_exit = on_error;
    trouble_.manager.emit_message = on_message;
    std::memset(&progress_, 0, sizeof progress_);
    progress_.progress_monitor = on_progress;
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info_); }

  bool read_header(std::span<const std::uint8_t> bytes) {
    if (setjmp(trouble_.jump)) return false;
    jpeg_create_decompress(&info_);
    info_.progress = &progress_;
    jpeg_mem_src(&info_, bytes.data(), static_cast<unsigned long>(bytes.size()));
    jpeg_save_markers(&info_, exif_marker, 0xFFFF);
    jpeg_read_header(&info_, TRUE);
    if (info_.jpeg_color_space == JCS_YCCK) info_.out_color_space = JCS_CMYK;
    jpeg_calc_output_dimensions(&info_);
    return true;
  }

  /// `pixels` holds height * width * components bytes.
  bool read_pixels(std::uint8_t* pixels) {
    if (setjmp(trouble_.jump)) return false;
    jpeg_start_decompress(&info_);
    const std::size_t row_bytes = std::size_t{info_.output_width} * static_cast<std::size_t>(components());
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = pixels + info_.output_scanline * row_bytes;
      jpeg_read_scanlines(&info_, &row, 1);
    }
    jpeg_finish_decompress(&info_);
    return true;
  }

  int width() const { return static_cast<int>(info_.image_width); }
  int height() const { return static_cast<int>(info_.image_height); }
  J_COLOR_SPACE colours() const { return info_.out_color_space; }
  int components() const { return info_.out_color_components; }
  bool has_adobe_marker() const { return info_.saw_Adobe_marker; }
  bool is_arithmetic() const { return info_.arith_code; }

  int orientation() const {
    constexpr std::string_view magic("Exif\0\0", 6);
    for (jpeg_saved_marker_ptr marker = info_.marker_list; marker; marker = marker->next)
      if (marker->marker == exif_marker && marker->data_length > magic.size() &&
          std::memcmp(marker->data, magic.data(), magic.size()) == 0)
        return find_orientation({marker->data, marker->data_length});
    return 1;
  }

  [[noreturn]] void fail() const {
    switch (trouble_.code) {
#if JPEG_LIB_VERSION < 70  // Ubuntu's libjpeg-turbo speaks version 8, which has no such error
      case JERR_ARITH_NOTIMPL:
#endif
      case JERR_BAD_PRECISION:
      case JERR_CONVERSION_NOTIMPL:
      case JERR_IMAGE_TOO_BIG:
      case JERR_NOT_COMPILED:
      case JERR_SOF_UNSUPPORTED:
        throw Error(ErrorKind::unsupported, text("is a JPEG picture that is not read: ", trouble_.message));
      default:
        throw Error(ErrorKind::corrupt,
                    text("is a JPEG picture that is damaged or cut short: ", trouble_.message));
    }
  }

 private:
  static constexpr int exif_marker = JPEG_APP0 + 1;
  jpeg_decompress_struct info_;
  Trouble trouble_;
  jpeg_progress_mgr progress_;
};

}  // namespace

Decoded decode_jpeg(std::span<const std::uint8_t> bytes) {
  JpegReader reader;
  if (!reader.read_header(bytes)) reader.fail();
  // Huffman's code takes a bit for a block of 64 pixels; subsampling makes that 128 pixels at most, doubled
  // here.
  check_pixels(reader.width(), reader.height(),
               reader.is_arithmetic() ? pixels_possible(bytes.size())
                                      : static_cast<std::int64_t>(bytes.size()) * 2048);
  Decoded out;
  out.orientation = reader.orientation();
  const int height = reader.height(), width = reader.width();
  switch (reader.colours()) {
    case JCS_GRAYSCALE:
    case JCS_RGB:
      out.image = Image(height, width, reader.components());
      if (!reader.read_pixels(out.image.pixels.data())) reader.fail();
      break;
    case JCS_CMYK: {
      std::vector<std::uint8_t> ink(static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 4);
      if (!reader.read_pixels(ink.data())) reader.fail();
      out.image = from_cmyk(ink, height, width, reader.has_adobe_marker());
      break;
    }
    default:
      throw Error(ErrorKind::unsupported, "is a JPEG picture with colours that are not read");
  }
  return out;
}

}  // namespace enxerto
