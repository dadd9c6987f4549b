// jpeglib.h needs size_t and FILE declared before it, jerror.h needs jpeglib.h.
// clang-format off
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/image/codecs.h"
#include "enxerto/image/exif.h"

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

  /// Eighths of the sides that the picture comes with: the frequencies above are left out. 1, 2 and 4 are
  /// those that libjpeg-turbo has vectors for; the others take longer than all of the picture.
  void reduce(int eighths) {
    info_.scale_num = static_cast<unsigned>(eighths);
    info_.scale_denom = 8;
    jpeg_calc_output_dimensions(&info_);
  }

  /// Whether parts come with the bits that they have in the whole: the usual files, read in one pass.
  bool can_read_parts() {
    const auto is_usual = [&](int i) {
      const jpeg_component_info& component = info_.comp_info[i];
      return component.h_samp_factor <= (i == 0 ? 2 : 1) && component.v_samp_factor <= (i == 0 ? 2 : 1);
    };
    if (jpeg_has_multiple_scans(&info_) || info_.progressive_mode) return false;
    if (info_.num_components == 1) return true;
    return info_.num_components == 3 && is_usual(0) && is_usual(1) && is_usual(2);
  }

  /// Makes ready to read these columns, and returns how many come, from `first` on: with a margin, because
  /// the upsampling of colours looks at their neighbours. All of them where that is not possible.
  bool start(const Area& area, bool in_parts) {
    if (setjmp(trouble_.jump)) return false;
    jpeg_start_decompress(&info_);
    first_column_ = 0;
    if (in_parts && area.width < static_cast<int>(info_.output_width)) {
      first_column_ = static_cast<JDIMENSION>(std::max(area.left - margin, 0));
      JDIMENSION columns =
          std::min<JDIMENSION>(static_cast<JDIMENSION>(area.left + area.width + margin), info_.output_width) -
          first_column_;
      jpeg_crop_scanline(&info_, &first_column_, &columns);
    }
    return true;
  }

  /// `pixels` holds area.height * area.width * components bytes, `line` a row as start() left it. All of the
  /// file is read, so that damage is found wherever it is.
  bool read(const Area& area, bool in_parts, std::uint8_t* pixels, std::uint8_t* line) {
    if (setjmp(trouble_.jump)) return false;
    const auto bytes = static_cast<std::size_t>(components());
    const auto first = static_cast<JDIMENSION>(area.top), last = first + static_cast<JDIMENSION>(area.height);
    const std::size_t row_bytes = static_cast<std::size_t>(area.width) * bytes;
    const bool whole_rows = area.width == static_cast<int>(info_.output_width);
    if (in_parts && area.top > margin) jpeg_skip_scanlines(&info_, first - margin);
    while (info_.output_scanline < last) {
      const JDIMENSION y = info_.output_scanline;
      const bool wanted = y >= first;
      std::uint8_t* place = wanted ? pixels + (y - first) * row_bytes : nullptr;
      JSAMPROW row = wanted && whole_rows ? place : line;
      jpeg_read_scanlines(&info_, &row, 1);
      if (wanted && !whole_rows)
        std::memcpy(place, line + (static_cast<std::size_t>(area.left) - first_column_) * bytes, row_bytes);
    }
    const JDIMENSION rest = info_.output_height - info_.output_scanline;
    if (in_parts && rest > 1) jpeg_skip_scanlines(&info_, rest - 1);
    while (info_.output_scanline < info_.output_height) jpeg_read_scanlines(&info_, &line, 1);
    jpeg_finish_decompress(&info_);
    return true;
  }

  std::size_t line_bytes() const {
    return std::size_t{info_.output_width} * static_cast<std::size_t>(components());
  }
  int output_width() const { return static_cast<int>(info_.output_width); }
  int output_height() const { return static_cast<int>(info_.output_height); }
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
        return Exif({marker->data, marker->data_length}).orientation();
    return 1;
  }

  [[noreturn]] void fail() const {
    switch (trouble_.code) {
      case JERR_BAD_PRECISION:
        throw Error(ErrorKind::unsupported,
                    text("is a JPEG picture of ", info_.data_precision,
                         " bits a channel, and 8 are read; convert it to JPEG of 8 bits or to PNG"));
#if JPEG_LIB_VERSION < 70  // Ubuntu's libjpeg-turbo speaks version 8, which has no such error
      case JERR_ARITH_NOTIMPL:
#endif
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
  static constexpr int margin = 32;  ///< pixels: two of the largest blocks
  JDIMENSION first_column_ = 0;
  jpeg_decompress_struct info_;
  Trouble trouble_;
  jpeg_progress_mgr progress_;
};

/// The reduction to the fewest eighths that leave at least these sides.
int eighths_for(int width, int height, int least_width, int least_height) {
  const auto left = [](int sides, int eighths) { return (std::int64_t{sides} * eighths + 7) / 8; };
  for (const int eighths : {1, 2, 4})
    if (left(width, eighths) >= least_width && left(height, eighths) >= least_height) return eighths;
  return 8;
}

/// `area` of the stored picture, ink made light.
Image read_area(JpegReader& reader, const Area& area) {
  const bool in_parts =
      reader.can_read_parts() && area != Area{0, 0, reader.output_width(), reader.output_height()};
  if (!reader.start(area, in_parts)) reader.fail();
  std::vector<std::uint8_t> line(reader.line_bytes());
  switch (reader.colours()) {
    case JCS_GRAYSCALE:
    case JCS_RGB: {
      Image image(area.height, area.width, reader.components());
      if (!reader.read(area, in_parts, image.pixels.data(), line.data())) reader.fail();
      return image;
    }
    case JCS_CMYK: {
      std::vector<std::uint8_t> ink(static_cast<std::size_t>(area.height) *
                                    static_cast<std::size_t>(area.width) * 4);
      if (!reader.read(area, in_parts, ink.data(), line.data())) reader.fail();
      return from_cmyk(ink, area.height, area.width, reader.has_adobe_marker());
    }
    default:
      throw Error(ErrorKind::unsupported, "is a JPEG picture with colours that are not read");
  }
}

}  // namespace

Decoded decode_jpeg(std::span<const std::uint8_t> bytes, DecodeOptions& options) {
  JpegReader reader;
  if (!reader.read_header(bytes)) reader.fail();
  // Huffman's code takes a bit for a block of 64 pixels; subsampling makes that 128 pixels at most, doubled
  // here.
  check_pixels(reader.width(), reader.height(),
               reader.is_arithmetic() ? pixels_possible(bytes.size())
                                      : static_cast<std::int64_t>(bytes.size()) * 2048);
  Decoded out;
  out.as_asked = true;
  out.orientation = reader.orientation();
  const int width = reader.width(), height = reader.height();
  const bool swaps = out.orientation >= 5;
  if (options.choose) options.choose(swaps ? height : width, swaps ? width : height, options);
  if (options.part.width > 0 && options.part.height > 0) {
    const Area& part = options.part;
    const Area area = stored_area(part, out.orientation, width, height);
    ensure(area.left >= 0 && area.top >= 0 && area.width <= width - area.left &&
               area.height <= height - area.top,
           "the part that is decoded lies in the picture");
    out.image = read_area(reader, area);
    return out;
  }
  if (options.least_width > 0 && options.least_height > 0)
    reader.reduce(eighths_for(width, height, swaps ? options.least_height : options.least_width,
                              swaps ? options.least_width : options.least_height));
  out.image = read_area(reader, {0, 0, reader.output_width(), reader.output_height()});
  return out;
}

}  // namespace enxerto
