/// Model files: a network with all that it takes to use it, in one safetensors file
/// (docs/formats/model-file.md).
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "enxerto/graph/graph.h"
#include "enxerto/heads/head.h"
#include "enxerto/heads/novelty.h"

namespace enxerto {

struct ModelFile {
  Graph graph;
  nlohmann::json preprocess;         ///< how a picture becomes the input; read by whoever prepares pictures
  std::vector<std::string> classes;  ///< names of the outputs in their order; empty: not a classifier
  bool multi_label = false;          ///< each class is a question of its own: a sigmoid for each output
  bool trunk = false;                ///< the outputs are features for a head that is yet to grow; no classes
  nlohmann::json training;           ///< how it came about, for people and reports
  /// A head that is no layer, on rows of what the graph gives; null: the graph gives the outputs.
  std::shared_ptr<const FittedHead> head = nullptr;
  /// Tells pictures of none of the classes by the rows that go into the head; null: nothing does.
  std::shared_ptr<const Novelty> novelty = nullptr;
};

/// The node whose values are the row that goes into the head: the graph's last where the head is no layer,
/// else the input of the layer that makes the outputs (head_of() in rebuild.h). Throws what head_of() throws.
NodeId features_node(const Graph& graph, const FittedHead* head);

/// The graph with a linear layer, at rest, in the place of a head that is no layer or not there yet (a
/// trunk's map is pooled for it): what other networks look like to whoever grows a new head or trains.
Graph with_linear_head(const ModelFile& model);

/// Writes the file whole or not at all, in half precision where it is asked for. Throws Error{usage} where
/// the classes are not as many as the outputs, head, novelty and network do not fit together or a text is not
/// UTF-8, and Error{io}.
void save_model(const std::filesystem::path& path, const ModelFile& model, bool half = false);

/// Reads a file of save_model(), or the model.safetensors in a run folder. Throws Error naming the file:
/// corrupt where it is damaged, with all missing tensors at once; unsupported where it holds weights
/// alone or has a newer format; and what load_safetensors() throws.
ModelFile load_model(const std::filesystem::path& path);

}  // namespace enxerto
