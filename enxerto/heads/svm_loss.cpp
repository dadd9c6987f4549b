#include "enxerto/heads/svm_loss.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace enxerto {
namespace {

double sign_of(std::size_t output, std::size_t outputs, int y) {
  return static_cast<int>(outputs == 1 ? output + 1 : output) == y ? 1.0 : -1.0;
}

/// 1 + highest other score - own score; the highest may be the row's own, without the 1.
double worst_margin(int y, std::span<const double> s) {
  const double own = s[static_cast<std::size_t>(y)];
  double most = 0;
  for (std::size_t k = 0; k < s.size(); ++k)
    if (static_cast<int>(k) != y) most = std::max(most, 1 + s[k] - own);
  return most;
}

}  // namespace

bool SquaredHinge::solve(double product, double c, int y, std::span<const double> s, std::span<double> a,
                         std::span<double> change, double negligible) {
  if (gap(c, y, s, a) <= negligible) return false;
  for (std::size_t k = 0; k < s.size(); ++k) {
    const double t = sign_of(k, s.size(), y), before = t * a[k];
    const double slope = t * s[k] - 1 + before / (2 * c);
    const double after = std::max(0.0, before - slope / (product + 1 / (2 * c)));
    change[k] = t * (after - before);
    a[k] = t * after;
  }
  return true;
}

double SquaredHinge::loss(double c, int y, std::span<const double> s) const {
  double sum = 0;
  for (std::size_t k = 0; k < s.size(); ++k) {
    const double short_of = std::max(0.0, 1 - sign_of(k, s.size(), y) * s[k]);
    sum += c * short_of * short_of;
  }
  return sum;
}

double SquaredHinge::gap(double c, int y, std::span<const double> s, std::span<const double> a) const {
  double sum = 0;
  for (std::size_t k = 0; k < s.size(); ++k) {
    const double t = sign_of(k, s.size(), y), alpha = t * a[k], margin = 1 - t * s[k];
    // c m^2 + a^2 / 4c - a m is a square where m > 0.
    const double root = alpha / (2 * c) - std::max(margin, 0.0);
    sum += c * root * root + alpha * (std::max(margin, 0.0) - margin);
  }
  return sum;
}

bool CrammerSinger::solve(double product, double c, int y, std::span<const double> s, std::span<double> a,
                          std::span<double> change, double negligible) {
  if (gap(c, y, s, a) <= negligible) return false;
  // Keerthi et al. 2008: a = min(c at the own class and 0 elsewhere, (beta - level) / product), adding up to
  // 0.
  const auto own = static_cast<std::size_t>(y);
  level_.resize(s.size());
  for (std::size_t k = 0; k < s.size(); ++k) level_[k] = s[k] - product * a[k] + (k == own ? 0.0 : 1.0);
  sorted_ = level_;
  sorted_[own] += product * c;
  std::sort(sorted_.begin(), sorted_.end(), std::greater<>());
  double beta = sorted_[0] - product * c;
  std::size_t r = 1;
  for (; r < sorted_.size() && beta < static_cast<double>(r) * sorted_[r]; ++r) beta += sorted_[r];
  beta /= static_cast<double>(r);
  for (std::size_t k = 0; k < s.size(); ++k) {
    const double now = std::min(k == own ? c : 0.0, (beta - level_[k]) / product);
    change[k] = now - a[k];
    a[k] = now;
  }
  return true;
}

double CrammerSinger::loss(double c, int y, std::span<const double> s) const {
  return c * worst_margin(y, s);
}

double CrammerSinger::gap(double c, int y, std::span<const double> s, std::span<const double> a) const {
  // The conjugate at a (which adds up to 0, a <= 0 but for the own class) is minus the sum of a over the
  // others' 1.
  double inner = 0;
  for (std::size_t k = 0; k < s.size(); ++k) inner += a[k] * (s[k] + (static_cast<int>(k) == y ? 0.0 : 1.0));
  return std::max(0.0, c * worst_margin(y, s) + inner);
}

}  // namespace enxerto
