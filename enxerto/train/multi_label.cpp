#include "enxerto/train/multi_label.h"

#include <algorithm>
#include <numeric>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

std::optional<double> proportion(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::optional<double> ClassScore::precision() const { return proportion(right, predicted); }
std::optional<double> ClassScore::recall() const { return proportion(right, n); }
std::optional<double> ClassScore::f1() const { return proportion(2 * right, n + predicted); }

std::optional<double> MultiLabelScores::mean_average_precision() const {
  double sum = 0;
  int count = 0;
  for (const ClassScore& score : classes)
    if (score.average_precision) sum += *score.average_precision, ++count;
  return count ? std::optional(sum / count) : std::nullopt;
}

ClassScore MultiLabelScores::total() const {
  ClassScore total;
  for (const ClassScore& score : classes) {
    total.n += score.n;
    total.predicted += score.predicted;
    total.right += score.right;
  }
  return total;
}

std::optional<double> average_precision(std::span<const float> outputs,
                                        std::span<const std::uint8_t> truths) {
  ensure(outputs.size() == truths.size(), "there is a truth for each output");
  std::vector<std::size_t> order(outputs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, std::greater{}, [&](std::size_t i) { return outputs[i]; });
  const auto all = std::accumulate(truths.begin(), truths.end(), std::int64_t{0});
  if (all == 0) return std::nullopt;
  double area = 0;
  std::int64_t right = 0, right_before = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    right += truths[order[i]];
    if (i + 1 < order.size() && outputs[order[i + 1]] == outputs[order[i]]) continue;
    area +=
        static_cast<double>(right - right_before) * static_cast<double>(right) / static_cast<double>(i + 1);
    right_before = right;
  }
  return area / static_cast<double>(all);
}

MultiLabelCounter::MultiLabelCounter(std::span<const std::string> classes) {
  for (const std::string& name : classes) counted_.classes.push_back({.name = name});
}

void MultiLabelCounter::add(std::span<const float> outputs, std::span<const float> targets) {
  bool has_label = false, exact = true;
  for (std::size_t k = 0; k < counted_.classes.size(); ++k) {
    const bool truth = targets[k] >= 0.5f, predicted = outputs[k] > 0;
    ClassScore& score = counted_.classes[k];
    score.n += truth;
    score.predicted += predicted;
    score.right += truth && predicted;
    has_label = has_label || truth;
    exact = exact && truth == predicted;
    outputs_.push_back(outputs[k]);
    truths_.push_back(truth);
  }
  counted_.labelled += has_label;
  counted_.exact += exact;
}

MultiLabelScores MultiLabelCounter::scores() const {
  MultiLabelScores made = counted_;
  const std::size_t c = made.classes.size();
  if (c == 0) return made;
  std::vector<float> outputs(outputs_.size() / c);
  std::vector<std::uint8_t> truths(outputs.size());
  for (std::size_t k = 0; k < c; ++k) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      outputs[i] = outputs_[i * c + k];
      truths[i] = truths_[i * c + k];
    }
    made.classes[k].average_precision = average_precision(outputs, truths);
  }
  return made;
}

}  // namespace enxerto
