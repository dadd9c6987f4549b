/// Where the time of a training step or an answer goes: `enxerto profile`, and bench_step.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "enxerto/graph/executor.h"
#include "enxerto/kernels/peak.h"
#include "enxerto/train/optimizer.h"

namespace enxerto {

/// A network with a batch of noise, ready to step; the graph itself need not stay. A training step is
/// forward, softmax cross-entropy with random labels, backward and SGD with momentum.
class StepJob {
 public:
  /// Throws Error{usage} where it shall train and its outputs are no list of numbers, or nothing is
  /// trainable.
  StepJob(Graph graph, const ExecutorConfig& config);
  /// One step or one answer; seconds.
  double run();
  const Executor& executor() const { return executor_; }

 private:
  Shape image_, out_;  ///< of one picture
  Executor executor_;
  bool train_;
  Tensor images_, doutputs_;
  std::vector<std::int32_t> labels_;
  std::unique_ptr<Optimizer> optimizer_;
  std::int64_t step_ = 0;
};

/// One step of the plan, against what the chip can do.
struct ProfileRow {
  std::string node, kind, implementation;
  bool backward = false;
  double seconds = 0;             ///< mean of the runs
  double gflops = 0, gbytes = 0;  ///< 1e9 operations (a multiply-add is two) and bytes a second
  /// Of the chip's arithmetic or its memory, whichever binds: the larger one. A Winograd layer counts the
  /// multiplications of the direct sum and may exceed 1, and so may what finds its operands in the cache.
  double share = 0;
  bool memory_binds = false;
  std::int64_t live_bytes = 0;
};

struct Profile {
  Peak peak;
  std::vector<ProfileRow> rows;  ///< in the order of running
  std::vector<double> seconds;   ///< of each run, least first
  double median = 0;             ///< of them
  double between = 0;            ///< seconds of a mean run outside all rows: loss, optimizer, calls
  std::int64_t arena_bytes = 0, param_bytes = 0;
  std::size_t peak_row = 0;  ///< where most of the arena holds something
};

/// Runs twice to warm up, then `runs` times.
Profile profile(StepJob& job, int runs, const Peak& peak);

/// A table, sums for each kind of layer, and the totals.
std::string format_profile(const Profile& profile);
nlohmann::json profile_to_json(const Profile& profile);

}  // namespace enxerto
