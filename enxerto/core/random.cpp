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

}  // namespace enxerto
