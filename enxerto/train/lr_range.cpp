#include "enxerto/train/lr_range.h"

#include <algorithm>
#include <cmath>

namespace enxerto {
namespace {

/// How many of `points` the running mean takes until it is no longer one of a few batches, whose noise is
/// larger than what the test looks for.
std::size_t warm_up(std::size_t points) { return std::min<std::size_t>(10, points / 4); }

}  // namespace

void LrRange::on_step(const StepReport& report) {
  if (steps_ && points_.size() == steps_) return;
  constexpr double keeps = 0.9;
  mean_ = keeps * mean_ + (1 - keeps) * report.loss;
  const double smoothed = mean_ / (1 - std::pow(keeps, static_cast<double>(points_.size() + 1)));
  points_.push_back({.lr = report.lr, .loss = report.loss, .smoothed = smoothed});
  const std::size_t begin = steps_ ? warm_up(steps_) : 10;
  if (points_.size() <= begin + 1) first_ = least_ = smoothed;
  least_ = std::min(least_, smoothed);
  if (smoothed > std::max(4 * least_, 2 * first_) || points_.size() == steps_ || (wish_ && *wish_))
    stop_ = true;
}

std::optional<double> suggested_lr(std::span<const LrPoint> points) {
  if (points.size() < 5) return {};
  const std::size_t reach = std::max<std::size_t>(1, points.size() / 20);  // over a tenth of the test
  const std::size_t begin = std::max(reach, warm_up(points.size()));
  const auto settled = points.subspan(begin);
  const std::size_t least =
      begin +
      static_cast<std::size_t>(std::ranges::min_element(settled, {}, &LrPoint::smoothed) - settled.begin());
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
