/// The learning-rate range test (Smith 2017, "Cyclical learning rates", section 3.3): a short training whose
/// rate rises geometrically, and what its losses say about the rate to take.
#pragma once

#include <atomic>
#include <optional>
#include <span>
#include <vector>

#include "enxerto/train/trainer.h"

namespace enxerto {

struct LrPoint {
  double lr = 0, loss = 0;
  double smoothed = 0;  ///< running mean with a weight of 0.9 for what was, corrected for the start
};

/// Hears a training with Schedule::Curve::range_test, which no one else needs: the weights are spoilt.
class LrRange final : public Observer {
 public:
  /// `steps`: of the test. A training ends with an epoch, behind these steps, where the rate no longer rises:
  /// what comes then is no point. 0: all that come.
  explicit LrRange(std::size_t steps = 0) : steps_(steps) {}
  void on_step(const StepReport& report) override;
  /// For train(): true once there are all points, or the smoothed loss is above four times its least, or
  /// twice the first where that is more: nothing is to be learnt beyond. Neither counts while the running
  /// mean is one of a few batches. Ends it with Error{interrupted}.
  const std::atomic<bool>& stop() const { return stop_; }
  /// A person's wish to stop ends it too.
  void stop_with(const std::atomic<bool>& wish) { wish_ = &wish; }
  std::span<const LrPoint> points() const { return points_; }

 private:
  std::size_t steps_;
  std::vector<LrPoint> points_;
  double mean_ = 0, least_ = 0, first_ = 0;
  std::atomic<bool> stop_ = false;
  const std::atomic<bool>* wish_ = nullptr;
};

/// The rate where the smoothed loss falls steepest by the logarithm of the rate (over a tenth of the test),
/// or a tenth of the rate where it is least, whichever is lower; both without the first points, whose running
/// mean is one of a few batches. Empty where there are fewer than five points or the loss nowhere falls.
std::optional<double> suggested_lr(std::span<const LrPoint> points);

}  // namespace enxerto
