/// Random numbers that are a pure function of a key: no hidden state shared between threads.
#pragma once

#include <cstdint>
#include <utility>

namespace enxerto {

/// The 64-bit finaliser of SplitMix64 (Steele, Lea & Flood 2014).
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

/// A counter-based generator: number i of a key is mix64(key + i * golden ratio). Copying one copies
/// its place in the sequence; `at(i)` reads any place without moving.
class Rng {
 public:
  Rng() = default;
  explicit constexpr Rng(std::uint64_t seed) : key_(mix64(seed)) {}
  /// An independent generator for (this, a, b), e.g. (seed, epoch, sample index).
  constexpr Rng child(std::uint64_t a, std::uint64_t b = 0) const {
    Rng made;
    made.key_ = mix64(mix64(key_ ^ mix64(a)) + mix64(~b));
    return made;
  }

  constexpr std::uint64_t bits() { return at(counter_++); }
  constexpr std::uint64_t at(std::uint64_t i) const { return mix64(key_ + i * 0x9E3779B97F4A7C15ull); }

  /// Uniform in [0, 1), 24 bits.
  constexpr float uniform() { return static_cast<float>(bits() >> 40) * 0x1p-24f; }
  constexpr float uniform(float low, float high) { return low + (high - low) * uniform(); }
  /// Uniform in [0, n), n > 0; the bias of 2^-64 n is left in.
  constexpr std::uint64_t below(std::uint64_t n) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(bits()) * n) >> 64);
  }
  /// Standard normal, Box-Muller; takes two numbers.
  float normal();
  /// Gamma with this shape > 0 and scale 1, Marsaglia & Tsang 2000; takes as many numbers as it needs.
  double gamma(double shape);
  /// Beta(a, b), a and b > 0, from two gammas; holds for a and b near 0 too.
  double beta(double a, double b);

  friend constexpr bool operator==(const Rng&, const Rng&) = default;

 private:
  double log_gamma(double shape);  ///< the logarithm of gamma(), which does not run out of digits near 0
  std::uint64_t key_ = 0, counter_ = 0;
};

/// Fisher-Yates; the same order on every machine, unlike std::shuffle.
template <class Range>
void shuffle(Range& range, Rng& rng) {
  for (std::uint64_t i = range.size(); i > 1; --i) {
    using std::swap;
    swap(range[i - 1], range[rng.below(i)]);
  }
}

}  // namespace enxerto
