#include "enxerto/weights/zip.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return enxerto::fuzz([&] {
    const enxerto::ZipArchive archive({data, size}, "fuzzed");
    // One damaged entry must not keep the others from being read.
    for (const std::string& name : archive.names()) enxerto::fuzz([&] { archive.read(name, 1 << 24); });
  });
}
