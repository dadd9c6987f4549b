/// Graphs as ONNX files, for onnxruntime and whatever else reads them. docs/formats/onnx.md says what is
/// written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "enxerto/data/preprocess.h"
#include "enxerto/graph/graph.h"

namespace enxerto {

/// What goes into the file beside the network.
struct OnnxExtras {
  std::optional<Preprocess> preprocess = std::nullopt;  ///< how a picture becomes the network's input
  std::vector<std::string> classes = {};                ///< names of the outputs; empty: not a classifier
  std::map<std::string, std::string> metadata = {};     ///< further texts; the keys of our own are ours
  /// With a preprocess: its last step, from pixels in 0..255 to the network's input, is part of the file's
  /// graph, whose input is then called "pixels". Else the input is "input", normalised.
  bool preprocess_inside = true;
};

/// Writes the file whole or not at all, the same bytes for the same graph, any number of pictures at once.
/// The weights are not copied. Throws Error{usage} where preprocess or classes do not fit the graph or a text
/// is not UTF-8, {unsupported} where the file would pass protobuf's 2 GiB, and {io}.
void save_onnx(const std::filesystem::path& path, const Graph& graph, const OnnxExtras& extras = {});
/// The bytes of that file.
std::vector<std::uint8_t> serialize_onnx(const Graph& graph, const OnnxExtras& extras = {});

}  // namespace enxerto
