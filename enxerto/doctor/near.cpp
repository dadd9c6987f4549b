#include "enxerto/doctor/near.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>

#include "enxerto/core/error.h"
#include "enxerto/core/pool.h"

namespace enxerto {
namespace {

constexpr int quarters = 4, quarter_bits = 16;
constexpr std::size_t quarter_values = std::size_t{1} << quarter_bits;
constexpr int most_quarter_distance = 2;

std::uint32_t quarter_of(std::uint64_t hash, int quarter) {
  return static_cast<std::uint32_t>(hash >> (quarter_bits * quarter) & (quarter_values - 1));
}

/// What to exchange in a quarter to reach each value that differs in `distance` bits or fewer, at most two.
std::vector<std::uint32_t> make_probes(int distance) {
  std::vector<std::uint32_t> probes{0};
  for (int i = 0; i < quarter_bits && distance >= 1; ++i) {
    probes.push_back(1u << i);
    for (int k = 0; k < i && distance >= 2; ++k) probes.push_back(1u << i | 1u << k);
  }
  return probes;
}

/// Who has a value in a quarter: lists of numbers, ascending.
class HashIndex {
 public:
  explicit HashIndex(std::span<const Look> looks, std::span<const std::uint8_t> takes_part, int distance)
      : looks_(looks), distance_(distance), probes_(make_probes(distance / quarters)) {
    for (int quarter = 0; quarter < quarters; ++quarter) {
      Table& table = tables_[static_cast<std::size_t>(quarter)];
      table.begins.assign(quarter_values + 1, 0);
      for (std::size_t i = 0; i < looks.size(); ++i)
        if (takes_part[i]) ++table.begins[quarter_of(looks[i].hash, quarter) + 1];
      for (std::size_t i = 0; i < quarter_values; ++i) table.begins[i + 1] += table.begins[i];
      table.members.resize(table.begins.back());
      std::vector<std::uint32_t> places(table.begins.begin(), table.begins.end() - 1);
      for (std::size_t i = 0; i < looks.size(); ++i)
        if (takes_part[i])
          table.members[places[quarter_of(looks[i].hash, quarter)]++] = static_cast<std::uint32_t>(i);
    }
  }

  /// Calls visit(a) once for each a < before whose hash is at most `distance` bits away: these are spread
  /// over the quarters, so that one of them has a quarter of it or less.
  template <class Visit>
  void visit(std::uint64_t hash, std::int64_t before, const Visit& visit) const {
    for (int quarter = 0; quarter < quarters; ++quarter) {
      const Table& table = tables_[static_cast<std::size_t>(quarter)];
      for (const std::uint32_t probe : probes_) {
        const std::uint32_t value = quarter_of(hash, quarter) ^ probe;
        for (std::uint32_t at = table.begins[value]; at < table.begins[value + 1]; ++at) {
          const std::int64_t a = table.members[at];
          if (a >= before) break;
          const std::uint64_t differing = looks_[static_cast<std::size_t>(a)].hash ^ hash;
          if (std::popcount(differing) <= distance_ && !was_met_before(differing, quarter)) visit(a);
        }
      }
    }
  }

 private:
  struct Table {
    std::vector<std::uint32_t> begins, members;
  };
  bool was_met_before(std::uint64_t differing, int quarter) const {
    for (int earlier = 0; earlier < quarter; ++earlier)
      if (std::popcount(quarter_of(differing, earlier)) <= distance_ / quarters) return true;
    return false;
  }

