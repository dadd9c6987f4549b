#include <string>
#include <vector>

#include "enxerto/interop/keras_graph.h"
#include "tests/fuzz/fuzz.h"

namespace {

/// Weights that fit the structures in corpus/keras_graph, so that what they become is reached too.
const std::vector<enxerto::KerasFile>& models() {
  static const std::vector<enxerto::KerasFile> loaded = [] {
    std::vector<enxerto::KerasFile> made;
    for (const char* name : {"adapted.keras", "every_layer.keras", "flattened.keras", "nested.keras",
                             "open_size.keras", "plain.keras", "vector.keras", "keras2_functional.h5"})
      made.push_back(enxerto::load_keras(std::string("tests/files/keras/") + name));
    return made;
  }();
  return loaded;
}

}  // namespace

// The first byte chooses the weights, the rest is the structure.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const enxerto::KerasFile& model = models()[data[0] % models().size()];
  enxerto::KerasFile keras{
      .tensors = {}, .config = std::string(data + 1, data + size), .version = model.version};
  for (const enxerto::NamedTensor& tensor : model.tensors)
    keras.tensors.push_back({tensor.name, tensor.dims, tensor.value.clone()});
  return enxerto::fuzz([&] { enxerto::graph_from_keras(keras, "fuzzed", {.c = 3, .h = 9, .w = 8}); });
}
