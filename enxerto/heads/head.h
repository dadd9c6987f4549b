/// Any head: fitted by name, asked for probabilities, saved and loaded.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "enxerto/heads/forest.h"
#include "enxerto/heads/knn.h"
#include "enxerto/heads/path.h"
#include "enxerto/heads/pca.h"
#include "enxerto/heads/ridge.h"

namespace enxerto {

using AnyHead = std::variant<LinearHead, Knn, Tree, Forest>;

/// What head, and how it is found. What a kind does not know is not read. docs/heads.md tells when to use
/// which.
struct HeadConfig {
  std::string kind = "logistic";   ///< of head_kinds()
  std::optional<double> strength;  ///< C of the linear ones; without: 1, and by leave-one-out for ridge
  int folds = 0;                   ///< logistic and svm: 2 or more choose C by cross-validation
  /// Of each row, in [0, folds): rows that belong together, such as views of one picture, are held back
  /// together. Empty: stratified.
  std::vector<std::int32_t> fold_of_row = {};
  std::vector<std::int32_t> group_of_row = {};       ///< forest: ForestConfig::group_of_row
  double l1_ratio = 0;                               ///< logistic
  MultiClass multi_class = MultiClass::one_vs_rest;  ///< svm
  int max_iterations = 1000;                         ///< logistic and svm
  int pca = 0;                                       ///< components; 0: as pca_share says
  double pca_share = 0;                              ///< share of the variance; 0: no principal components
  /// Linear ones and knn; without: where columns differ so much in scale that a penalty or a distance would
  /// hear the loud ones only (of the deviations of columns that are not constant, the 95th percentile is
  /// above ten times the 5th). Between ten and a thousand times `folds` choose this too: quiet columns of a
  /// network are often but noise. With principal components it comes before them.
  std::optional<bool> standardize;
  ClassWeights class_weights = {};
  std::uint64_t seed = 0;
  int k = 5;  ///< knn
  DistanceKind metric = DistanceKind::euclidean;
  Vote vote = Vote::uniform;
  int trees = 100;                  ///< forest
  int max_depth = 0, min_leaf = 1;  ///< tree and forest
};

/// The kinds that there are.
const std::vector<std::string>& head_kinds();

/// Whether it is one of those with a C: logistic, svm, ridge.
bool is_linear(std::string_view kind);

/// A head with what comes before it.
struct FittedHead {
  std::string kind;
  std::vector<std::string> classes;  ///< their names
  AnyHead model;
  std::optional<Pca> pca;  ///< before trees and neighbours; folded into the weights of a LinearHead
  double temperature = 1;  ///< > 0; outputs are divided by it

  std::int64_t columns() const;  ///< of raw features
  /// {n,classes}, each row adds up to 1: the softmax of outputs(). From scores of logistic regression those
  /// are probabilities, from svm and ridge only an order.
  Tensor probabilities(ConstView x) const;
  /// {n,classes}: of linear heads the scores, of others the logarithms of what they give, 1e-6 at least; both
  /// divided by the temperature.
  Tensor outputs(ConstView x) const;
};

/// How it went.
struct HeadReport {
  std::optional<double> objective;  ///< of the linear ones
  std::optional<int> iterations;
  bool converged = true;
  double seconds = 0;
  std::optional<double> strength;  ///< C, given or chosen
  bool standardized = false;
  std::optional<double> explained;  ///< by the principal components
  std::int64_t components = 0;
  std::vector<PathStep> path;  ///< of cross-validation
  std::vector<RidgeStep> leave_one_out;
  std::optional<double> out_of_bag;  ///< accuracy of the forest
  std::int64_t out_of_bag_rows = 0;
};

struct HeadFit {
  FittedHead head;
  HeadReport report;
};

/// `classes`: names, as many as rows.classes. Throws Error{usage} for a kind that is not there, and what the
/// fit_...() throws.
HeadFit fit_head(const Rows& rows, std::vector<std::string> classes, const HeadConfig& config);

/// A head as a safetensors file holds it.
struct HeadFile {
  NamedTensors tensors;
  std::map<std::string, std::string> metadata;
};
HeadFile head_file_of(const FittedHead& head);
/// Takes nothing on trust: throws Error{corrupt} where something is missing or does not fit together,
/// Error{unsupported} where a newer version wrote it.
FittedHead head_from(const HeadFile& file);

}  // namespace enxerto
