// In place of decode_heif.cpp where CMake has not found libheif.
#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/image/codecs.h"

namespace enxerto {

bool can_decode_heif(PictureFormat) { return false; }

Decoded decode_heif(std::span<const std::uint8_t>, PictureFormat format) {
  throw Error(
      ErrorKind::unsupported,
      text("is a ", format_name(format),
           " picture, and Enxerto was built without libheif; install it (libheif-dev) and build again, or "
           "convert the picture to JPEG"));
}

}  // namespace enxerto
