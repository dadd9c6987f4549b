/// k nearest neighbours.
#pragma once

#include "enxerto/heads/rows.h"
#include "enxerto/heads/standardize.h"
#include "enxerto/tensor/named_tensors.h"

namespace enxerto {

enum class DistanceKind {
  euclidean,
  cosine
};                                      ///< cosine: 1 - cosine of the angle; 1 where a row is all zeros
enum class Vote { uniform, distance };  ///< distance: by its inverse; neighbours at distance 0 alone, if any

struct KnnConfig {
  int k = 5;
  DistanceKind metric = DistanceKind::euclidean;
  Vote vote = Vote::uniform;
  bool standardize = true;
  ClassWeights class_weights = {};  ///< what a neighbour's vote counts
};

struct Neighbour {
  std::int64_t row;  ///< of Knn::x
  double distance;
};

/// The rows themselves, standardised.
struct Knn {
  Tensor x;  ///< {n,c}
  std::vector<std::int32_t> y;
  std::vector<float> votes;  ///< what each row's vote counts, > 0
  int classes = 0, k = 5;
  DistanceKind metric = DistanceKind::euclidean;
  Vote vote = Vote::uniform;
  Standardization by;

  std::int64_t columns() const { return x.shape().c; }
  /// The k nearest of each row of raw features, nearest first, of equal distances the earlier row first.
  /// Exact: what a product in float leaves in doubt is decided by distances in double.
  std::vector<std::vector<Neighbour>> neighbours(ConstView raw) const;
  Tensor probabilities(ConstView raw) const;  ///< {n,classes}: shares of the votes
};

/// Keeps a copy of the rows of weight > 0. Throws Error{usage} from check_rows(), and where k is below 1 or
/// there are fewer rows.
Knn fit_knn(const Rows& rows, const KnnConfig& config);

}  // namespace enxerto
