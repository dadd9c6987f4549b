#include "enxerto/image/pixel_lanes.h"

namespace enxerto::avx512 {
namespace {

/// Four lanes.
struct Lanes {
  static constexpr int count = 4;
  __m512i v;

  static Lanes zero() { return {_mm512_setzero_si512()}; }
  static Lanes all32(std::int32_t value) { return {_mm512_set1_epi32(value)}; }
  /// The same sixteen bytes in each lane.
  template <class... Bytes>
  static Lanes bytes(Bytes... each) {
    return {_mm512_broadcast_i32x4(_mm_setr_epi8(static_cast<char>(each)...))};
  }
  static Lanes load(const std::uint8_t* from) { return {_mm512_loadu_si512(from)}; }
  static void store(std::uint8_t* to, Lanes a) { _mm512_storeu_si512(to, a.v); }
  /// Sixteen bytes of each row.
  static Lanes load_rows(const std::uint8_t* const* rows, std::size_t at) {
    const auto two = [&](int first) {
      return _mm256_inserti128_si256(_mm256_castsi128_si256(load16(rows[first] + at)),
                                     load16(rows[first + 1] + at), 1);
    };
    return {_mm512_inserti64x4(_mm512_castsi256_si512(two(0)), two(2), 1)};
  }
  static Lanes add(Lanes a, Lanes b) { return {_mm512_add_epi32(a.v, b.v)}; }
  static Lanes multiply_pairs(Lanes a, Lanes b) { return {_mm512_madd_epi16(a.v, b.v)}; }
  static Lanes shuffle(Lanes a, Lanes places) { return {_mm512_shuffle_epi8(a.v, places.v)}; }
  static Lanes mix_low8(Lanes a, Lanes b) { return {_mm512_unpacklo_epi8(a.v, b.v)}; }
  static Lanes mix_high8(Lanes a, Lanes b) { return {_mm512_unpackhi_epi8(a.v, b.v)}; }
  static Lanes pack32(Lanes a, Lanes b) { return {_mm512_packs_epi32(a.v, b.v)}; }
  static Lanes pack16(Lanes a, Lanes b) { return {_mm512_packus_epi16(a.v, b.v)}; }
  template <int bits>
  static Lanes shift_left(Lanes a) {
    return {_mm512_slli_epi32(a.v, bits)};
  }
  template <int bits>
  static Lanes shift_right(Lanes a) {
    return {_mm512_srai_epi32(a.v, bits)};
  }
  /// Sixteen bytes p as floats of p * factor + offset, in double.
  static void store_affine(Lanes16 p, double factor, double offset, float* to) {
    const __m512d a = _mm512_set1_pd(factor), b = _mm512_set1_pd(offset);
    const auto eight = [&](__m128i bytes, float* place) {
      const __m512d x = _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(bytes));
      _mm256_storeu_ps(place, _mm512_cvtpd_ps(_mm512_fmadd_pd(x, a, b)));
    };
    eight(p, to);
    eight(_mm_srli_si128(p, 8), to + 8);
  }
};

}  // namespace
}  // namespace enxerto::avx512

#define ENXERTO_ISA avx512
#define ENXERTO_ISA_NAME "avx512"
#include "enxerto/image/pixel_lanes.inl"
