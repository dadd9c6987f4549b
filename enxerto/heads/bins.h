/// Features in at most 256 steps, a byte each: what trees look for splits in. Not installed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "enxerto/heads/rows.h"

namespace enxerto {

inline constexpr int most_bins = 256;

/// A number grows with its bin. Where a column has at most 256 different values each has its own; else bins
/// hold about as many rows each, as far as equal values let them.
class Bins {
 public:
  explicit Bins(ConstView x);
  const std::uint8_t* column(std::int64_t j) const { return bins_.data() + j * n_; }

 private:
  std::int64_t n_;
  std::vector<std::uint8_t> bins_;  ///< {c,n}: column by column
};

}  // namespace enxerto
