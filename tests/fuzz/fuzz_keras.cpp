#include "enxerto/interop/keras_graph.h"
#include "enxerto/weights/hdf5.h"
#include "enxerto/weights/keras_file.h"
#include "tests/fuzz/fuzz.h"

// libhdf5 runs in a child of each input, where nothing guides the fuzzer: archives and structures are what it
// learns.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return enxerto::fuzz([&] {
    enxerto::looks_like_hdf5({data, size});
    const enxerto::KerasFile keras = enxerto::parse_keras({data, size}, "fuzzed");
    enxerto::graph_from_keras(keras, "fuzzed");
  });
}
