#include "enxerto/train/metrics.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

Json json_of(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

/// Mean over those that there are.
class Mean {
 public:
  void add(const std::optional<double>& value) {
    if (value) sum_ += *value, ++count_;
  }
  std::optional<double> value() const {
    return count_ ? std::optional(sum_ / static_cast<double>(count_)) : std::nullopt;
  }

 private:
  double sum_ = 0;
  int count_ = 0;
};

std::size_t predicted_of(std::span<const float> outputs) {
  return static_cast<std::size_t>(std::ranges::max_element(outputs) - outputs.begin());
}

/// Adds up pictures to an Evaluation.
class Tally {
 public:
  Tally(std::span<const std::string> classes, const EvaluateOptions& options)
      : options_(options), counter_(classes) {
    made_.classes.assign(classes.begin(), classes.end());
  }
  std::int64_t n() const { return made_.n; }

  /// Picture `index` of the dataset, with one label.
  void add(std::int64_t index, std::span<const float> outputs, std::int32_t label) {
    const std::size_t c = outputs.size(), truth = static_cast<std::size_t>(label);
    if (options_.multi_label) {
      std::vector<float> target(c);
      target[truth] = 1;
      return add(outputs, target);
    }
    count(rank_of(outputs, label));
    made_.confusion.resize(c * c);
    const std::size_t predicted = predicted_of(outputs);
    ++made_.confusion[truth * c + predicted];
    const LossConfig kind = options_.loss.value_or(CrossEntropy{});
    PictureScore score{.index = index,
                       .label = label,
                       .predicted = static_cast<std::int32_t>(predicted),
                       .loss = loss_of(kind, view_of(outputs), {&label, 1})};
    if (!std::holds_alternative<MeanSquaredError>(kind))
      score.probability = probability_of(outputs, predicted);
    loss_ += score.loss;
    made_.pictures.push_back(score);
  }
  /// A picture with any number of labels.
  void add(std::span<const float> outputs, std::span<const float> target) {
    loss_ += loss_of(options_.loss.value_or(BinaryCrossEntropy{}), view_of(outputs), view_of(target));
    if (options_.only_loss) return void(++made_.n);
    has_lists_ = true;
    int best = static_cast<int>(outputs.size());
    for (std::size_t k = 0; k < target.size(); ++k)
      if (target[k] >= 0.5f) best = std::min(best, rank_of(outputs, static_cast<std::int32_t>(k)));
    count(best);
    counter_.add(outputs, target);
  }

  Evaluation finish() {
    if (made_.n) made_.loss = loss_ / static_cast<double>(made_.n);
    made_.only_loss = options_.only_loss;
    if (made_.only_loss) return std::move(made_);
    if (has_lists_ || options_.multi_label)
      made_.multi_label = counter_.scores();
    else
      made_.confusion.resize(made_.classes.size() * made_.classes.size());
    return std::move(made_);
  }

 private:
  static ConstView view_of(std::span<const float> row) {
    return {{.n = 1, .c = static_cast<std::int64_t>(row.size())}, row};
  }
  void count(int rank) {
    const bool has_label = rank < static_cast<int>(made_.classes.size());
    ++made_.n;
    made_.right += has_label && rank == 0;
    made_.right5 += has_label && rank < 5;
  }

  const EvaluateOptions& options_;
  Evaluation made_;
  MultiLabelCounter counter_;
  bool has_lists_ = false;
  double loss_ = 0;
};

/// `run` gives the outputs of a batch, `blame` the first layer of it at fault where they are not finite.
Evaluation evaluate_batches(const std::function<ConstView(const Batch& batch)>& run,
                            const std::function<std::string(const Batch& batch)>& blame, BatchSource& source,
                            std::span<const std::string> classes, const EvaluateOptions& options) {
  const std::size_t c = classes.size();
  Tally tally(classes, options);
  Batch batch;
  std::vector<float> logits;
  for (source.start(0); source.next(batch);) {
    if (options.stop && *options.stop)
      throw Error(ErrorKind::interrupted, text("interrupted after evaluating ", tally.n(), " pictures"));
    const ConstView outputs = run(batch);
    const auto columns = static_cast<std::size_t>(outputs.shape.c * outputs.shape.h * outputs.shape.w);
    if (columns != c)
      throw Error(ErrorKind::usage, text("the network has ", columns, " outputs, the data ", c, " classes"));
    for (std::size_t i = 0; i < batch.indices.size(); ++i) {
      auto row = outputs.data.subspan(i * c, c);
      if (!std::ranges::all_of(row, [](float y) { return std::isfinite(y); }))
        throw Error(ErrorKind::diverged,
                    text("evaluation: an output is not finite; the first layer to blame is \"", blame(batch),
                         "\"; are the weights damaged?"));
      if (options.gives_probabilities) {
        logits.resize(c);
        std::ranges::transform(row, logits.begin(), [](float p) { return std::log(std::max(p, 1e-30f)); });
        row = logits;
      }
      const std::int32_t label = batch.labels[i];
      if (options.on_outputs) options.on_outputs(batch.indices[i], label, row);
      if (!batch.targets.empty())
        tally.add(row, std::span<const float>(batch.targets.data()).subspan(i * c, c));
      else if (label != unlabelled)
        tally.add(batch.indices[i], row, label);
    }
  }
  return tally.finish();
}

}  // namespace

