/// How far a row of features is from all that a head has learnt: what lies far off is of no class that it
/// knows. The least Mahalanobis distance to a class's mean, the classes sharing one covariance (Lee, Lee, Lee
/// & Shin 2018, "A simple unified framework for detecting out-of-distribution samples", equations 1 and 2),
/// of rows brought to length 1 (Mueller & Hein 2025, "Mahalanobis++"). What was measured: docs/transfer.md.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "enxerto/heads/rows.h"
#include "enxerto/tensor/named_tensors.h"

namespace enxerto {

struct NoveltyConfig {
  int components = 32;              ///< directions in which the covariance is known one by one
  std::int64_t most_rows = 10'000;  ///< of more, so many, spread evenly, are looked at
  std::uint64_t seed = 0;           ///< of the directions' randomised decomposition
};

/// The covariance of c columns is that of `components` one by one and the same in all directions beyond them
/// (Tipping & Bishop 1999): c + 1 numbers for each direction, not c for each column.
struct Novelty {
  Tensor means;                  ///< {classes with rows, c}, of rows of length 1
  Tensor components;             ///< {r,c}, orthonormal rows
  std::vector<double> variance;  ///< r, all above 0
  double rest = 1;               ///< > 0: the variance in every other direction
  double threshold = 0;          ///< a row further off than this is unknown
  double answered = 1;           ///< the share of validation rows that the threshold lets through

  std::int64_t columns() const { return means.shape().c; }
  /// Of each row {n,c}: sqrt of the least (x - mean)^T covariance^-1 (x - mean) / c, x of length 1 (a row of
  /// zeros stays so); about 1 for a row of a class. In double, row by row: the same bits wherever a row
  /// stands. Finite features only.
  std::vector<double> distances(ConstView x) const;
  bool is_unknown(double distance) const { return distance > threshold; }
  nlohmann::json to_json() const;  ///< {"threshold", "answered"}
};

/// The rows' classes and covariance, shrunk towards a multiple of the identity as Ledoit & Wolf 2004 (section
/// 3.2) have it, so that it holds for fewer rows than columns too. Takes a copy of the rows. Nothing where
/// rows of one class do not differ from each other. Throws Error{usage} as check_rows() does.
std::optional<Novelty> fit_novelty(const Rows& rows, const NoveltyConfig& config = {});

/// A distance that lets the share `answered`, in (0, 1], of these through, and no more: half-way to the next
/// one, or a little beyond the largest; infinity of none.
double threshold_for(std::vector<double> distances, double answered);

/// "means", "components", "variance" (of the components, then of the rest).
NamedTensors tensors_of(const Novelty& novelty);
/// Takes nothing on trust: throws Error{corrupt} where something is missing, left over, not finite or does
/// not fit together. `json` as Novelty::to_json().
Novelty novelty_from(const NamedTensors& tensors, const nlohmann::json& json);

}  // namespace enxerto
