/// Linear support vector machines.
#pragma once

#include "enxerto/heads/linear_head.h"
#include "enxerto/heads/standardize.h"

namespace enxerto {

enum class MultiClass { one_vs_rest, crammer_singer };

/// one_vs_rest minimises for each class, with t = +1 for its rows and -1 for the others (LIBLINEAR's
/// L2-loss),
///   C * sum of weight * max(0, 1 - t * score)^2 + 1/2 * (||w||^2 + b^2),
/// crammer_singer
///   C * sum of weight * max(0, 1 + highest other score - own score) + 1/2 * (||W||^2 + ||b||^2).
/// As in LIBLINEAR the bias is the weight of a constant feature of 1, and penalised like the rest. With two
/// classes one_vs_rest has one problem, and the first class's row is the second's with the sign changed.
struct SvmConfig {
  double strength = 1;  ///< C > 0
  MultiClass multi_class = MultiClass::one_vs_rest;
  bool standardize = true;
  ClassWeights class_weights;
  double tolerance = 1e-4;  ///< relative distance to the least objective at which it stops
  int max_iterations = 1000;
};

/// Throws Error{usage} from check_rows() or where the configuration makes no sense. `start` is on raw
/// features.
LinearFit fit_svm(const Rows& rows, const SvmConfig& config, const LinearHead* start = nullptr);

/// The objective of `head` (one_vs_rest: summed over the classes), in double.
double svm_objective(const Rows& rows, const SvmConfig& config, const LinearHead& head);

}  // namespace enxerto
