#include "enxerto/train/penalty.h"

#include <algorithm>
#include <cmath>

#include "enxerto/train/chunks.h"

namespace enxerto {

double penalty_of(const Penalty& penalty, std::span<const Update> updates) {
  if (!penalty.any()) return 0;
  return sum_over_chunks(updates, [&](const Chunk& chunk) {
    const Update& update = updates[chunk.update];
    double absolute = 0, squares = 0;
    if (!update.decays) return 0.0;
#pragma omp simd reduction(+ : absolute, squares)
    for (std::size_t i = chunk.begin; i < chunk.end; ++i) {
      const double w = update.value[i];
      absolute += std::abs(w);
      squares += w * w;
    }
    return penalty.l1 * absolute + penalty.l2 / 2 * squares;
  });
}

double gradient_norm(std::span<const Update> updates, const Penalty& penalty) {
  return std::sqrt(sum_over_chunks(updates, [&](const Chunk& chunk) {
    const Update& update = updates[chunk.update];
    const bool decays = update.decays && penalty.any();
    const double l1 = decays ? penalty.l1 : 0, l2 = decays ? penalty.l2 : 0;
    double squares = 0;
    if (!decays) {
#pragma omp simd reduction(+ : squares)
      for (std::size_t i = chunk.begin; i < chunk.end; ++i) {
        const double g = update.grad[i];
        squares += g * g;
      }
      return squares;
    }
#pragma omp simd reduction(+ : squares)
    for (std::size_t i = chunk.begin; i < chunk.end; ++i) {
      const double w = update.value[i];
      const double g = update.grad[i] + l1 * static_cast<double>((w > 0) - (w < 0)) + l2 * w;
      squares += g * g;
    }
    return squares;
  }));
}

double clip_scale(double norm, double most) { return most > 0 ? std::min(1.0, most / (norm + 1e-6)) : 1; }

}  // namespace enxerto
