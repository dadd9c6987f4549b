/// Decision trees: CART (Breiman, Friedman, Olshen & Stone 1984) with Gini's impurity.
#pragma once

#include "enxerto/core/random.h"
#include "enxerto/heads/rows.h"
#include "enxerto/tensor/named_tensors.h"

namespace enxerto {

class Bins;

struct TreeConfig {
  int max_depth = 0;              ///< 0: as deep as it takes until every leaf is of one class
  int min_leaf = 1;               ///< rows that a leaf has at least
  std::int64_t max_features = 0;  ///< columns, not constant in the node, that a split is chosen from; 0: all
  ClassWeights class_weights = {};
  std::uint64_t seed = 0;  ///< of the choice of columns
};

/// Plain arrays, a node a place; node 0 is the root. A row whose x[feature] <= threshold goes to `next`, else
/// to next + 1; both lie after their parent. A leaf has feature -1, and `next` is its row of `leaves`.
struct Tree {
  int classes = 0;
  std::int64_t columns = 0;
  std::vector<std::int32_t> feature, next;
  std::vector<float> threshold;
  std::vector<float> leaves;  ///< {leaves, classes}: shares of the weight of the rows that ended there

  /// The leaf's shares for a row {columns}.
  std::span<const float> probabilities_of(std::span<const float> row) const;
  Tensor probabilities(ConstView x) const;  ///< {n,classes}
  int depth() const;                        ///< splits on the way to the deepest leaf
};

/// Each split is the best there is; of equals the one on the first column, with the lowest threshold. Columns
/// of more than 256 different values are looked at in 256 steps of about as many rows each. Throws
/// Error{usage} from check_rows() or where the configuration makes no sense.
Tree fit_tree(const Rows& rows, const TreeConfig& config);

/// Throws as fit_tree() does, before any work.
void check_tree_config(const Rows& rows, const TreeConfig& config);

/// The same on features that are binned already; `weights` has one for each row and takes the place of those
/// of rows and classes. For forests: nothing is checked.
Tree grow_tree(const Rows& rows, const Bins& bins, std::span<const float> weights, const TreeConfig& config,
               Rng rng);

/// PREFIX + "feature", "next", "threshold" {nodes} and "leaves" {leaves,classes}. Error{unsupported} where a
/// number is beyond what a float counts to, 2^24.
void append_tree(const Tree& tree, const std::string& prefix, NamedTensors& tensors);
/// Takes nothing on trust: throws Error{corrupt} where sizes do not fit, a column or a leaf is not there, or
/// a child does not lie after its parent.
Tree tree_from(const NamedTensors& tensors, const std::string& prefix, int classes, std::int64_t columns);

}  // namespace enxerto
