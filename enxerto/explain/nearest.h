/// Who is nearest to whom by a network's features.
///
/// The distance is 1 - the cosine of the angle between two rows (heads/knn.h). A linear head answers by a
/// row's direction: a row twice as long has logits twice as large (but for the biases) and mostly the same
/// class. How long a row is says how much there is of everything in the picture, such as contrast.
#pragma once

#include <vector>

#include "enxerto/heads/knn.h"

namespace enxerto {

/// Rows {n,c} ready to be asked for the k nearest of other rows (Knn::neighbours()); all of them where there
/// are fewer. At least one row and a k of 1. Neither labels nor votes are in it.
Knn by_distance(Tensor rows, int k, DistanceKind metric = DistanceKind::cosine);

/// Of each row its k nearest others, nearest first, of equal distances the earlier first; all others where
/// there are fewer. Takes n * n * c products.
std::vector<std::vector<Neighbour>> nearest_others(Tensor rows, int k,
                                                   DistanceKind metric = DistanceKind::cosine);

}  // namespace enxerto
