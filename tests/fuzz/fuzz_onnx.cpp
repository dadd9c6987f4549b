#include "enxerto/interop/onnx_read.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return enxerto::fuzz([&] {
    enxerto::looks_like_onnx({data, size});
    enxerto::parse_onnx({data, size}, "fuzzed");
  });
}
