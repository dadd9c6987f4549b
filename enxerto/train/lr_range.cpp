#include "enxerto/train/lr_range.h"

#include <algorithm>
#include <cmath>

namespace enxerto {

void LrRange::on_step(const StepReport& report) {
  constexpr double keeps = 0.9;
  mean_ = keeps * mean_ + (1 - keeps) * report.loss;
  const double smoothed = mean_ / (1 - std::pow(keeps, static_cast<double>(points_.size() + 1)));
  points_.push_back({.lr = report.lr, .loss = report.loss, .smoothed = smoothed});
  least_ = points_.size() == 1 ? smoothed : std::min(least_, smoothed);
  if (smoothed > std::max(4 * least_, 2 * points_.front().smoothed) || (wish_ && *wish_)) stop_ = true;
}

std::optional<double> suggested_lr(std::span<const LrPoint> points) {
  if (points.size() < 5) return {};
  const auto least =
      static_cast<std::size_t>(std::ranges::min_element(points, {}, &LrPoint::smoothed) - points.begin());
  // Over a tenth of the test, and not while the running mean is one of a few batches: else it is noise that
  // falls.
  const std::size_t reach = std::max<std::size_t>(1, points.size() / 20);
  const std::size_t begin = std::max(reach, std::min<std::size_t>(10, points.size() / 4));
  double steepest = 0, at = 0;
  for (std::size_t i = begin; i + reach <= least; ++i) {
    const LrPoint &before = points[i - reach], &after = points[i + reach];
    const double slope = (after.smoothed - before.smoothed) / std::log(after.lr / before.lr);
    if (slope < steepest) {
      steepest = slope;
      at = points[i].lr;
    }
  }
  if (steepest == 0) return {};
  return std::min(at, points[least].lr / 10);
}

}  // namespace enxerto
