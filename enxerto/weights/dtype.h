/// Number formats of weight files, and how each is turned into float.
#pragma once

#include <cstdint>
#include <span>

namespace enxerto {

enum class Dtype { f32, f16, bf16, f64, boolean, u8, i8, u16, i16, u32, i32, u64, i64 };

/// Bytes that one number takes in a file.
std::int64_t bytes_of(Dtype dtype);

/// Reads to.size() little-endian numbers, at any alignment, as floats: f64 is rounded, and so are integers
/// beyond 2^24. A boolean is its byte, 0 or 1.
void widen(Dtype dtype, const std::uint8_t* from, std::span<float> to);

}  // namespace enxerto
