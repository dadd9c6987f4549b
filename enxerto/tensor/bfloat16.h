/// bfloat16 in memory; arithmetic is done in float.
#pragma once

#include <bit>
#include <cstdint>

namespace enxerto {

/// The upper half of a float.
struct Bf16 {
  std::uint16_t bits;
};

/// Rounded to nearest, ties to even; what is no number stays none.
constexpr Bf16 bf16_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
  return {static_cast<std::uint16_t>((bits & 0x7FFFFFFF) > 0x7F800000 ? quiet : rounded)};
}

constexpr float float_of_bf16(Bf16 value) { return std::bit_cast<float>(std::uint32_t{value.bits} << 16); }

}  // namespace enxerto
