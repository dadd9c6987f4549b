#include "enxerto/core/random.h"

#include <cmath>
#include <numbers>

namespace enxerto {

float Rng::normal() {
  // 1 - u lies in (0, 1], so the logarithm is finite.
  const double u = 1.0 - static_cast<double>(bits() >> 11) * 0x1p-53;
  const double v = static_cast<double>(bits() >> 11) * 0x1p-53;
  return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v));
}

double Rng::log_gamma(double shape) {
  if (shape < 1) {
    // The paper, section 6: Gamma(a) is Gamma(a + 1) U^(1 / a).
    const double greater = log_gamma(shape + 1);
    return greater + std::log(1.0 - static_cast<double>(bits() >> 11) * 0x1p-53) / shape;
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = static_cast<double>(normal()), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root, log_v = std::log(v);
    const double log_u = std::log(1.0 - static_cast<double>(bits() >> 11) * 0x1p-53);
    if (log_u < 0.5 * x * x + d - d * v + d * log_v) return std::log(d) + log_v;
  }
}

double Rng::gamma(double shape) { return std::exp(log_gamma(shape)); }

double Rng::beta(double a, double b) {
  const double log_x = log_gamma(a), log_y = log_gamma(b);
  if (log_x == log_y) return 0.5;  // both may be minus infinity
  return 1 / (1 + std::exp(log_y - log_x));
}

}  // namespace enxerto
