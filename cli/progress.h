/// Progress: a run as people watch it.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "cli/console.h"
#include "enxerto/train/trainer.h"

namespace enxerto::cli {

/// A bar of so many columns, of which a proportion is done.
std::string format_bar(double done, int width, bool unicode);

/// How far a count is, by its pace since the first time that it was shown: on a terminal a line at the
/// bottom, at most ten times a second, elsewhere a line now and then.
class Pace {
 public:
  /// `what` opens the line.
  Pace(Console& console, std::string what) : console_(&console), what_(std::move(what)) {}
  /// Clears the line where `done` is `all`.
  void show(std::int64_t done, std::int64_t all);

 private:
  Console* console_;
  std::string what_;
  std::int64_t first_ = -1;
  double began_ = 0, shown_ = 0;
};

/// A line for each epoch; within one, a bar on a terminal (at most ten times a second) and a line now and
/// then elsewhere.
class Progress final : public Observer {
 public:
  /// `title` opens the bar: which of several runs it is; it may be empty.
  explicit Progress(Console& console, std::string_view title = "") : console_(console), title_(title) {}
  void on_start(const RunStart& start) override;
  void on_step(const StepReport& report) override;
  bool on_epoch(const EpochReport& report, const Graph& graph, const TrainState& state) override;

 private:
  /// Seconds until the end, by the pace of this session with its validations.
  double seconds_left(std::int64_t step) const;
  void draw_bar(const StepReport& report);

  Console& console_;
  std::string title_;
  RunStart start_;
  double began_ = 0, last_shown_ = 0;
  double epoch_loss_ = 0, epoch_top1_ = 0;  ///< sums over the epoch's steps that this session has seen
  std::int64_t epoch_steps_ = 0;
  std::string note_;          ///< the last that was shown
  std::set<FaultKind> said_;  ///< of the layers' faults
};

}  // namespace enxerto::cli
