#include "enxerto/heads/logistic_loss.h"

#include <algorithm>
#include <cmath>

namespace enxerto {
namespace {

constexpr double least_probability = 1e-300;

/// The probabilities that the dual variables stand for.
void probabilities_of(double c, int y, std::span<const double> a, std::span<double> p) {
  double others = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    p[k] = std::max(-a[k] / c, least_probability);
    if (static_cast<int>(k) != y) others += p[k];
  }
  p[static_cast<std::size_t>(y)] = std::max(1 - others, least_probability);
}

}  // namespace

double softmax_of(std::span<const double> s, std::span<double> p) {
  const double most = *std::max_element(s.begin(), s.end());
  double sum = 0;
  for (std::size_t k = 0; k < s.size(); ++k) sum += p[k] = std::exp(s[k] - most);
  for (double& each : p) each /= sum;
  return most + std::log(sum);
}

double wright_omega(double x) {
  if (x < -40) return std::exp(x);
  double w = x > 1 ? x - std::log(x) : x > -2 ? std::exp(2 * (x - 1) / 3) : std::exp(x);
  // Fritsch, Shafer & Crowley 1973: each step takes the error to its fourth power.
  for (int i = 0; i < 4; ++i) {
    const double r = x - w - std::log(w);
    const double d = 2 * (1 + w) * (1 + w + 2 * r / 3);
    w *= 1 + r / (1 + w) * (d - r) / (d - 2 * r);
    if (std::abs(r) < 1e-5 * (1 + std::abs(x))) break;
  }
  return w;
}

LogisticLoss::LogisticLoss(int outputs)
    : p_(static_cast<std::size_t>(outputs)), softmax_(p_), t_(p_), w_(p_), scratch_(2 * p_.size()) {}

bool LogisticLoss::solve(double product, double c, int y, std::span<const double> s, std::span<double> a,
                         std::span<double> change, double negligible) {
  probabilities_of(c, y, a, p_);
  double level = softmax_of(s, softmax_);
  // Close to the gap, and without a logarithm.
  double apart = 0;
  for (std::size_t k = 0; k < p_.size(); ++k) {
    const double d = p_[k] - softmax_[k];
    apart += d * d / (p_[k] + softmax_[k]);
  }
  if (c * apart <= negligible) return false;
  // The best p has log p + q p = t - level, with the level at which they add up to 1: convex and falling in
  // it.
  const double q = c * product, log_q = std::log(q);
  for (std::size_t k = 0; k < p_.size(); ++k) t_[k] = s[k] + q * p_[k] + log_q;
  double total = 0;
  for (int i = 0; i < 100; ++i) {
    double slope = 0;
    total = 0;
    for (std::size_t k = 0; k < p_.size(); ++k) {
      w_[k] = wright_omega(t_[k] - level);
      total += w_[k];
      slope += w_[k] / (1 + w_[k]);
    }
    if (std::abs(total / q - 1) < 1e-9 || slope <= 0) break;
    level += (total - q) / slope;
  }
  double others = 0;
  const auto own = static_cast<std::size_t>(y);
  for (std::size_t k = 0; k < p_.size(); ++k) {
    if (k == own) continue;
    const double now = -c * (w_[k] / total);
    others -= now;
    change[k] = now - a[k];
    a[k] = now;
  }
  change[own] = others - a[own];
  a[own] = others;
  return true;
}

double LogisticLoss::loss(double c, int y, std::span<const double> s) const {
  return c * (softmax_of(s, std::span(scratch_).first(s.size())) - s[static_cast<std::size_t>(y)]);
}

double LogisticLoss::gap(double c, int y, std::span<const double> s, std::span<const double> a) const {
  const std::span<double> p = std::span(scratch_).first(s.size()),
                          softmax = std::span(scratch_).last(s.size());
  const double level = softmax_of(s, softmax);
  probabilities_of(c, y, a, p);
  double sum = 0;  // Kullback-Leibler, each term made non-negative by adding softmax - p
  for (std::size_t k = 0; k < s.size(); ++k)
    sum += p[k] * (std::log(p[k]) - (s[k] - level)) - p[k] + softmax[k];
  return c * std::max(sum, 0.0);
}

}  // namespace enxerto
