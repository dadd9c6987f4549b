/// Cross entropy after a softmax, row by row: loss, conjugate, and the best dual variables of one row. Not
/// installed.
#pragma once

#include "enxerto/heads/dual.h"

namespace enxerto {

/// log(sum of exp(s)); p gets the softmax.
double softmax_of(std::span<const double> s, std::span<double> p);

/// The w > 0 of w + log w = x (Wright's omega).
double wright_omega(double x);

/// a = c * (1{y} - p), p in the simplex: the probabilities are what is sought.
class LogisticLoss : public DualLoss {
 public:
  explicit LogisticLoss(int outputs);
  bool solve(double product, double c, int y, std::span<const double> s, std::span<double> a,
             std::span<double> change, double negligible) override;
  double loss(double c, int y, std::span<const double> s) const override;
  double gap(double c, int y, std::span<const double> s, std::span<const double> a) const override;

 private:
  std::vector<double> p_, softmax_, t_, w_;
  mutable std::vector<double> scratch_;
};

}  // namespace enxerto
