/// Smooth losses by the weights themselves: limited-memory BFGS, and with a penalty of absolute values
/// its orthant-wise form (Andrew & Gao 2007). Slower than dual.h where that converges, and never stuck. Not
/// installed.
#pragma once

#include "enxerto/heads/dual_space.h"

namespace enxerto {

struct PrimalProblem {
  const SeenRows& seen;
  std::span<const std::int32_t> y;
  std::span<const double> c;  ///< C times weight; rows of 0 are not read
  int outputs = 0;
  double l2 = 1, l1 = 0;
  bool squared_hinge = false;  ///< SquaredHinge, with l2 on the bias too; else cross entropy
};

/// Weights on standardised columns {outputs, c}, then the bias at the mean {outputs}.
using PrimalPoint = std::vector<double>;
/// Of weights on raw columns, and the other way.
PrimalPoint point_of(const SeenRows& seen, std::span<const float> weights, std::span<const double> bias);
std::vector<float> weights_at(const SeenRows& seen, const PrimalPoint& at, int outputs);

/// Sum of losses + l2 / 2 ||W||^2, without the part of l1, and its gradient: one pass over the features.
double primal_objective(const PrimalProblem& problem, const PrimalPoint& at, PrimalPoint& gradient);

struct PrimalResult {
  double objective = 0, gap = 0;
  int passes = 0;
  bool converged = false;
};

/// Moves `at` until a bound on what is left, or what the last ten passes brought, is below tolerance *
/// objective.
PrimalResult minimise_primal(const PrimalProblem& problem, PrimalPoint& at, double tolerance, int max_passes);

}  // namespace enxerto
