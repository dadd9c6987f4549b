/// The losses of support vector machines, row by row: see dual.h. Not installed.
#pragma once

#include "enxerto/heads/dual.h"

namespace enxerto {

/// c * max(0, 1 - t s)^2 for each output; t is +1 for the row's own. With a single output t is +1 for
/// class 1.
class SquaredHinge : public DualLoss {
 public:
  bool solve(double product, double c, int y, std::span<const double> s, std::span<double> a,
             std::span<double> change, double negligible) override;
  double loss(double c, int y, std::span<const double> s) const override;
  double gap(double c, int y, std::span<const double> s, std::span<const double> a) const override;
};

/// c * max(0, 1 + highest other score - own score) (Crammer & Singer 2001).
class CrammerSinger : public DualLoss {
 public:
  bool solve(double product, double c, int y, std::span<const double> s, std::span<double> a,
             std::span<double> change, double negligible) override;
  double loss(double c, int y, std::span<const double> s) const override;
  double gap(double c, int y, std::span<const double> s, std::span<const double> a) const override;

 private:
  std::vector<double> level_, sorted_;
};

}  // namespace enxerto
