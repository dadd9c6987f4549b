/// Ridge regression on one-hot targets, its strength chosen by exact leave-one-out.
/// Golub, Heath & Wahba 1979, "Generalized cross-validation as a method for choosing a good ridge parameter".
#pragma once

#include "enxerto/heads/linear_head.h"
#include "enxerto/heads/standardize.h"

namespace enxerto {

/// Minimises
///   C * sum of weight * ||one_hot(y) - (W x + b)||^2 + 1/2 * ||W||^2,
/// the bias unpenalised: scikit-learn's RidgeClassifier has alpha = 1 / (2 C), and targets of -1 and 1, whose
/// weights are twice ours.
struct RidgeConfig {
  std::vector<double> strengths = {};  ///< the values of C to choose from; empty: 1e-6 to 1e2, two a decade
  bool standardize = true;             ///< the penalty is on the weights of standardised columns
  ClassWeights class_weights = {};
  bool by_accuracy = false;  ///< choose the highest accuracy, not the least squared error
};

/// What leaving each row out in turn would give. The columns' deviations stay those of all rows.
struct RidgeStep {
  double strength = 0;
  double squared_error = 0;  ///< weighted mean over rows of the sum over classes
  double accuracy = 0;       ///< of the rows of weight > 0
};

struct RidgeFit {
  LinearFit fit;                 ///< iterations: 1
  std::vector<RidgeStep> steps;  ///< in the order of the strengths, ascending
  double best = 0;               ///< of equals the smaller
};

/// One eigendecomposition, of X^T X or of X X^T, whichever is smaller, serves all strengths: m^3 operations
/// and 3 m^2 doubles for m = min(n, c). Throws Error{usage} from check_rows() or where the configuration
/// makes no sense.
RidgeFit fit_ridge(const Rows& rows, const RidgeConfig& config);

/// The objective of `head`, in double.
double ridge_objective(const Rows& rows, const RidgeConfig& config, double strength, const LinearHead& head);

}  // namespace enxerto
