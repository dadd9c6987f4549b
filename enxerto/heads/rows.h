/// Rows of features with their labels: what every head learns from.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "enxerto/tensor/tensor.h"

namespace enxerto {

/// Borrowed; nothing of it is ever copied as a whole. x {n,c}, dense.
struct Rows {
  ConstView x;
  std::span<const std::int32_t> y;  ///< n labels in [0, classes)
  int classes = 0;
  std::span<const float> weights = {};  ///< n numbers >= 0, or empty: all 1. A row of weight 0 is not there.

  std::int64_t n() const { return x.shape.n; }
  std::int64_t c() const { return x.shape.c; }
};

/// Throws Error{usage} with what to do where sizes do not fit together, a label or a weight is out of range,
/// a feature is not a finite number, or fewer than two classes have a row. Reads all of x once.
void check_rows(const Rows& rows);

/// The same for features without labels: dense {n,c}, n and c at least 1, finite numbers.
void check_features(ConstView x);

/// How much each class counts in the loss.
struct ClassWeights {
  bool balanced =
      false;  ///< (sum of weights) / (classes * sum of the class's weights), as scikit-learn has it
  std::vector<double> given;  ///< one for each class, or empty: all 1
};

/// Each row's weight times its class's weight. Throws Error{usage} where `given` does not fit.
std::vector<float> weights_of_rows(const Rows& rows, const ClassWeights& classes);

}  // namespace enxerto
