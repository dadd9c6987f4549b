/// One fold of a path: a head that is fitted for one strength after the other. Not installed.
#pragma once

#include <functional>
#include <memory>

#include "enxerto/heads/dual.h"
#include "enxerto/heads/path.h"

namespace enxerto {

class PathFold {
 public:
  virtual ~PathFold() = default;
  /// From where the last fit ended. Whether it converged.
  virtual bool fit(double strength) = 0;
  virtual int outputs() const = 0;
  /// With the bias, {rows, outputs}.
  virtual void scores(std::span<const std::int32_t> rows, std::span<double> out) const = 0;
};

/// What a path needs to know of a head. `gram` is empty, or the products of all rows.
struct PathTask {
  int outputs = 0;
  bool dual = true;  ///< can be fitted from products alone
  std::shared_ptr<const SeenRows> seen;
  /// Of rows with these weights; it keeps neither `weights` nor, but for reading, `gram`.
  std::function<std::unique_ptr<PathFold>(std::span<const float> weights, std::span<const float> gram)> make;
  std::function<LinearFit(double strength, std::span<const float> gram)> refit;
};

/// Throws as fit_logistic() and fit_svm().
PathTask logistic_task(const Rows& rows, const LogisticConfig& config);
PathTask svm_task(const Rows& rows, const SvmConfig& config);

/// Whether one Gram matrix for all folds and strengths takes less time than passes over the features, and
/// little memory beside them (docs/decisions/0011-linear-heads.md). fits: folds times strengths.
bool gram_wins(std::int64_t n, std::int64_t c, int outputs, std::int64_t fits);

}  // namespace enxerto
