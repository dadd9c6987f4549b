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
  const auto least = std::ranges::min_element(points, {}, &LrPoint::smoothed);
  double steepest = 0, at = 0;
  // Central differences up to the least.
  for (auto point = points.begin() + 1; point < least; ++point) {
    const double slope =
        ((point + 1)->smoothed - (point - 1)->smoothed) / std::log((point + 1)->lr / (point - 1)->lr);
    if (slope < steepest) {
      steepest = slope;
      at = point->lr;
    }
  }
  if (steepest == 0) return {};
  return std::min(at, least->lr / 10);
}

}  // namespace enxerto
