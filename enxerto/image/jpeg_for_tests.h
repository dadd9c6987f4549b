/// JPEG files of kinds that encode_jpeg() does not write. For tests only, not installed.
#pragma once

#include <cstdint>
#include <vector>

#include "enxerto/image/image.h"

namespace enxerto {

struct JpegKind {
  bool progressive = false;
  bool arithmetic = false;  ///< Huffman's code all the same where libjpeg has no other
  bool cmyk = false;        ///< as Adobe stores it, inverted, black unused
  bool grey = false;
  int across = 2, down = 2;  ///< pixels that share one colour
};

/// Quality 90, as encode_jpeg() has it.
std::vector<std::uint8_t> encode_jpeg_for_tests(const Image& rgb, const JpegKind& kind);

}  // namespace enxerto
