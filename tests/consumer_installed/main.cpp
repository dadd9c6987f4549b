// What a user of the library does first: a tensor, a file, and the tensor back. Both consumer projects build
// it.
#include <cstdio>
#include <filesystem>

#include "enxerto/core/error.h"
#include "enxerto/weights/safetensors.h"

int main() {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "enxerto_consumer.safetensors";
  try {
    enxerto::NamedTensors tensors;
    tensors.push_back({"weight", {2, 3}, enxerto::Tensor({.n = 2, .c = 3})});
    tensors[0].value.data()[4] = 0.5f;
    enxerto::save_safetensors(path, tensors, {{"made_by", "a consumer"}});
    const enxerto::SafetensorsFile loaded = enxerto::load_safetensors(path);
    std::filesystem::remove(path);
    const bool same = loaded.tensors.at(0).value.data()[4] == 0.5f;
    std::printf("%s\n", same ? "the tensor came back" : "the tensor changed");
    return same ? 0 : 1;
  } catch (const enxerto::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
