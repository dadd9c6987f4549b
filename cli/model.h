/// A model file, ready to be given pictures.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "enxerto/data/preprocess.h"
#include "enxerto/zoo/model_runner.h"
#include "enxerto/zoo/pretrained.h"

namespace enxerto::cli {

/// A MODEL on the command line, with what a file of bare weights does not say.
struct ModelFlags {
  std::string path, net, preprocess;
  int size = 0;
  bool not_strict = false;
  std::string decode = {};  ///< in place of what the model says; empty: as it says
};
/// Adds the positional MODEL, --net, --preprocess, --size, --decode and --not-strict.
void add_model(CLI::App& verb, ModelFlags& flags);
/// The flags beside MODEL alone; `only_for` says in their help when they are wanted.
void add_weight_flags(CLI::App& verb, ModelFlags& flags);

/// The model with what was recognised said on standard error. Throws Error that names the file.
Pretrained load(const ModelFlags& flags);

/// What MODEL names: a net of the zoo, which is a model without anything beside its graph, or a file.
/// `classes` (0: as they are) and `no_top` are for nets alone: Error{usage}.
ModelFile load_net_or_model(const ModelFlags& flags, int classes, bool no_top);
/// Says of the positional MODEL that it may be a net too.
void take_net_or_model(CLI::App& verb);

struct Classifier {
  Graph graph;
  Preprocess preprocess;
  std::vector<std::string> classes;
  bool gives_probabilities = false;  ///< the network ends in a softmax
  bool multi_label = false;          ///< each class is a question of its own: probabilities are sigmoids
  std::shared_ptr<const FittedHead> head = nullptr;  ///< as ModelFile has it
  std::shared_ptr<const Novelty> novelty = nullptr;  ///< as ModelFile has it
  /// Of each class, where all of them are ImageNet's: its wnid. Else empty.
  std::vector<std::string> wnids;

  /// Gives the outputs of its pictures. The graph goes into it.
  ModelRunner runner(int batch) { return {std::move(graph), batch, head, novelty}; }
};

/// Throws Error that names the file: what load_pretrained() throws, unsupported where it is no classifier,
/// usage where nobody knows its preprocessing, corrupt where that does not fit its network.
Classifier load_classifier(const ModelFlags& flags);

/// "forest of 100 trees on 50 principal components of 1,280 features".
std::string format_fitted_head(const FittedHead& head);

struct Ranked {
  std::string name;
  double probability = 0;
  int index = 0;  ///< of the class
};
/// Above this a class of several counts as there.
inline constexpr double likely = 0.5;
/// The `top` likeliest classes (or all, where they are fewer) by one picture's outputs, best first. Throws
/// Error{diverged} where the outputs are not finite.
std::vector<Ranked> rank(const Classifier& model, std::span<const float> outputs, int top);

}  // namespace enxerto::cli
