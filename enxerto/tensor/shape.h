/// Sizes of a block of floats.
#pragma once

#include <cstdint>
#include <string>

namespace enxerto {

/// The fields have names, so there is no order to remember. Images {n,c,h,w}; features {n,c};
/// convolution weights {n: out, c: in/groups, h, w: kernel}; linear weights {n: out, c: in};
/// one number per channel {n}.
struct Shape {
  std::int64_t n = 1, c = 1, h = 1, w = 1;
  constexpr std::int64_t size() const { return n * c * h * w; }
  friend bool operator==(const Shape&, const Shape&) = default;
};

/// "32x3x224x224"; trailing ones stay, so that a rank is never guessed.
std::string format_shape(const Shape& shape);

}  // namespace enxerto
