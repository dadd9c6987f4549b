#include <cmath>
#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/train/trainer.h"

namespace enxerto {

Restarts train_with_restarts(Graph& graph, const Init& init, int runs, std::uint64_t seed, Metric metric,
                             const std::function<TrainResult(Graph&, std::uint64_t seed)>& run) {
  if (runs < 1) throw Error(ErrorKind::usage, text("restarts: at least 1, not ", runs));
  Restarts made;
  std::optional<Graph> best;
  for (int i = 0; i < runs; ++i) {
    Restart restart{.seed = seed + static_cast<std::uint64_t>(i)};
    Graph candidate = graph.clone();
    candidate.init(init, Rng(restart.seed));
    try {
      TrainResult result = run(candidate, restart.seed);
      restart.value = result.best_value;
      const double than = best ? made.all[made.best].value : 0;
      if (!best || (larger_is_better(metric) ? restart.value > than : restart.value < than)) {
        made.best = made.all.size();
        made.result = std::move(result);
        best = std::move(candidate);
      }
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::diverged || (!best && i + 1 == runs)) throw;
      restart.value = std::numeric_limits<double>::quiet_NaN();
      restart.error = error.what();
    }
    made.all.push_back(std::move(restart));
  }
  graph = std::move(*best);
  return made;
}

}  // namespace enxerto