Interval wilson_interval_of(double p, double n) {
  if (!(n > 0)) return {};
  constexpr double z = 1.959963984540054;  // the normal distribution's 97.5 % point
  const double z2 = z * z / n;
  const double middle = p + z2 / 2, half = z * std::sqrt(p * (1 - p) / n + z2 / (4 * n));
  // Rounding must not push a bound of exactly 0 or 1 off.
  return {.low = p == 0 ? 0 : (middle - half) / (1 + z2), .high = p == 1 ? 1 : (middle + half) / (1 + z2)};
}

Interval wilson_interval(std::int64_t right, std::int64_t n) {
  return n == 0 ? Interval{}
                : wilson_interval_of(static_cast<double>(right) / static_cast<double>(n),
                                     static_cast<double>(n));
}

std::vector<ClassScore> Evaluation::per_class() const {
  if (multi_label) return multi_label->classes;
  std::vector<ClassScore> scores;
  const std::size_t c = classes.size();
  for (std::size_t k = 0; k < c; ++k) {
    ClassScore score{.name = classes[k]};
    for (std::size_t other = 0; other < c; ++other) {
      score.n += confusion[k * c + other];
      score.predicted += confusion[other * c + k];
    }
    score.right = confusion[k * c + k];
    scores.push_back(score);
  }
  return scores;
}

Json Evaluation::to_json() const {
  if (only_loss) return {{"n", n}, {"loss", loss}};
  Mean precision, recall, f1;
  Json rows = Json::array(), matrix = Json::array();
  for (const ClassScore& score : per_class()) {
    precision.add(score.precision());
    recall.add(score.recall());
    f1.add(score.f1());
    rows.push_back({{"class", score.name},
                    {"n", score.n},
                    {"predicted", score.predicted},
                    {"right", score.right},
                    {"precision", json_of(score.precision())},
                    {"recall", json_of(score.recall())},
                    {"f1", json_of(score.f1())}});
    if (multi_label) rows.back()["average_precision"] = json_of(score.average_precision);
  }
  for (std::size_t k = 0; !multi_label && k < classes.size(); ++k) {
    const auto row = std::span(confusion).subspan(k * classes.size(), classes.size());
    matrix.push_back(std::vector<std::int64_t>(row.begin(), row.end()));
  }
  const Interval interval = top1_interval();
  Json json{{"n", n},
            {"top1", top1()},
            {"top1_interval", {interval.low, interval.high}},
            {"loss", loss},
            {"macro_precision", json_of(precision.value())},
            {"macro_recall", json_of(recall.value())},
            {"macro_f1", json_of(f1.value())},
            {"per_class", rows},
            {"classes", classes}};
  if (classes.size() > 5) json["top5"] = top5();
  if (!multi_label) {
    json["confusion"] = matrix;
    return json;
  }
  const ClassScore total = multi_label->total();
  json["multi_label"] = true;
  json["labelled"] = labelled();
  json["exact_match"] = n ? static_cast<double>(multi_label->exact) / static_cast<double>(n) : 0;
  json["mean_average_precision"] = json_of(multi_label->mean_average_precision());
  json["micro_precision"] = json_of(total.precision());
  json["micro_recall"] = json_of(total.recall());
  json["micro_f1"] = json_of(total.f1());
  return json;
}

