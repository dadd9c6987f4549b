#include "enxerto/heads/bins.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "enxerto/heads/parallel.h"

namespace enxerto {
namespace {

/// Columns that are taken from the rows at a time: a cache line.
constexpr std::int64_t strip = 16;
/// Rows that a column's edges are found from, evenly spread where there are more.
constexpr std::int64_t most_sampled = 4096;

/// Bin i holds the values in (edges[i - 1], edges[i]]; beyond the last edge comes infinity.
using Edges = std::array<float, most_bins>;

/// How many edges there are.
int find_edges(std::vector<float>& sorted, Edges& edges) {
  std::ranges::sort(sorted);
  const auto different = 1 + std::ranges::count_if(sorted, [before = sorted.front()](float each) mutable {
                           const bool is_new = each != before;
                           before = each;
                           return is_new;
                         });
  edges.fill(std::numeric_limits<float>::infinity());
  const bool each_its_own = different <= most_bins;
  int found = 0;
  std::size_t begin = 0;  // of the bin that is being filled
  for (std::size_t i = 0; i + 1 < sorted.size() && found < most_bins - 1; ++i) {
    if (sorted[i] == sorted[i + 1]) continue;
    const std::size_t share = (sorted.size() - begin) / static_cast<std::size_t>(most_bins - found);
    if (!each_its_own && i + 1 - begin < share) continue;
    edges[static_cast<std::size_t>(found++)] = sorted[i];
    begin = i + 1;
  }
  return found;
}

/// How many of the edges are below the value: without a branch, since a branch would be wrong every other
/// time.
std::uint8_t bin_of(const Edges& edges, int steps, float value) {
  std::size_t at = 0;
  for (int step = steps; step > 0; step /= 2)
    at += edges[at + static_cast<std::size_t>(step) - 1] < value ? static_cast<std::size_t>(step) : 0;
  return static_cast<std::uint8_t>(at);
}

}  // namespace

Bins::Bins(ConstView x) : n_(x.shape.n), bins_(static_cast<std::size_t>(x.shape.n * x.shape.c)) {
  const std::int64_t c = x.shape.c;
  parallel_for((c + strip - 1) / strip, [&](std::int64_t which) {
    const std::int64_t begin = which * strip, width = std::min(strip, c - begin);
    std::vector<float> values(static_cast<std::size_t>(n_ * width)), sorted;
    for (std::int64_t i = 0; i < n_; ++i)
      for (std::int64_t j = 0; j < width; ++j)
        values[static_cast<std::size_t>(j * n_ + i)] = x.data[static_cast<std::size_t>(i * c + begin + j)];
    for (std::int64_t j = 0; j < width; ++j) {
      const float* const column = values.data() + j * n_;
      sorted.clear();
      const std::int64_t sampled = std::min(n_, most_sampled);
      for (std::int64_t i = 0; i < sampled; ++i) sorted.push_back(column[i * n_ / sampled]);
      Edges edges;
      const int found = find_edges(sorted, edges);
      // The largest power of two that is at most `found`: with it the steps reach every bin, and no edge that
      // is not there.
      const int steps = static_cast<int>(std::bit_floor(static_cast<unsigned>(found)));
      std::uint8_t* const to = bins_.data() + (begin + j) * n_;
      for (std::int64_t i = 0; i < n_; ++i) to[i] = bin_of(edges, steps, column[i]);
    }
  });
}

}  // namespace enxerto
