#include "enxerto/image/pixel_lanes.h"

namespace enxerto::avx2 {
namespace {

/// Two lanes.
struct Lanes {
  static constexpr int count = 2;
  __m256i v;

  static Lanes zero() { return {_mm256_setzero_si256()}; }
  static Lanes all32(std::int32_t value) { return {_mm256_set1_epi32(value)}; }
  /// The same sixteen bytes in each lane.
  template <class... Bytes>
  static Lanes bytes(Bytes... each) {
    return {_mm256_broadcastsi128_si256(_mm_setr_epi8(static_cast<char>(each)...))};
  }
  static Lanes load(const std::uint8_t* from) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))};
  }
  static void store(std::uint8_t* to, Lanes a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), a.v); }
  /// Sixteen bytes of each row.
  static Lanes load_rows(const std::uint8_t* const* rows, std::size_t at) {
    return {_mm256_inserti128_si256(_mm256_castsi128_si256(load16(rows[0] + at)), load16(rows[1] + at), 1)};
  }
  static Lanes add(Lanes a, Lanes b) { return {_mm256_add_epi32(a.v, b.v)}; }
  static Lanes multiply_pairs(Lanes a, Lanes b) { return {_mm256_madd_epi16(a.v, b.v)}; }
  static Lanes shuffle(Lanes a, Lanes places) { return {_mm256_shuffle_epi8(a.v, places.v)}; }
  static Lanes mix_low8(Lanes a, Lanes b) { return {_mm256_unpacklo_epi8(a.v, b.v)}; }
  static Lanes mix_high8(Lanes a, Lanes b) { return {_mm256_unpackhi_epi8(a.v, b.v)}; }
  static Lanes pack32(Lanes a, Lanes b) { return {_mm256_packs_epi32(a.v, b.v)}; }
  static Lanes pack16(Lanes a, Lanes b) { return {_mm256_packus_epi16(a.v, b.v)}; }
  template <int bits>
  static Lanes shift_left(Lanes a) {
    return {_mm256_slli_epi32(a.v, bits)};
  }
  template <int bits>
  static Lanes shift_right(Lanes a) {
    return {_mm256_srai_epi32(a.v, bits)};
  }
  /// Sixteen bytes p as floats of p * factor + offset, in double.
  static void store_affine(Lanes16 p, double factor, double offset, float* to) {
    const __m256d a = _mm256_set1_pd(factor), b = _mm256_set1_pd(offset);
    const auto four = [&](__m128i bytes, float* place) {
      const __m256d x = _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(bytes));
      _mm_storeu_ps(place, _mm256_cvtpd_ps(_mm256_fmadd_pd(x, a, b)));
    };
    four(p, to);
    four(_mm_srli_si128(p, 4), to + 4);
    four(_mm_srli_si128(p, 8), to + 8);
    four(_mm_srli_si128(p, 12), to + 12);
  }
};

}  // namespace
}  // namespace enxerto::avx2

#define ENXERTO_ISA avx2
#define ENXERTO_ISA_NAME "avx2"
#include "enxerto/image/pixel_lanes.inl"
