/// What fitting one logistic regression and fitting a path of them share. Not installed.
#pragma once

#include "enxerto/heads/dual.h"
#include "enxerto/heads/logistic.h"
#include "enxerto/heads/logistic_loss.h"

namespace enxerto {

/// Throws Error{usage} where it makes no sense.
void check_config(const LogisticConfig& config);

/// C * weight * class weight of each row.
std::vector<double> costs_of(const Rows& rows, const ClassWeights& classes, double strength);

/// The rows shifted by their mean, and standardised.
SeenRows centred_rows(const Rows& rows, bool standardize);

/// Logarithms of how often each class is there: the best bias of weights of zero.
std::vector<double> prior_bias(const DualProblem& problem);

/// c * (1{y} - softmax(scores)) {n, outputs}; scores {n, outputs}, or {outputs} for all rows.
std::vector<float> residuals(const DualProblem& problem, std::span<const double> scores);

}  // namespace enxerto
