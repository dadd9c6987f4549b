/// A model file, ready to be given pictures.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "enxerto/data/preprocess.h"
#include "enxerto/graph/executor.h"

namespace enxerto::cli {

struct Classifier {
  Graph graph;
  Preprocess preprocess;
  std::vector<std::string> classes;
  bool gives_probabilities = false;  ///< the network ends in a softmax
};

/// Throws Error that names the file: what load_model() throws, unsupported where it is no classifier,
/// corrupt where its preprocessing does not fit its network.
Classifier load_classifier(const std::filesystem::path& path);

struct Ranked {
  std::string name;
  double probability = 0;
};
/// The `top` likeliest classes (or all, where they are fewer) by one picture's outputs, best first. Throws
/// Error{diverged} where the outputs are not finite.
std::vector<Ranked> rank(const Classifier& model, std::span<const float> outputs, int top);

}  // namespace enxerto::cli
