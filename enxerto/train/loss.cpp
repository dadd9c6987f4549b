#include "enxerto/train/loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/train/fields_json.h"

namespace enxerto {
namespace {

std::size_t columns_of(ConstView outputs) {
  return static_cast<std::size_t>(outputs.shape.c * outputs.shape.h * outputs.shape.w);
}

void check_views(ConstView outputs, std::size_t rows, View doutputs) {
  ensure(rows >= 1 && static_cast<std::int64_t>(rows) <= outputs.shape.n,
         "between one row and all of them count");
  ensure(doutputs.data.empty() || doutputs.data.size() == outputs.data.size(),
         "the gradient is as large as the outputs");
}

/// Sum over the outputs of the rows that count of value(y, p), which also gives the slope; `mean` divides
/// both.
template <class F>
double mean_over_outputs(ConstView outputs, ConstView targets, View doutputs, const F& value) {
  check_views(outputs, static_cast<std::size_t>(targets.shape.n), doutputs);
  ensure(columns_of(targets) == columns_of(outputs), "there is a target for each output");
  const std::size_t count = targets.data.size();
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    double slope = 0;
    sum += value(static_cast<double>(outputs.data[i]), static_cast<double>(targets.data[i]), slope);
    if (!doutputs.data.empty()) doutputs.data[i] = static_cast<float>(slope / static_cast<double>(count));
  }
  if (!doutputs.data.empty()) std::ranges::fill(doutputs.data.subspan(count), 0.0f);
  return sum / static_cast<double>(count);
}

Tensor one_hot(std::span<const std::int32_t> labels, std::size_t columns) {
  Tensor made(Shape{.n = static_cast<std::int64_t>(labels.size()), .c = static_cast<std::int64_t>(columns)});
  for (std::size_t i = 0; i < labels.size(); ++i)
    made.data()[i * columns + static_cast<std::size_t>(labels[i])] = 1;
  return made;
}

struct SoftmaxSums {
  double total = 0;      ///< of the exponentials
  double log_total = 0;  ///< log sum_k exp(row[k])
};

/// Fills in the exponentials of a row's numbers less the largest, so that none overflows.
SoftmaxSums sum_exponentials(std::span<const float> row, std::vector<double>& exponentials) {
  const double most = *std::ranges::max_element(row);
  SoftmaxSums sums;
  for (std::size_t k = 0; k < row.size(); ++k)
    sums.total += exponentials[k] = std::exp(static_cast<double>(row[k]) - most);
  sums.log_total = most + std::log(sums.total);
  return sums;
}

}  // namespace

double cross_entropy(const CrossEntropy& config, ConstView outputs, std::span<const std::int32_t> labels,
                     View doutputs) {
  check_views(outputs, labels.size(), doutputs);
  const std::size_t c = columns_of(outputs);
  const auto weight = [&](std::size_t k) {
    return config.class_weights.empty() ? 1.0 : config.class_weights[k];
  };
  double all_weights = 0, label_weights = 0;
  for (std::size_t k = 0; k < c; ++k) all_weights += weight(k);
  for (const std::int32_t label : labels) {
    ensure(label >= 0 && static_cast<std::size_t>(label) < c, "a label names an output");
    label_weights += weight(static_cast<std::size_t>(label));
  }
  if (!doutputs.data.empty()) std::ranges::fill(doutputs.data, 0.0f);
  // A batch whose classes all have weight 0 says nothing; PyTorch gives NaN here.
  if (label_weights == 0) return 0;

  const double smoothing = config.label_smoothing, spread = smoothing / static_cast<double>(c);
  double sum = 0;
  std::vector<double> exponentials(c);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = outputs.data.subspan(i * c, c);
    const auto label = static_cast<std::size_t>(labels[i]);
    const SoftmaxSums sums = sum_exponentials(row, exponentials);
    const double hard = (1 - smoothing) * weight(label);
    sum += hard * (sums.log_total - static_cast<double>(row[label]));
    if (spread > 0)
      for (std::size_t k = 0; k < c; ++k)
        sum += spread * weight(k) * (sums.log_total - static_cast<double>(row[k]));
    if (doutputs.data.empty()) continue;
    const auto drow = doutputs.data.subspan(i * c, c);
    const double mass = hard + spread * all_weights;
    for (std::size_t k = 0; k < c; ++k) {
      const double wanted = spread * weight(k) + (k == label ? hard : 0);
      drow[k] = static_cast<float>((mass * exponentials[k] / sums.total - wanted) / label_weights);
    }
  }
  return sum / label_weights;
}

