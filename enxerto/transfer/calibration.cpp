#include "enxerto/transfer/calibration.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

/// The derivative of the cross-entropy by s = 1 / T, which is convex in s: the sum over pictures of (expected
/// logit under the softmax - expected logit under the targets). The label's target is short of 1 by
/// `doubt`, which the other classes share.
double slope(ConstView logits, std::span<const std::int32_t> labels, double doubt, double s) {
  const auto classes = static_cast<std::size_t>(logits.shape.c);
  double sum = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = logits.data.subspan(i * classes, classes);
    const double most = *std::ranges::max_element(row);
    double total = 0, weighted = 0, all = 0;
    for (const float y : row) {
      all += static_cast<double>(y);
      const double e = std::exp(s * (static_cast<double>(y) - most));
      total += e;
      weighted += e * static_cast<double>(y);
    }
    const auto own = static_cast<double>(row[static_cast<std::size_t>(labels[i])]);
    sum += weighted / total - own;
    if (classes > 1) sum -= doubt * ((all - own) / static_cast<double>(classes - 1) - own);
  }
  return sum;
}

}  // namespace

double fit_temperature(ConstView logits, std::span<const std::int32_t> labels) {
  ensure(logits.shape.n == std::ssize(labels), "there is a label for each picture");
  if (labels.empty()) return 1;
  const double doubt = 1.0 / (static_cast<double>(labels.size()) + 2);
  // Bisection on log T: the slope by 1/T rises with 1/T.
  double low = std::log(0.05), high = std::log(20.0);
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (slope(logits, labels, doubt, std::exp(-middle)) > 0 ? low : high) = middle;
  }
  return std::exp((low + high) / 2);
}

double calibration_error(ConstView logits, std::span<const std::int32_t> labels, double temperature,
                         int bins) {
  ensure(logits.shape.n == std::ssize(labels) && temperature > 0 && bins > 0, "what is measured makes sense");
  struct Bin {
    std::int64_t n = 0, right = 0;
    double confidence = 0;
  };
  std::vector<Bin> table(static_cast<std::size_t>(bins));
  const auto classes = static_cast<std::size_t>(logits.shape.c);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = logits.data.subspan(i * classes, classes);
    const auto best = std::ranges::max_element(row);
    double total = 0;
    for (const float y : row) total += std::exp((static_cast<double>(y) - *best) / temperature);
    const double confidence = 1 / total;
    Bin& bin = table[std::min(table.size() - 1, static_cast<std::size_t>(confidence * bins))];
    ++bin.n;
    bin.right += best - row.begin() == labels[i];
    bin.confidence += confidence;
  }
  double error = 0;
  for (const Bin& bin : table) error += std::abs(bin.confidence - static_cast<double>(bin.right));
  return labels.empty() ? 0 : error / static_cast<double>(labels.size());
}

}  // namespace enxerto
