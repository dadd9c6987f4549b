#include <nlohmann/json.hpp>

#include "enxerto/heads/novelty.h"
#include "enxerto/weights/safetensors.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return enxerto::fuzz([&] {
    const enxerto::SafetensorsFile file = enxerto::parse_safetensors({data, size}, "fuzzed");
    const auto text = file.metadata.find("enxerto.unknown");
    const auto json =
        nlohmann::json::parse(text == file.metadata.end() ? "null" : text->second, nullptr, false);
    const enxerto::Novelty novelty = enxerto::novelty_from(file.tensors, json);
    if (novelty.columns() > 4096) return;
    const enxerto::Tensor rows({.n = 2, .c = novelty.columns()});
    novelty.distances(rows.view());
  });
}
