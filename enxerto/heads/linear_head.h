/// A linear classifier on raw features: what logistic regression, SVM and ridge end as, and what becomes the
/// last layer of a network.
#pragma once

#include "enxerto/heads/rows.h"
#include "enxerto/tensor/named_tensors.h"

namespace enxerto {

/// scores = x w^T + b. w {classes,c}, b {classes}. Two classes have two rows too.
struct LinearHead {
  Tensor w, b;

  LinearHead() = default;
  LinearHead(int classes, std::int64_t c) : w({.n = classes, .c = c}), b({.n = classes}) {}
  int classes() const { return static_cast<int>(w.shape().n); }
  LinearHead clone() const;

  Tensor scores(ConstView x) const;  ///< {n,classes}; x {n,c}
  std::vector<std::int32_t> predictions(
      ConstView x) const;                   ///< the class of the largest score, the first of equals
  double accuracy(const Rows& rows) const;  ///< share of the rows of weight > 0 that it gets right
};

/// "weight" {classes,c} and "bias" {classes}, as a network's last layer has them.
NamedTensors tensors_of(const LinearHead& head);
/// Throws Error{corrupt} where one of the two is missing or their sizes do not fit.
LinearHead linear_head_from(const NamedTensors& tensors);

/// How a linear head was found.
struct LinearFit {
  LinearHead head;       ///< on raw features
  double objective = 0;  ///< of the loss that was made small, at `head`
  double gap = 0;  ///< what a smaller objective can still be below this one, relative: an estimate or a bound
  int iterations = 0;  ///< passes over the features
  double seconds = 0;
  bool converged = false;  ///< false: max_iterations came first
};

}  // namespace enxerto