double probability_of(std::span<const float> outputs, std::size_t k) {
  double total = 0;
  for (const float y : outputs) total += std::exp(static_cast<double>(y) - outputs[k]);
  return 1 / total;
}

std::vector<float> probabilities_of(std::span<const float> outputs, bool are_probabilities) {
  std::vector<float> made(outputs.begin(), outputs.end());
  if (are_probabilities || made.empty()) return made;
  const double most = *std::ranges::max_element(outputs);
  std::vector<double> exponentials;
  double total = 0;
  for (const float y : outputs) total += exponentials.emplace_back(std::exp(static_cast<double>(y) - most));
  for (std::size_t k = 0; k < made.size(); ++k) made[k] = static_cast<float>(exponentials[k] / total);
  return made;
}

std::vector<float> sigmoids_of(std::span<const float> outputs) {
  std::vector<float> made;
  for (const float y : outputs)
    made.push_back(static_cast<float>(1 / (1 + std::exp(-static_cast<double>(y)))));
  return made;
}

int rank_of(std::span<const float> outputs, std::int32_t label) {
  const auto place = static_cast<std::size_t>(label);
  int ahead = 0;
  for (std::size_t k = 0; k < outputs.size(); ++k)
    ahead += outputs[k] > outputs[place] || (outputs[k] == outputs[place] && k < place);
  return ahead;
}

Evaluation evaluate(Executor& executor, BatchSource& source, std::span<const std::string> classes,
                    const EvaluateOptions& options) {
  ensure(executor.batch() == source.shape().n, "executor and source have one size of batch");
  return evaluate_batches(
      [&](const Batch& batch) { return executor.forward(batch.images.view()); },
      [&](const Batch& batch) { return executor.find_not_finite(batch.images.view(), 0); }, source, classes,
      options);
}

Evaluation evaluate(ModelRunner& runner, BatchSource& source, std::span<const std::string> classes,
                    const EvaluateOptions& options) {
  ensure(runner.batch() == source.shape().n, "runner and source have one size of batch");
  const auto run = [&](const Batch& batch) {
    const ConstView outputs = runner.run(batch.images.view(), batch.indices.size());
    for (std::size_t i = 0; options.on_distance && i < runner.distances().size(); ++i)
      options.on_distance(batch.indices[i], runner.distances()[i]);
    return outputs;
  };
  return evaluate_batches(
      run, [&](const Batch& batch) { return runner.find_not_finite(batch.images.view()); }, source, classes,
      options);
}

Evaluation evaluate_outputs(ConstView outputs, const Dataset& data, const EvaluateOptions& options) {
  const std::size_t c = data.classes().size();
  ensure(outputs.shape.n == data.size() && outputs.data.size() == static_cast<std::size_t>(data.size()) * c,
         "there is a row of outputs for each picture");
  Tally tally(data.classes(), options);
  std::vector<float> target(c);
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const auto row = outputs.data.subspan(static_cast<std::size_t>(i) * c, c);
    if (!std::ranges::all_of(row, [](float y) { return std::isfinite(y); }))
      throw Error(ErrorKind::diverged, text(data.name(i), ": an output is not finite"));
    if (options.on_outputs) options.on_outputs(i, data.label(i), row);
    if (data.multi_label()) {
      set_target(data.labels(i), target);
      tally.add(row, target);
    } else if (data.label(i) != unlabelled) {
      tally.add(i, row, data.label(i));
    }
  }
  return tally.finish();
}

Evaluation evaluate(const Graph& graph, const Dataset& data, const Preprocess& preprocess, int batch,
                    int workers, const EvaluateOptions& options) {
  const int size = static_cast<int>(std::clamp<std::int64_t>(data.size(), 1, batch));
  ModelRunner runner(graph.clone(), size);
  return evaluate(runner, data, preprocess, workers, options);
}

Evaluation evaluate(ModelRunner& runner, const Dataset& data, const Preprocess& preprocess, int workers,
                    const EvaluateOptions& options) {
  Loader loader(data, {.batch = runner.batch(),
                       .workers = workers,
                       .preprocess = preprocess,
                       .augment = {},
                       .cache_bytes = 0});
  return evaluate(runner, loader, data.classes(), options);
}

}  // namespace enxerto
