/// Small observers. The run folder is one too (run_folder.h); the console's is in cli/.
#pragma once

#include "enxerto/train/trainer.h"

namespace enxerto {

/// Ends a run after `patience` epochs without a better one by TrainConfig::metric. Remembers nothing
/// itself, so a resumed run stops where it would have; train() keeps the best weights and leaves them in
/// the graph. train() adds it by itself where TrainConfig::patience is set.
class EarlyStopping final : public Observer {
 public:
  explicit EarlyStopping(int patience);  ///< Error{usage} below 1
  bool on_epoch(const EpochReport& report, const Graph& graph, const TrainState& state) override;

 private:
  int patience_;
};

}  // namespace enxerto
