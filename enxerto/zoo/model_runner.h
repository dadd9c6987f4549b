/// Runs a whole model, whatever its head is.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "enxerto/graph/executor.h"
#include "enxerto/zoo/model_file.h"

namespace enxerto {

/// The one place where a network, a head that is no layer and the unknown answer come together.
class ModelRunner {
 public:
  /// `head` and `novelty` as a ModelFile has them; null where there are none.
  ModelRunner(Graph graph, int batch, std::shared_ptr<const FittedHead> head = nullptr,
              std::shared_ptr<const Novelty> novelty = nullptr);

  int batch() const { return executor_.batch(); }
  /// images {batch, c, h, w} -> outputs {batch, ...}, valid until the next call, of which the first `count`
  /// rows are meant. Throws Error{diverged} that names the layer where a feature that goes into a head that
  /// is no layer, or into the novelty, is not finite.
  ConstView run(ConstView images, std::size_t count);
  /// Of the last run's first `count` pictures how far each is from all classes (Novelty::distances); empty
  /// without novelty.
  std::span<const double> distances() const { return distances_; }
  /// As Executor::find_not_finite(), of the last run.
  std::string find_not_finite(ConstView images) { return executor_.find_not_finite(images, 0); }

 private:
  std::shared_ptr<const FittedHead> head_;
  std::shared_ptr<const Novelty> novelty_;
  Executor executor_;
  Tensor outputs_;  ///< of a head that is no layer
  std::vector<double> distances_;
};

}  // namespace enxerto
