/// What the fuzzers of the readers of pictures share; a program each, so that each spends its time on one
/// format.
#pragma once

#include "enxerto/image/decode.h"
#include "enxerto/image/format.h"
#include "tests/fuzz/fuzz.h"

namespace enxerto {

/// Reads bytes of one format whole, and as the fast mode of training asks for them. Bytes that have become
/// another format are another program's affair. Gives what LLVMFuzzerTestOneInput() returns.
inline int fuzz_picture(const std::uint8_t* data, std::size_t size, PictureFormat wanted) {
  const std::span bytes(data, size);
  if (picture_format(bytes) != wanted) return 0;
  return fuzz([&] {
    decode_image(bytes);
    DecodeOptions small;
    small.channels = 3;
    small.least_width = small.least_height = 4;
    if (wanted == PictureFormat::jpeg) decode_image(bytes, small);
  });
}

}  // namespace enxerto
