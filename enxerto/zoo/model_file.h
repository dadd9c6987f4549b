/// Model files: a network with all that it takes to use it, in one safetensors file
/// (docs/formats/model-file.md).
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "enxerto/graph/graph.h"

namespace enxerto {

struct ModelFile {
  Graph graph;
  nlohmann::json preprocess;         ///< how a picture becomes the input; read by whoever prepares pictures
  std::vector<std::string> classes;  ///< names of the outputs in their order; empty: not a classifier
  bool multi_label = false;          ///< each class is a question of its own: a sigmoid for each output
  nlohmann::json training;           ///< how it came about, for people and reports
};

/// Writes the file whole or not at all. Throws Error{usage} where the classes are not as many as the
/// outputs or a text is not UTF-8, and Error{io}.
void save_model(const std::filesystem::path& path, const ModelFile& model);

/// Reads a file of save_model(), or the model.safetensors in a run folder. Throws Error naming the file:
/// corrupt where it is damaged, with all missing tensors at once; unsupported where it holds weights
/// alone or has a newer format; and what load_safetensors() throws.
ModelFile load_model(const std::filesystem::path& path);

}  // namespace enxerto
