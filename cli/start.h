/// What a network starts from: the weights of a file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/model.h"
#include "enxerto/data/preprocess.h"
#include "enxerto/graph/graph.h"

namespace enxerto::cli {

struct StartWeights {
  std::string file;
  NamedTensors tensors;                  ///< under the names of the net
  std::optional<Graph> graph;            ///< the file's network, where no net was named
  std::optional<Preprocess> preprocess;  ///< as these weights want it, where that is known
  std::optional<float>
      batch_norm_eps;                ///< that the named net needs to compute what it did where it was trained
  std::vector<std::string> classes;  ///< names of the head's outputs, where the file has them
};

/// A model file, a run folder, or weights of others; `flags.net` empty: with the network that the file holds
/// or that its weights are recognised as. Throws Error that names the file.
StartWeights load_start_weights(const ModelFlags& flags);

/// Gives the graph the tensors that have the names of its parameters. The head, which is the last layer with
/// parameters, takes them where the file's classes are those of `classes`, each by its name, or where the
/// file names none and the shape is right; else it stays as it is. Returns notes for people.
/// Throws Error{unsupported} that lists what does not fit in the other layers.
std::vector<std::string> apply_start_weights(Graph& graph, const StartWeights& weights,
                                             const std::vector<std::string>& classes);

}  // namespace enxerto::cli
