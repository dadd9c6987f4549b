#include "cli/judge.h"

#include <algorithm>

#include "cli/commands.h"
#include "cli/training.h"
#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/transfer/calibration.h"
#include "enxerto/transfer/proof.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// Labels and outputs of the pictures that have one.
struct Answers {
  Tensor logits;
  std::vector<std::int32_t> labels;
};

Answers answers_of(const Tensor& outputs, const Dataset& data) {
  const auto c = static_cast<std::size_t>(outputs.shape().c);
  std::vector<float> kept;
  Answers made;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    if (data.label(i) == unlabelled) continue;
    made.labels.push_back(data.label(i));
    const auto row = outputs.data().subspan(static_cast<std::size_t>(i) * c, c);
    kept.insert(kept.end(), row.begin(), row.end());
  }
  made.logits = Tensor({.n = std::ssize(made.labels), .c = static_cast<std::int64_t>(c)});
  std::ranges::copy(kept, made.logits.data().begin());
  return made;
}

}  // namespace

Calibration calibrate(const Tensor& outputs, const Dataset& data) {
  const Answers answers = answers_of(outputs, data);
  Calibration made;
  made.temperature = fit_temperature(answers.logits.view(), answers.labels);
  made.before = calibration_error(answers.logits.view(), answers.labels);
  made.after = calibration_error(answers.logits.view(), answers.labels, made.temperature);
  return made;
}

double calibration_error_of(const Tensor& outputs, const Dataset& data) {
  const Answers answers = answers_of(outputs, data);
  return calibration_error(answers.logits.view(), answers.labels);
}

Given run_model(const Graph& graph, std::shared_ptr<const FittedHead> head,
                std::shared_ptr<const Novelty> novelty, const Dataset& data, const TrainConfig& training,
                int workers, const OnOutputs& also) {
  Given given;
  given.outputs = Tensor({.n = data.size(), .c = std::ssize(data.classes())});
  if (novelty) given.distances.resize(static_cast<std::size_t>(data.size()));
  const int batch = static_cast<int>(std::clamp<std::int64_t>(data.size(), 1, training.batch));
  ModelRunner runner(graph.clone(), batch, std::move(head), std::move(novelty));
  const auto keep = [&](std::int64_t i, std::int32_t label, std::span<const float> row) {
    std::ranges::copy(row, given.outputs.data().begin() + i * static_cast<std::ptrdiff_t>(row.size()));
    if (also) also(i, label, row);
  };
  given.evaluation = evaluate(
      runner, data, training.preprocess, workers,
      {.on_outputs = keep,
       .on_distance = [&](std::int64_t i, double far) { given.distances[static_cast<std::size_t>(i)] = far; },
       .stop = &catch_interrupts()});
  return given;
}

Evaluation evaluate_at(double temperature, Tensor& outputs, const Dataset& data) {
  for (float& y : outputs.data()) y = static_cast<float>(y / temperature);
  return evaluate_outputs(outputs.view(), data);
}

std::vector<std::string> trained_layers(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes())
    if (!node.params.empty() && !node.frozen) names.push_back(node.name);
  return names;
}

Json prove(const Graph& start, const fs::path& run, const std::vector<std::string>& trained) {
  const auto changes = compare_layers(start, load_model(run).graph, trained);
  ensure(broken_promises(changes).empty(), "what is frozen keeps its bits");
  return to_json(changes);
}

Json compare_precisions(const Evaluation& in_bf16, const Evaluation& in_float, Console& console) {
  console.line(text("bfloat16: ", percent(in_bf16.top1()),
                    " of the validation pictures right, the saved model in float ", percent(in_float.top1()),
                    "; the loss ", fixed(in_bf16.loss, 4), " and ", fixed(in_float.loss, 4)));
  return {{"val_top1", in_bf16.top1()},
          {"val_top1_float", in_float.top1()},
          {"val_loss", in_bf16.loss},
          {"val_loss_float", in_float.loss}};
}

Json unknown_result(const Novelty& novelty, const Splits& splits, const Tensor& val_outputs,
                    std::span<const double> val_distances, const Given* test) {
  Json json = novelty.to_json();
  json["val"] = unknown_json(novelty, val_distances, val_outputs.view(), *splits.val, !test);
  if (test) json["test"] = unknown_json(novelty, test->distances, test->outputs.view(), *splits.test, true);
  return json;
}

}  // namespace enxerto::cli
