/// A network's features of pictures as a map on paper, and what such a map leaves out.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "enxerto/explain/nearest.h"

namespace enxerto {

/// Rows of features as points of a plane.
struct Embedding {
  Tensor plane;                                    ///< {n,2}
  std::array<double, 2> explained{};               ///< of the variance, what lies along each axis: 0 to 1
  std::vector<std::vector<Neighbour>> neighbours;  ///< of each row the nearest others, by all of the features
  double kept = 0;                                 ///< neighbours_kept() of them in the plane
};

/// The neighbours of a row that count, where there are as many others.
inline constexpr int map_neighbours = 15;

/// The first two principal components of the rows {n,c} brought to length 1, so that distances in the plane
/// and those of nearest_others() are of one kind: for such rows |a - b|^2 is twice their cosine distance.
/// Rows of zeros stay so. Throws Error{usage} where there are fewer than three rows, all are the same, or a
/// feature is not finite.
Embedding embed(ConstView rows);

/// How faithful a map is: of the nearest others of each row, the share that is also among as many nearest in
/// the plane {n,2}. What has nothing to do with the features keeps k / (n - 1). It is what trustworthiness
/// and continuity look at from both sides (Venna & Kaski 2001, "Neighborhood preservation in nonlinear
/// projection methods"), as one number: Q_NX(k) of Lee & Verleysen 2009, "Quality assessment of
/// dimensionality reduction".
double neighbours_kept(std::span<const std::vector<Neighbour>> neighbours, const Tensor& plane);

}  // namespace enxerto
