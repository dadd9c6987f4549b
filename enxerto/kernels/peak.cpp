#include "enxerto/kernels/peak.h"

#include <algorithm>
#include <cstdint>

#include "enxerto/core/system.h"
#include "enxerto/tensor/tensor.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace enxerto {
namespace {

// As many sums at once as hide the latency of one (4 or 5 cycles, two a cycle), in registers all of them.
constexpr int chains = 12;

/// Each runs `rounds` times `chains` fused multiply-adds of its width and returns their sum, so that the
/// compiler has to keep them.
struct Probe {
  const char* name;
  int lanes;
  float (*run)(std::int64_t rounds);
};

#if defined(__x86_64__)
__attribute__((target("avx512f"))) float fma_avx512(std::int64_t rounds) {
  __m512 sums[chains];
  for (int i = 0; i < chains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 factor = _mm512_set1_ps(0.5f), term = _mm512_set1_ps(1.0f);
  for (std::int64_t round = 0; round < rounds; ++round)
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) sums[i] = _mm512_fmadd_ps(sums[i], factor, term);
  __m512 total = _mm512_setzero_ps();
  for (const __m512& sum : sums) total = _mm512_add_ps(total, sum);
  return total[0];
}

__attribute__((target("avx2,fma"))) float fma_avx2(std::int64_t rounds) {
  __m256 sums[chains];
  for (int i = 0; i < chains; ++i) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 factor = _mm256_set1_ps(0.5f), term = _mm256_set1_ps(1.0f);
  for (std::int64_t round = 0; round < rounds; ++round)
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) sums[i] = _mm256_fmadd_ps(sums[i], factor, term);
  __m256 total = _mm256_setzero_ps();
  for (const __m256& sum : sums) total = _mm256_add_ps(total, sum);
  return total[0];
}
#endif

float fma_generic(std::int64_t rounds) {
  float sums[chains * 4];
  for (int i = 0; i < chains * 4; ++i) sums[i] = static_cast<float>(i);
  for (std::int64_t round = 0; round < rounds; ++round)
#pragma GCC unroll 48
    for (int i = 0; i < chains * 4; ++i) sums[i] = sums[i] * 0.5f + 1.0f;
  float total = 0;
  for (const float sum : sums) total += sum;
  return total;
}

Probe widest_probe() {
#if defined(__x86_64__)
  if (chip_isa() == Isa::avx512) return {"avx512", 16, fma_avx512};
  if (chip_isa() == Isa::avx2) return {"avx2", 8, fma_avx2};
#endif
  return {"generic", 4, fma_generic};
}

double seconds_of(const Probe& probe, std::int64_t rounds, int threads) {
  float kept = 0;
  const double start = now_seconds();
#pragma omp parallel num_threads(threads) reduction(+ : kept)
  kept += probe.run(rounds);
  const double seconds = now_seconds() - start;
  volatile float sink = kept;
  static_cast<void>(sink);
  return seconds;
}

double measure_gflops(const Probe& probe, int threads) {
  constexpr std::int64_t rounds = 1 << 21;  // some milliseconds, long enough to wake all threads
  double best = 1e30;
  for (int i = 0; i < 30; ++i) best = std::min(best, seconds_of(probe, rounds, threads));
  return 2e-9 * static_cast<double>(rounds) * chains * probe.lanes * threads / best;
}

double measure_gbytes(int threads) {
  constexpr std::int64_t size = 16 << 20;  // 64 MiB each
  Tensor a({.n = size}), b({.n = size}), c({.n = size});
  float* const sum = a.data().data();
  const float* const first = b.data().data();
  const float* const second = c.data().data();
  double best = 1e30;
  for (int run = 0; run < 5; ++run) {
    const double start = now_seconds();
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (std::int64_t i = 0; i < size; ++i) sum[i] = first[i] + 0.5f * second[i];
    best = std::min(best, now_seconds() - start);
  }
  return 3e-9 * static_cast<double>(size) * sizeof(float) / best;
}

}  // namespace

Peak measure_peak(int threads) {
  const Probe probe = widest_probe();
  return {probe.name, measure_gflops(probe, threads), measure_gbytes(threads)};
}

}  // namespace enxerto
