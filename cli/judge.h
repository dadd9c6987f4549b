/// What a recipe measures of the model that it made.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "cli/console.h"
#include "enxerto/data/open.h"
#include "enxerto/heads/head.h"
#include "enxerto/train/run_folder.h"
#include "enxerto/transfer/unknown.h"

namespace enxerto::cli {

/// Fits the temperature on the validation pictures: what goes into the result.
struct Calibration {
  double temperature = 1, before = 0, after = 0;  ///< errors, on the pictures it was fitted to
  nlohmann::json to_json() const {
    return {{"temperature", temperature}, {"ece_before", before}, {"ece_after", after}, {"on", "val"}};
  }
};
Calibration calibrate(const Tensor& outputs, const Dataset& data);
/// Of the pictures that have a label.
double calibration_error_of(const Tensor& outputs, const Dataset& data);

/// What a model gives for each picture, and how well it does.
struct Given {
  Evaluation evaluation;
  Tensor outputs;
  std::vector<double> distances;  ///< with novelty
};
/// By the model as it predicts, from the pictures. Ctrl-C ends it.
Given run_model(const Graph& graph, std::shared_ptr<const FittedHead> head,
                std::shared_ptr<const Novelty> novelty, const Dataset& data, const TrainConfig& training,
                int workers, const OnOutputs& also = {});
/// How well outputs do once they are divided by the temperature.
Evaluation evaluate_at(double temperature, Tensor& outputs, const Dataset& data);

std::vector<std::string> trained_layers(const Graph& graph);
/// What each layer did, by the model as it was saved. Throws std::logic_error where a frozen one moved.
nlohmann::json prove(const Graph& start, const std::filesystem::path& run,
                     const std::vector<std::string>& trained);
/// What the frozen part in bfloat16 did to the validation accuracy: beside that of the saved model, which is
/// float.
nlohmann::json compare_precisions(const Evaluation& in_bf16, const Evaluation& in_float, Console& console);
/// The novelty with what it answers: of the validation pictures, and where there are any of the test
/// pictures, which then have the curves.
nlohmann::json unknown_result(const Novelty& novelty, const Splits& splits, const Tensor& val_outputs,
                              std::span<const double> val_distances, const Given* test);

}  // namespace enxerto::cli
