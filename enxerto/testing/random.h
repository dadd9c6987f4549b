/// Numbers to try things on.
#pragma once

#include <cstdint>
#include <vector>

#include "enxerto/core/random.h"
#include "enxerto/tensor/tensor.h"

namespace enxerto::tests {

/// Normal, of mean 0 and variance 1.
inline Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  Tensor made(shape);
  Rng rng(seed);
  for (float& x : made.data()) x = rng.normal();
  return made;
}

/// From -most to most: their products and sums are exact in float.
inline std::vector<float> whole_numbers(std::int64_t size, int most, std::uint64_t seed) {
  std::vector<float> made(static_cast<std::size_t>(size));
  Rng rng(seed);
  for (float& x : made)
    x = static_cast<float>(rng.below(static_cast<std::uint64_t>(2 * most + 1))) - static_cast<float>(most);
  return made;
}

}  // namespace enxerto::tests
