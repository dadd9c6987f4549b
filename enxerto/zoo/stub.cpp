#include "enxerto/interop/keras_graph.h"
#include "enxerto/interop/onnx_read.h"
#include "enxerto/interop/onnx_write.h"
#include "enxerto/weights/hdf5.h"
namespace enxerto {
bool looks_like_hdf5(std::span<const std::uint8_t>) { return false; }
bool looks_like_onnx(std::span<const std::uint8_t>) { return false; }
KerasFile parse_keras(std::span<const std::uint8_t>, const std::string&) { return {}; }
Graph graph_from_keras(const KerasFile&, const std::string&, const Shape&) { return {}; }
OnnxModel parse_onnx(std::span<const std::uint8_t>, const std::string&, const OnnxOptions&) { return {}; }
void save_onnx(const std::filesystem::path&, const Graph&, const OnnxExtras&) {}
}
