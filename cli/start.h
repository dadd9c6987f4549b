/// What a network starts from: the weights of a file.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "enxerto/data/preprocess.h"
#include "enxerto/graph/graph.h"

namespace enxerto::cli {

struct StartWeights {
  std::string file;
  NamedTensors tensors;
  std::optional<Preprocess> preprocess;  ///< of a model file
  std::vector<std::string> classes;      ///< of a model file: names of the head's outputs
};

/// A model file, a run folder, or safetensors with weights alone. Throws Error that names the file.
StartWeights load_start_weights(const std::filesystem::path& path);

/// Gives the graph the tensors that have the names of its parameters. The head, which is the last layer with
/// parameters, takes them where the file's classes are those of `classes`, each by its name, or where the
/// file names none and the shape is right; else it stays as it is. Returns notes for people.
/// Throws Error{unsupported} that lists what does not fit in the other layers.
std::vector<std::string> apply_start_weights(Graph& graph, const StartWeights& weights,
                                             const std::vector<std::string>& classes);

}  // namespace enxerto::cli
