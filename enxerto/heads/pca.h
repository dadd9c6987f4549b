/// Principal components: the few directions in which rows differ most.
/// Randomised: Halko, Martinsson & Tropp 2011, "Finding structure with randomness", algorithms 4.4 and 5.1.
#pragma once

#include "enxerto/heads/linear_head.h"
#include "enxerto/heads/standardize.h"

namespace enxerto {

struct PcaConfig {
  int components = 0;        ///< 0: as few as explain `share` of the variance
  double share = 0.95;       ///< in (0, 1]
  bool standardize = false;  ///< columns of deviation 1 first
  std::uint64_t seed = 0;
  int power_iterations = 4;        ///< each brings what is found nearer to the exact components
  int oversampling = 10;           ///< directions looked at beyond those wanted
  std::int64_t exact_up_to = 512;  ///< rows or columns: where there are no more, by one exact decomposition
};

/// z = ((x - mean) / scale) components^T.
struct Pca {
  Tensor components;             ///< {k,c}, orthonormal rows; the largest element of each is positive
  Standardization by;            ///< scale is 1 where columns keep theirs
  std::vector<double> variance;  ///< k, descending: of each component, divided by rows - 1
  double total_variance = 0;     ///< of all columns
  bool exact = false;

  std::int64_t size() const { return components.shape().n; }
  double explained() const;           ///< the share of the variance, in [0, 1]
  Tensor project(ConstView x) const;  ///< {n,k}; Error{usage} where x has other columns
};

/// `weights`: empty, or one for each row, of which those of 0 leave their row out and the others do not
/// matter. Fewer components than wanted come where the rows do not span as many. The same seed and number of
/// threads give the same bits. Takes memory for blocks of rows and (components + oversampling) * (n + c)
/// floats. Throws Error{usage} where the configuration makes no sense or a feature is not finite.
Pca fit_pca(ConstView x, const PcaConfig& config, std::span<const float> weights = {});

/// A head on projected rows as one on raw features.
LinearHead fold_pca(const Pca& pca, const LinearHead& head);

/// "pca.components", "pca.mean", "pca.scale", "pca.variance" (of the k components, then of all).
void append_pca(const Pca& pca, NamedTensors& tensors);
/// Throws Error{corrupt} where their sizes do not fit or a scale is not above 0.
Pca pca_from(const NamedTensors& tensors);

}  // namespace enxerto
