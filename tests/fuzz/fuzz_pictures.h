/// What the fuzzers of the readers of pictures share; a program each, so that each spends its time on one
/// format.
#pragma once

#include "enxerto/image/decode.h"
#include "enxerto/image/format.h"
#include "tests/fuzz/fuzz.h"

namespace enxerto {

/// Reads bytes of one format whole; JPEG, which has ways of its own for that, also in part and reduced. Bytes
/// that have become another format are another program's affair. Gives what LLVMFuzzerTestOneInput() returns.
inline int fuzz_picture(const std::uint8_t* data, std::size_t size, PictureFormat wanted) {
  const std::span bytes(data, size);
  if (picture_format(bytes) != wanted) return 0;
  fuzz([&] { decode_image(bytes); });
  if (wanted != PictureFormat::jpeg) return 0;
  DecodeOptions reduced;
  reduced.channels = 3;
  reduced.least_width = reduced.least_height = 4;
  fuzz([&] { decode_image(bytes, reduced); });
  DecodeOptions part;
  part.choose = [](int width, int height, DecodeOptions& options) {
    options.part = {width / 3, height / 3, (width + 2) / 3, (height + 2) / 3};
  };
  return fuzz([&] { decode_image(bytes, part); });
}

}  // namespace enxerto
