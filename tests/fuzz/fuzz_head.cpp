#include "enxerto/heads/head.h"
#include "enxerto/weights/safetensors.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return enxerto::fuzz([&] {
    enxerto::SafetensorsFile file = enxerto::parse_safetensors({data, size}, "fuzzed");
    const enxerto::FittedHead head = enxerto::head_from({std::move(file.tensors), std::move(file.metadata)});
    if (head.columns() > 4096) return;
    const enxerto::Tensor rows({.n = 2, .c = head.columns()});
    head.probabilities(rows.view());
  });
}
