/// Random forests: Breiman 2001. Each tree learns from rows drawn with replacement, each split from a few
/// columns; their probabilities are averaged.
#pragma once

#include <optional>

#include "enxerto/heads/tree.h"

namespace enxerto {

struct ForestConfig {
  int trees = 100;
  int max_depth = 0, min_leaf = 1;  ///< as TreeConfig has them
  std::int64_t max_features = 0;    ///< 0: the square root of the number of columns
  ClassWeights class_weights = {};
  std::uint64_t seed = 0;
  /// A number from 0 on for each row: rows of one number, such as views of one picture, are drawn and left
  /// out together. Empty: each on its own.
  std::vector<std::int32_t> group_of_row = {};
};

struct Forest {
  std::vector<Tree> trees;

  int classes() const { return trees.front().classes; }
  std::int64_t columns() const { return trees.front().columns; }
  Tensor probabilities(ConstView x) const;  ///< {n,classes}
};

struct ForestFit {
  Forest forest;
  /// The share of rows that the trees which have not seen them get right, and how many rows some tree has not
  /// seen: an honest accuracy without a test set.
  double out_of_bag_accuracy = 0;
  std::int64_t out_of_bag_rows = 0;
};

/// The same seed gives the same bits for any number of threads. Takes a byte for each feature, and what
/// the trees take. Throws Error{usage} as fit_tree() does.
ForestFit fit_forest(const Rows& rows, const ForestConfig& config);

/// The trees as "trees.0.feature" and so on.
void append_forest(const Forest& forest, NamedTensors& tensors);
/// Throws Error{corrupt} as tree_from() does.
Forest forest_from(const NamedTensors& tensors, int classes, std::int64_t columns);

}  // namespace enxerto
