#include "enxerto/weights/torch_file.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return enxerto::fuzz([&] {
    enxerto::looks_like_torch({data, size});
    enxerto::parse_torch({data, size}, "fuzzed");
  });
}
