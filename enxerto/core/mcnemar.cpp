#include "enxerto/core/mcnemar.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace enxerto {

double mcnemar(std::int64_t only_a, std::int64_t only_b) {
  const std::int64_t n = only_a + only_b, fewer = std::min(only_a, only_b);
  if (n == 0 || only_a == only_b) return 1;
  const auto count = static_cast<double>(n);
  double tail = 0;
  for (std::int64_t k = 0; k <= fewer; ++k) {
    const auto each = static_cast<double>(k);
    tail += std::exp(std::lgamma(count + 1) - std::lgamma(each + 1) - std::lgamma(count - each + 1) -
                     count * std::log(2.0));
  }
  return std::min(1.0, 2 * tail);
}

std::vector<double> adjusted_by_holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p[i]; });
  std::vector<double> made(p.size());
  double least = 0;
  for (std::size_t place = 0; place < order.size(); ++place) {
    least = std::max(least, std::min(1.0, p[order[place]] * static_cast<double>(order.size() - place)));
    made[order[place]] = least;
  }
  return made;
}

}  // namespace enxerto
