/// Multinomial logistic regression.
#pragma once

#include "enxerto/heads/linear_head.h"
#include "enxerto/heads/standardize.h"

namespace enxerto {

/// Minimises, as scikit-learn's LogisticRegression does,
///   C * sum of weight * cross entropy + (1 - l1_ratio) / 2 * ||W||^2 + l1_ratio * ||W||_1,
/// the bias unpenalised. With two classes ||W||^2 counts twice: that is scikit-learn's sigmoid, whose weights
/// are the difference of our two rows, at the same C and the same objective.
struct LogisticConfig {
  double strength = 1;      ///< C > 0: large fits closely, small keeps weights small
  double l1_ratio = 0;      ///< 0: L2. 1: L1. Between: elastic net
  bool standardize = true;  ///< the penalty is on the weights of standardised columns
  ClassWeights class_weights;
  double tolerance = 1e-4;  ///< relative distance to the least objective at which it stops
  int max_iterations = 1000;
};

/// Throws Error{usage} from check_rows() or where the configuration makes no sense. `start` is on raw
/// features.
LinearFit fit_logistic(const Rows& rows, const LogisticConfig& config, const LinearHead* start = nullptr);

/// The objective of `head`, in double.
double logistic_objective(const Rows& rows, const LogisticConfig& config, const LinearHead& head);

}  // namespace enxerto
