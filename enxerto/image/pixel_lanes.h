/// What the vectors of every instruction set share: sixteen bytes. For pixel_loops_avx2.cpp and
/// pixel_loops_avx512.cpp only.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "enxerto/image/pixel_loops.h"

namespace enxerto {
namespace {

using Lanes16 = __m128i;

inline Lanes16 load16(const std::uint8_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

/// Channel c of sixteen RGB pixels.
inline Lanes16 channel_of(const std::uint8_t* rgb, int c) {
  // Byte i of the channel is byte 3 * i + c of 48: in which of the three loads, and where.
  alignas(16) std::int8_t place[3][16];
  for (int i = 0; i < 16; ++i)
    for (int part = 0; part < 3; ++part) {
      const int at = 3 * i + c - 16 * part;
      place[part][i] = static_cast<std::int8_t>(at >= 0 && at < 16 ? at : -1);
    }
  const auto picked = [&](int part) {
    return _mm_shuffle_epi8(load16(rgb + 16 * part),
                            _mm_load_si128(reinterpret_cast<const __m128i*>(place[part])));
  };
  return _mm_or_si128(_mm_or_si128(picked(0), picked(1)), picked(2));
}

}  // namespace
}  // namespace enxerto
