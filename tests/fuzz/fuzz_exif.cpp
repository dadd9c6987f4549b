#include "enxerto/doctor/taken.h"
#include "enxerto/image/exif.h"
#include "tests/fuzz/fuzz.h"

/// The bytes as a block of EXIF, and as a file that may hold one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(data, size);
  return enxerto::fuzz([&] {
    const int orientation = enxerto::Exif(bytes).orientation();
    if (orientation < 1 || orientation > 8) __builtin_trap();
    enxerto::find_taken(bytes);
  });
}
