#include "cli/model.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <variant>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/train/metrics.h"
#include "enxerto/zoo/model_file.h"

namespace enxerto::cli {

Classifier load_classifier(const std::filesystem::path& path) {
  ModelFile file = load_model(path);
  if (file.classes.empty())
    throw Error(ErrorKind::unsupported, text(path.string(), ": it names no classes, so it is no classifier"));
  Classifier model;
  try {
    model.preprocess = Preprocess::from_json(file.preprocess);
  } catch (const Error& error) {
    throw Error(error.kind(), text(path.string(), ": ", error.what()));
  }
  if (model.preprocess.shape() != file.graph.input_shape())
    throw Error(ErrorKind::corrupt,
                text(path.string(), ": it prepares pictures as ", format_shape(model.preprocess.shape()),
                     ", its network takes ", format_shape(file.graph.input_shape())));
  model.graph = std::move(file.graph);
  model.classes = std::move(file.classes);
  model.gives_probabilities = std::holds_alternative<Softmax>(model.graph.node(model.graph.last()).layer);
  return model;
}

std::vector<Ranked> rank(const Classifier& model, std::span<const float> outputs, int top) {
  if (!std::ranges::all_of(outputs, [](float value) { return std::isfinite(value); }))
    throw Error(ErrorKind::diverged, "the network's outputs are not finite: its weights are damaged");
  const std::vector<float> probabilities = probabilities_of(outputs, model.gives_probabilities);
  std::vector<std::size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return probabilities[i]; });
  order.resize(std::min(order.size(), static_cast<std::size_t>(top)));
  std::vector<Ranked> ranked;
  for (const std::size_t i : order) ranked.push_back({model.classes[i], probabilities[i]});
  return ranked;
}

}  // namespace enxerto::cli
