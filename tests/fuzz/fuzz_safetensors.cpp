#include "enxerto/weights/safetensors.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return enxerto::fuzz([&] { enxerto::parse_safetensors({data, size}, "fuzzed"); });
}
