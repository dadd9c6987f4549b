#include "enxerto/image/jpeg_for_tests.h"

// jpeglib.h needs size_t and FILE declared before it.
// clang-format off
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
// clang-format on

#include <cstdlib>

namespace enxerto {

std::vector<std::uint8_t> encode_jpeg_for_tests(const Image& rgb, const JpegKind& kind) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);  // exits on an error, which ends the test
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(rgb.width);
  info.image_height = static_cast<JDIMENSION>(rgb.height);
  info.input_components = kind.cmyk ? 4 : 3;
  info.in_color_space = kind.cmyk ? JCS_CMYK : JCS_RGB;
  jpeg_set_defaults(&info);
  if (kind.grey) jpeg_set_colorspace(&info, JCS_GRAYSCALE);
  if (!kind.grey && !kind.cmyk) {
    info.comp_info[0].h_samp_factor = kind.across;
    info.comp_info[0].v_samp_factor = kind.down;
  }
  jpeg_set_quality(&info, 90, TRUE);
#ifdef C_ARITH_CODING_SUPPORTED
  info.arith_code = kind.arithmetic;
#endif
  if (kind.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  std::vector<std::uint8_t> line;
  for (int y = 0; y < rgb.height; ++y) {
    line.clear();
    for (int x = 0; x < rgb.width; ++x) {
      line.insert(line.end(), rgb.row(y) + 3 * x, rgb.row(y) + 3 * x + 3);
      if (kind.cmyk) line.push_back(255);
    }
    JSAMPROW row = line.data();
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::vector<std::uint8_t> out(bytes, bytes + size);
  jpeg_destroy_compress(&info);
  std::free(bytes);
  return out;
}

}  // namespace enxerto
