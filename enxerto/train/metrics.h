/// Metrics: how well a network does on a dataset.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "enxerto/data/loader.h"
#include "enxerto/graph/executor.h"
#include "enxerto/train/loss.h"
#include "enxerto/train/multi_label.h"
#include "enxerto/zoo/model_runner.h"

namespace enxerto {

/// A proportion's 95 % confidence interval (Wilson 1927), which stays in [0, 1] and holds for small n and
/// for proportions near 0 and 1. Of nothing: [0, 1].
struct Interval {
  double low = 0, high = 1;
};
Interval wilson_interval(std::int64_t right, std::int64_t n);
/// Of the proportion p of n, which may be any number above 0.
Interval wilson_interval_of(double p, double n);

/// What became of one picture with one label.
struct PictureScore {
  std::int64_t index = 0;  ///< in the dataset
  std::int32_t label = 0, predicted = 0;
  /// Of `predicted`: the outputs' softmax. Empty where the loss is the squared error, which promises none.
  std::optional<double> probability = {};
  double loss = 0;
};

struct Evaluation {
  std::vector<std::string> classes;
  std::int64_t n = 0, right = 0, right5 = 0;  ///< right5: the label is among the five likeliest
  double loss = 0;                            ///< mean over pictures
  std::vector<std::int64_t> confusion;        ///< row by row: the true class down, the predicted across
  /// There where a picture may have several labels. `right` then says that the likeliest class is among them,
  /// `right5` that one of the five likeliest is; pictures without a label cannot be right in this and do not
  /// count there. `confusion` is empty.
  std::optional<MultiLabelScores> multi_label = {};
  /// The targets are no classes (EvaluateOptions::only_loss): `n` and `loss` tell all that is known.
  bool only_loss = false;
  /// Each picture where they have one label each; empty elsewhere. No part of to_json().
  std::vector<PictureScore> pictures = {};

  std::int64_t labelled() const { return multi_label ? multi_label->labelled : n; }
  double top1() const {
    return labelled() ? static_cast<double>(right) / static_cast<double>(labelled()) : 0;
  }
  double top5() const {
    return labelled() ? static_cast<double>(right5) / static_cast<double>(labelled()) : 0;
  }
  Interval top1_interval() const { return wilson_interval(right, labelled()); }
  std::vector<ClassScore> per_class() const;
  /// {"n", "top1", "top1_interval": [low, high], "top5" (more than 5 classes), "loss",
  /// "macro_precision", "macro_recall", "macro_f1", "per_class": [{"class", "n", "predicted", "right",
  /// "precision", "recall", "f1"}], "classes", "confusion": [[...]]}. A proportion of nothing is null; the
  /// macro averages are over classes that have one. With several labels a picture there is no "confusion",
  /// but "multi_label": true, "labelled", "exact_match", "mean_average_precision", "micro_precision",
  /// "micro_recall", "micro_f1", and "average_precision" in each row of "per_class". Where `only_loss`
  /// it is {"n", "loss"}.
  nlohmann::json to_json() const;
};

/// Probabilities of each class from a row of outputs: their softmax, or the outputs themselves where
/// `are_probabilities` (the network ends in one).
std::vector<float> probabilities_of(std::span<const float> outputs, bool are_probabilities = false);

/// The softmax of outputs, of class k alone.
double probability_of(std::span<const float> outputs, std::size_t k);

/// The same where each class is a question of its own: the outputs' sigmoids.
std::vector<float> sigmoids_of(std::span<const float> outputs);

/// How many outputs are ahead of the label's; of equal ones the earlier is ahead.
int rank_of(std::span<const float> outputs, std::int32_t label);

/// A picture's outputs, in the order of the dataset. Called on the thread that evaluates.
using OnOutputs = std::function<void(std::int64_t index, std::int32_t label, std::span<const float> outputs)>;

struct EvaluateOptions {
  std::optional<LossConfig> loss = {};  ///< empty: cross-entropy, or BCE with several labels a picture
  /// The network answers for each class on its own. So it is in any case where the data have several labels
  /// a picture; where they have one it counts as a list of one.
  bool multi_label = false;
  /// The network ends in a softmax: what stands for its outputs, and goes to on_outputs, are their
  /// logarithms, which are logits of the same probabilities.
  bool gives_probabilities = false;
  /// The targets are numbers to come near, such as what another network makes of the pictures.
  bool only_loss = false;
  OnOutputs on_outputs = {};  ///< optional
  /// Optional: how far a picture is from all classes, where a ModelRunner tells (ModelRunner::distances()).
  /// Called before on_outputs of the same batch.
  std::function<void(std::int64_t index, double distance)> on_distance = {};
  const std::atomic<bool>* stop = nullptr;  ///< optional: Error{interrupted} where it turns true
};

/// Runs all pictures of epoch 0 of `source` (which should not shuffle) through an executor of the same
/// batch; rows of padding do not count. Pictures without a label are given to on_outputs and count
/// nowhere else. Error{diverged} where outputs are not finite, with the name of the layer; Error{usage}
/// where the outputs are not as many as the classes.
Evaluation evaluate(Executor& executor, BatchSource& source, std::span<const std::string> classes,
                    const EvaluateOptions& options = {});
/// The same of a model that may have a head which is no layer.
Evaluation evaluate(ModelRunner& runner, BatchSource& source, std::span<const std::string> classes,
                    const EvaluateOptions& options = {});
/// The same of outputs {n, classes} that are there already, row i of picture i.
Evaluation evaluate_outputs(ConstView outputs, const Dataset& data, const EvaluateOptions& options = {});
/// The same with a loader made for it, or with both.
Evaluation evaluate(ModelRunner& runner, const Dataset& data, const Preprocess& preprocess, int workers = 0,
                    const EvaluateOptions& options = {});
Evaluation evaluate(const Graph& graph, const Dataset& data, const Preprocess& preprocess, int batch = 32,
                    int workers = 0, const EvaluateOptions& options = {});

}  // namespace enxerto
