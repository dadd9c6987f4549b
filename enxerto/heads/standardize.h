/// Columns of mean 0 and standard deviation 1, without a copy of the features: the two vectors go into the
/// weights of a linear head afterwards.
#pragma once

#include <span>
#include <vector>

#include "enxerto/heads/linear_head.h"

namespace enxerto {

/// x' = (x - mean) / scale, column by column; scale is 1 where a column is constant. Both empty: nothing to
/// do.
struct Standardization {
  std::vector<float> mean, scale;
  bool empty() const { return mean.empty(); }
};

/// Mean and (biased) standard deviation of each column, over the rows of weight > 0, in two passes with sums
/// in double. weights: empty, or one for each row, which then counts as often. The same bits for any number
/// of threads.
Standardization standardization_of(ConstView x, std::span<const float> weights = {});

/// Writes the standardised row x {c} to `out` {c}: for heads that need the numbers themselves.
void standardize_row(const Standardization& by, std::span<const float> x, std::span<float> out);

/// A head on standardised features as one on raw features (unfold), and back (fold).
void unfold_standardization(const Standardization& by, LinearHead& head);
void fold_standardization(const Standardization& by, LinearHead& head);

}  // namespace enxerto
