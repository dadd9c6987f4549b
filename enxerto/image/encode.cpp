#include "enxerto/image/encode.h"

// jpeglib.h needs size_t and FILE declared before it.
// clang-format off
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
// clang-format on
#include <png.h>

#include <array>
#include <csetjmp>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"

namespace enxerto {
namespace {

void check_encodable(const Image& image) {
  ensure(image.height > 0 && image.width > 0 && (image.channels == 1 || image.channels == 3),
         "a picture that is encoded has pixels, grey or RGB");
}

struct Trouble {
  jpeg_error_mgr manager;  // first, so that libjpeg's pointer is ours
  std::jmp_buf jump;
};

[[noreturn]] void on_error(j_common_ptr info) {
  std::longjmp(reinterpret_cast<Trouble*>(info->err)->jump, 1);
}

class JpegWriter {
 public:
  JpegWriter() {
    std::memset(&info_, 0, sizeof info_);
    info_.err = jpeg_std_error(&trouble_.manager);
    trouble_.manager.error_exit = on_error;
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;
  ~JpegWriter() {
    jpeg_destroy_compress(&info_);
    std::free(bytes_);
  }

  bool write(const Image& image, int quality) {
    if (setjmp(trouble_.jump)) return false;
    jpeg_create_compress(&info_);
    jpeg_mem_dest(&info_, &bytes_, &size_);
    info_.image_width = static_cast<JDIMENSION>(image.width);
    info_.image_height = static_cast<JDIMENSION>(image.height);
    info_.input_components = image.channels;
    info_.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, quality, TRUE);
    jpeg_start_compress(&info_, TRUE);
    while (info_.next_scanline < info_.image_height) {
      JSAMPROW row = const_cast<JSAMPROW>(image.row(static_cast<int>(info_.next_scanline)));
      jpeg_write_scanlines(&info_, &row, 1);
    }
    jpeg_finish_compress(&info_);
    return true;
  }
  std::vector<std::uint8_t> bytes() const { return {bytes_, bytes_ + size_}; }

 private:
  jpeg_compress_struct info_;
  Trouble trouble_;
  unsigned char* bytes_ = nullptr;
  unsigned long size_ = 0;
};

}  // namespace

std::vector<std::uint8_t> encode_png(const Image& image) {
  check_encodable(image);
  png_image header;
  std::memset(&header, 0, sizeof header);
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = image.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::vector<std::uint8_t> bytes(size);
  if (!png_image_write_to_memory(&header, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr))
    throw std::runtime_error(std::string("libpng: ") + header.message);
  bytes.resize(size);
  return bytes;
}

void save_png(const std::filesystem::path& path, const Image& image) {
  const std::vector<std::uint8_t> png = encode_png(image);
  write_file(path, std::array{std::span<const std::uint8_t>(png)});
}

std::vector<std::uint8_t> encode_jpeg(const Image& image, int quality) {
  check_encodable(image);
  JpegWriter writer;
  if (!writer.write(image, quality))
    throw Error(ErrorKind::unsupported, "the picture is too large for JPEG: at most 65,500 pixels a side");
  return writer.bytes();
}

}  // namespace enxerto
