#include "enxerto/explain/embedding.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/heads/pca.h"

namespace enxerto {
namespace {

Tensor of_length_one(ConstView rows) {
  Tensor made(rows.shape);
  const auto columns = static_cast<std::size_t>(rows.shape.c);
  for (std::size_t begin = 0; begin < rows.data.size(); begin += columns) {
    const auto row = rows.data.subspan(begin, columns);
    double squares = 0;
    for (const float each : row) squares += static_cast<double>(each) * static_cast<double>(each);
    const double factor = squares > 0 ? 1 / std::sqrt(squares) : 0;
    std::ranges::transform(row, made.data().begin() + static_cast<std::ptrdiff_t>(begin), [&](float each) {
      return static_cast<float>(static_cast<double>(each) * factor);
    });
  }
  return made;
}

}  // namespace

Embedding embed(ConstView rows) {
  if (rows.shape.n < 3)
    throw Error(ErrorKind::usage,
                text("a map takes three pictures or more, not ", rows.shape.n, ": give more of them"));
  check_features(rows);
  Tensor units = of_length_one(rows);
  const Pca pca = fit_pca(units.view(), {.components = 2});
  Embedding made;
  made.plane = Tensor({.n = rows.shape.n, .c = 2});
  const Tensor along = pca.project(units.view());
  const auto axes = static_cast<std::size_t>(pca.size());  // one where all rows lie on a line
  for (std::size_t axis = 0; axis < axes; ++axis) {
    made.explained[axis] = pca.variance[axis] / pca.total_variance;
    for (std::size_t i = 0; i < static_cast<std::size_t>(rows.shape.n); ++i)
      made.plane.data()[2 * i + axis] = along.data()[axes * i + axis];
  }
  made.neighbours = nearest_others(std::move(units), map_neighbours);
  made.kept = neighbours_kept(made.neighbours, made.plane);
  return made;
}

double neighbours_kept(std::span<const std::vector<Neighbour>> neighbours, const Tensor& plane) {
  ensure(std::cmp_equal(neighbours.size(), plane.shape().n) && !neighbours.empty(), "each row has its place");
  const auto k = neighbours.front().size();
  const auto on_map = nearest_others(plane.clone(), static_cast<int>(k), DistanceKind::euclidean);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < neighbours.size(); ++i)
    kept += static_cast<std::size_t>(std::ranges::count_if(neighbours[i], [&](const Neighbour& each) {
      return std::ranges::find(on_map[i], each.row, &Neighbour::row) != on_map[i].end();
    }));
  return static_cast<double>(kept) / static_cast<double>(k * neighbours.size());
}

}  // namespace enxerto
