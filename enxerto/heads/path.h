/// The regularisation strength, chosen by cross-validation along a path of strengths.
#pragma once

#include "enxerto/heads/logistic.h"
#include "enxerto/heads/svm.h"

namespace enxerto {

struct PathConfig {
  std::vector<double> strengths =
      strengths_between(1e-4, 1e4, 10);  ///< tried from small to large, warm-started
  int folds = 5;                         ///< stratified: each class is shared out evenly
  /// Grouped folds, a number for each row, negative: never held back; empty: stratified.
  std::span<const std::int32_t> fold_of_row{};
  std::uint64_t seed = 0;
  bool refit = true;  ///< on all rows, with the strength that won

  static std::vector<double> strengths_between(double low, double high, int count);  ///< geometric
};

struct PathStep {
  double strength = 0;
  std::vector<double> accuracies;  ///< of each fold, on the rows that it held back
  double mean = 0, standard_error = 0;
  bool converged = true;  ///< all folds: else its accuracies are those of where they were stopped
};

struct PathResult {
  std::vector<PathStep> steps;  ///< ascending strength
  double best = 0;              ///< the strength of the highest mean, the smallest of equals
  LinearFit fit;                ///< where refit
  bool gram = false;            ///< one Gram matrix served all folds
  double seconds = 0;
};

/// A fold for each row: every class's rows are shuffled (its own child of the seed) and dealt out in turn. A
/// class's only row gets -1: each fold learns from it, none is judged by it. Throws Error{usage} where fewer
/// than two folds are asked for, and where no class has two rows.
std::vector<std::int32_t> stratified_folds(const Rows& rows, int folds, std::uint64_t seed);

/// `config.strength` is not read. Throws Error{usage} as fit_...() do, and where a fold leaves fewer than two
/// classes.
PathResult fit_logistic_path(const Rows& rows, const LogisticConfig& config, const PathConfig& path);
PathResult fit_svm_path(const Rows& rows, const SvmConfig& config, const PathConfig& path);

}  // namespace enxerto