  std::span<const Look> looks_;
  int distance_;
  std::vector<std::uint32_t> probes_;
  std::array<Table, quarters> tables_;
};

}  // namespace

UnionFind::UnionFind(std::int64_t n) : parent_(static_cast<std::size_t>(n)) {
  for (std::int64_t i = 0; i < n; ++i) parent_[static_cast<std::size_t>(i)] = i;
}

std::int64_t UnionFind::find(std::int64_t i) const {
  while (parent_[static_cast<std::size_t>(i)] != i) i = parent_[static_cast<std::size_t>(i)];
  return i;
}

bool UnionFind::join(std::int64_t a, std::int64_t b) {
  const std::int64_t root_a = find(a), root_b = find(b);
  const auto [low, high] = std::minmax(root_a, root_b);
  // Both ways are made short, so that find() stays fast without writing.
  for (std::int64_t start : {a, b})
    for (std::int64_t i = start; i != low;) {
      const std::int64_t up = parent_[static_cast<std::size_t>(i)];
      parent_[static_cast<std::size_t>(i)] = low;
      if (i == up) break;
      i = up;
    }
  return low != high;
}

std::vector<std::vector<std::int64_t>> UnionFind::groups() const {
  std::map<std::int64_t, std::vector<std::int64_t>> members;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(parent_.size()); ++i)
    if (const std::int64_t root = find(i); root != i) {
      auto& group = members[root];
      if (group.empty()) group.push_back(root);
      group.push_back(i);
    }
  std::vector<std::vector<std::int64_t>> out;
  for (auto& [root, group] : members) out.push_back(std::move(group));
  return out;
}

std::vector<NearPair> find_near(std::span<const Look> looks, std::span<const std::uint8_t> takes_part,
                                const NearRule& rule, int threads) {
  ensure(rule.hash_distance < quarters * (most_quarter_distance + 1), "the index finds what is this near");
  ensure(looks.size() < std::size_t{1} << 32, "the index numbers with 32 bits");
  const HashIndex index(looks, takes_part, rule.hash_distance);
  const auto n = static_cast<std::int64_t>(looks.size());
  UnionFind joined(n);
  std::vector<NearPair> tree;
  // In blocks: what is joined already need not be compared again, which keeps a set of a hundred thousand
  // frames of one scene from making all their pairs. The size is fixed, so that the pairs are.
  constexpr std::int64_t block = 64;
  std::vector<std::vector<NearPair>> found(block);
  for (std::int64_t begin = 0; begin < n; begin += block) {
    parallel_for(std::min(block, n - begin), threads, [&](std::int64_t i) {
      const std::int64_t b = begin + i;
      const Look& look = looks[static_cast<std::size_t>(b)];
      auto& its_pairs = found[static_cast<std::size_t>(i)];
      its_pairs.clear();
      if (!takes_part[static_cast<std::size_t>(b)]) return;
      std::vector<std::int64_t> met;  // sets that it belongs to
      for (Symmetry symmetry = 0; symmetry < symmetries; ++symmetry)
        index.visit(turned(look.hash, symmetry), b, [&](std::int64_t a) {
          const std::int64_t set = joined.find(a);
          if (std::find(met.begin(), met.end(), set) != met.end()) return;
          const Likeness alike = likeness(look, looks[static_cast<std::size_t>(a)], symmetry, rule.whole);
          if (!rule.holds(alike)) return;
          met.push_back(set);
          its_pairs.push_back({a, b, symmetry, alike});
        });
    });
    for (std::int64_t i = 0; i < std::min(block, n - begin); ++i) {
      auto& its_pairs = found[static_cast<std::size_t>(i)];
      std::sort(its_pairs.begin(), its_pairs.end(),
                [](const NearPair& x, const NearPair& y) { return x.a < y.a; });
      for (const NearPair& pair : its_pairs)
        if (joined.join(pair.a, pair.b)) tree.push_back(pair);
    }
  }
  return tree;
}

std::vector<NearPair> find_near_slowly(std::span<const Look> looks, std::span<const std::uint8_t> takes_part,
                                       const NearRule& rule) {
  std::vector<NearPair> tree;
  UnionFind joined(static_cast<std::int64_t>(looks.size()));
  for (std::size_t b = 0; b < looks.size(); ++b)
    for (std::size_t a = 0; a < b; ++a)
      for (Symmetry symmetry = 0; symmetry < symmetries; ++symmetry) {
        if (!takes_part[a] || !takes_part[b]) continue;
        if (std::popcount(looks[a].hash ^ turned(looks[b].hash, symmetry)) > rule.hash_distance) continue;
        const Likeness alike = likeness(looks[b], looks[a], symmetry);
        if (rule.holds(alike) && joined.join(static_cast<std::int64_t>(a), static_cast<std::int64_t>(b)))
          tree.push_back({static_cast<std::int64_t>(a), static_cast<std::int64_t>(b), symmetry, alike});
      }
  return tree;
}

}  // namespace enxerto
