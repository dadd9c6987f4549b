/// ONNX files whole: a convolutional classifier, backbone or detector becomes a Graph that can be run, cut,
/// frozen and trained. docs/formats/onnx.md lists what is taken.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "enxerto/graph/graph.h"
#include "enxerto/tensor/named_tensors.h"

namespace enxerto {

/// `outputs` names the file's outputs: first that of the graph's last node, then those of its side outputs,
/// in their order. Names of nodes are those of the file, or X where the weights are called X.weight.
struct OnnxModel {
  Graph graph;
  std::vector<std::string> outputs;
  std::map<std::string, std::string> metadata;
};

/// Height and width for a file that leaves them open; they count for nothing where it does not.
struct OnnxOptions {
  std::int64_t height = 0, width = 0;
};

/// The file has one input, of one picture or of an open number of them; the graph then takes any number.
/// Constant arithmetic is done at once, data movement becomes as few Rearrange layers as possible.
/// Throws Error that opens with the file: corrupt where it breaks a rule of the format, unsupported that
/// lists every operator that we cannot take with the first node that has it, and what read_file() throws.
/// Memory stays within a small multiple of the file (onnx_file.h) and eight numbers for each one in it.
OnnxModel load_onnx(const std::filesystem::path& path, const OnnxOptions& options = {});
/// The same from memory; `file` stands for its name.
OnnxModel parse_onnx(std::span<const std::uint8_t> bytes, const std::string& file,
                     const OnnxOptions& options = {});

/// The initialisers alone, under their names, as float. Throws like load_onnx().
NamedTensors load_onnx_tensors(const std::filesystem::path& path);

/// Whether the beginning of a file (a few hundred bytes do) is that of an ONNX file.
bool looks_like_onnx(std::span<const std::uint8_t> bytes);

}  // namespace enxerto
