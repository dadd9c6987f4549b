#include "enxerto/explain/nearest.h"

#include <algorithm>
#include <utility>

#include "enxerto/core/error.h"

namespace enxerto {

Knn by_distance(Tensor rows, int k, DistanceKind metric) {
  ensure(rows.shape().n > 0 && k > 0, "there is a row, and a neighbour is wanted");
  Knn made;
  made.k = static_cast<int>(std::min<std::int64_t>(k, rows.shape().n));
  made.x = std::move(rows);
  made.metric = metric;
  return made;
}

std::vector<std::vector<Neighbour>> nearest_others(Tensor rows, int k, DistanceKind metric) {
  const Knn knn = by_distance(std::move(rows), k + 1, metric);
  std::vector<std::vector<Neighbour>> found = knn.neighbours(knn.x.view());
  for (std::size_t i = 0; i < found.size(); ++i) {
    // Among many equal rows, a row need not be among its own nearest.
    if (std::erase_if(found[i], [&](const Neighbour& each) { return std::cmp_equal(each.row, i); }) == 0)
      found[i].pop_back();
  }
  return found;
}

}  // namespace enxerto
