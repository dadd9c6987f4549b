/// What the labs on training share: small data, small networks, and every step of a training listened to.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "enxerto/data/batch.h"
#include "enxerto/train/trainer.h"
#include "examples/lab.h"

namespace enxerto::lab {

/// One thread where a lab runs small: so little work is done sooner than shared out, and the bits are the
/// same on any number of cores. Where it is --real all of them, and standard error says how long it takes ("a
/// minute").
void use_threads(const Lab& lab, std::string_view real_takes);

/// Two interlocking half circles, one for each class, with Gaussian noise of this standard deviation. The
/// points are the features {n, c = 2} of one batch; every other one is of class 1.
Batch make_moons(std::int64_t count, double noise, std::uint64_t seed);

/// Linear layers "fc1", "fc2", ... of so many outputs, with an activation behind each but the last ("act1",
/// ...). Its parameters still have to be filled.
Graph make_mlp(std::int64_t inputs, const std::vector<int>& outputs,
               Activation activation = Activation::relu);

/// One batch again and again: an epoch is one step with the gradient of all the data.
class OneBatch final : public BatchSource {
 public:
  explicit OneBatch(const Batch& batch) : batch_(batch) {}  ///< which has to outlive it
  Shape shape() const override { return batch_.images.shape(); }
  std::int64_t batches() const override { return 1; }
  std::int64_t size() const override { return batch_.images.shape().n; }
  std::int64_t memory_bytes() const override { return 0; }
  double seconds_waited() const override { return 0; }
  void start(int) override { handed_out_ = false; }
  bool next(Batch& batch) override;

 private:
  const Batch& batch_;
  bool handed_out_ = false;
};

/// Hears of each step, and of each epoch with the graph as it is after it.
struct Listener final : Observer {
  std::function<void(const StepReport&)> step;
  std::function<void(const EpochReport&, const Graph&)> heard;
  void on_step(const StepReport& report) override {
    if (step) step(report);
  }
  bool on_epoch(const EpochReport& report, const Graph& graph, const TrainState&) override {
    if (heard) heard(report, graph);
    return true;
  }
};

/// A fixed rate, judged by the loss of training.
TrainConfig fixed_rate(int epochs, const OptimizerConfig& optimizer, double lr);

/// config.epochs steps, each on the whole batch, and validation on another where there is one. Returns the
/// loss before each of them, fewer where the run diverged or stopped early.
std::vector<double> train_steps(Graph& graph, const Batch& batch, const TrainConfig& config,
                                const std::function<void(const EpochReport&, const Graph&)>& heard = {},
                                const Batch* val = nullptr);

}  // namespace enxerto::lab