double cross_entropy(const CrossEntropy& config, ConstView outputs, ConstView targets, View doutputs) {
  const auto rows = static_cast<std::size_t>(targets.shape.n);
  check_views(outputs, rows, doutputs);
  const std::size_t c = columns_of(outputs);
  ensure(columns_of(targets) == c, "there is a target for each output");
  if (!doutputs.data.empty()) std::ranges::fill(doutputs.data, 0.0f);
  const double spread = config.label_smoothing / static_cast<double>(c), count = static_cast<double>(rows);
  double sum = 0;
  std::vector<double> exponentials(c), wanted(c);
  for (std::size_t i = 0; i < rows; ++i) {
    const auto row = outputs.data.subspan(i * c, c), shares = targets.data.subspan(i * c, c);
    const SoftmaxSums sums = sum_exponentials(row, exponentials);
    double mass = 0;
    for (std::size_t k = 0; k < c; ++k) {
      const double weight = config.class_weights.empty() ? 1.0 : config.class_weights[k];
      wanted[k] = weight * ((1 - config.label_smoothing) * static_cast<double>(shares[k]) + spread);
      mass += wanted[k];
      sum += wanted[k] * (sums.log_total - static_cast<double>(row[k]));
    }
    for (std::size_t k = 0; !doutputs.data.empty() && k < c; ++k)
      doutputs.data[i * c + k] =
          static_cast<float>((mass * exponentials[k] / sums.total - wanted[k]) / count);
  }
  return sum / count;
}

double mean_squared_error(ConstView outputs, ConstView targets, View doutputs) {
  return mean_over_outputs(outputs, targets, doutputs, [](double y, double p, double& slope) {
    slope = 2 * (y - p);
    return (y - p) * (y - p);
  });
}

double binary_cross_entropy(const BinaryCrossEntropy& config, ConstView outputs, ConstView targets,
                            View doutputs) {
  const double w = config.positive_weight;
  return mean_over_outputs(outputs, targets, doutputs, [w](double y, double p, double& slope) {
    // -log s(y) = log(1 + exp(-y)), with an exponent that is never positive.
    const double tail = std::log1p(std::exp(-std::abs(y)));
    const double minus_log_s = tail + std::max(-y, 0.0), minus_log_rest = tail + std::max(y, 0.0);
    const double s = std::exp(-minus_log_s);
    slope = (1 - p) * s - w * p * (1 - s);
    return w * p * minus_log_s + (1 - p) * minus_log_rest;
  });
}

double loss_of(const LossConfig& config, ConstView outputs, std::span<const std::int32_t> labels,
               View doutputs) {
  if (const auto* cross = std::get_if<CrossEntropy>(&config))
    return cross_entropy(*cross, outputs, labels, doutputs);
  return loss_of(config, outputs, one_hot(labels, columns_of(outputs)).view(), doutputs);
}

double loss_of(const LossConfig& config, ConstView outputs, ConstView targets, View doutputs) {
  if (const auto* cross = std::get_if<CrossEntropy>(&config))
    return cross_entropy(*cross, outputs, targets, doutputs);
  if (const auto* binary = std::get_if<BinaryCrossEntropy>(&config))
    return binary_cross_entropy(*binary, outputs, targets, doutputs);
  return mean_squared_error(outputs, targets, doutputs);
}

LossConfig parse_loss(std::string_view name) {
  return variant_of_kind<LossConfig>("loss", name, ErrorKind::usage);
}

void check_loss(const LossConfig& config, std::int64_t classes) {
  const auto check = [](bool holds, const std::string& wrong) {
    if (!holds) throw Error(ErrorKind::usage, text("loss: ", wrong));
  };
  if (const auto* cross = std::get_if<CrossEntropy>(&config)) {
    check(cross->label_smoothing >= 0 && cross->label_smoothing < 1,
          "the label smoothing has to be at least 0 and below 1");
    const auto& weights = cross->class_weights;
    if (weights.empty()) return;
    check(static_cast<std::int64_t>(weights.size()) == classes,
          text("there are ", weights.size(), " class weights and ", classes, " classes"));
    check(std::ranges::all_of(weights, [](double w) { return w >= 0 && std::isfinite(w); }) &&
              std::accumulate(weights.begin(), weights.end(), 0.0) > 0,
          "class weights have to be 0 or more, and not all 0");
  } else if (const auto* binary = std::get_if<BinaryCrossEntropy>(&config)) {
    check(binary->positive_weight > 0 && std::isfinite(binary->positive_weight),
          "the positive weight has to be above 0");
  }
}

}  // namespace enxerto
