/// Near duplicates: pairs of pictures that show the same, among very many, without comparing all with all.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "enxerto/doctor/look.h"

namespace enxerto {

/// When two pictures show the same.
struct NearRule {
  int hash_distance = 11;  ///< bits that may differ; at most 11, beyond which the index would miss some
  double whole = 0.95, detail = 0.80;  ///< least correlations
  double colour = 12;                  ///< most difference, in levels

  bool holds(const Likeness& alike) const {
    return alike.whole >= whole && alike.detail >= detail && alike.colour <= colour;
  }
};

struct NearPair {
  std::int64_t a = 0, b = 0;  ///< a < b
  Symmetry symmetry = 0;      ///< that lays b on a
  Likeness alike;
  /// Where features of a network found them (features.h): the cosine of these. `alike` is then that of where
  /// they lie over each other.
  std::optional<double> cosine = {};
};

/// Sets of things that are joined pair by pair.
class UnionFind {
 public:
  explicit UnionFind(std::int64_t n);
  /// The number that stands for the set, its smallest. Const: safe from many threads while nobody joins.
  std::int64_t find(std::int64_t i) const;
  /// False where they were joined already.
  bool join(std::int64_t a, std::int64_t b);
  /// Sets of two or more, each ascending, by their smallest.
  std::vector<std::vector<std::int64_t>> groups() const;

 private:
  std::vector<std::int64_t> parent_;
};

/// Pairs that join all near duplicates (a tree for each group, not every pair), sorted by b, then a. Only
/// pictures that `takes_part` says take part. Multi-index hashing (Norouzi, Punjani, Fleet 2012): two hashes
/// that differ in 11 bits or fewer differ in two or fewer in one of four quarters. The result does not depend
/// on `threads`.
std::vector<NearPair> find_near(std::span<const Look> looks, std::span<const std::uint8_t> takes_part,
                                const NearRule& rule, int threads);

/// The same by comparing all with all, for tests.
std::vector<NearPair> find_near_slowly(std::span<const Look> looks, std::span<const std::uint8_t> takes_part,
                                       const NearRule& rule);

}  // namespace enxerto
