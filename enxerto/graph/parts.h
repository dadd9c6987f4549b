/// How an inference program works through a large batch: in parts, so that its maps take less memory and stay
/// in the caches.
#pragma once

#include <vector>

#include "enxerto/graph/graph.h"

namespace enxerto {

/// A run of all nodes up to one, once for each part of the pictures that the next level works on at a time.
struct PartLevel {
  NodeId last{};
  int size = 1;   ///< pictures of one part
  int count = 1;  ///< parts

  /// The first picture of a part, of `total` ones. The last part begins early where that is no multiple of
  /// the size: its first pictures are computed twice, to the same bits.
  int begin(int part, int total) const { return part + 1 < count ? part * size : total - size; }
};

/// From the inside: the first level runs in each part of the second. What follows the last one runs for the
/// whole batch at once; so does all of it where there is none.
///
/// Parts are of as many pictures as keep what one node reads and writes within some 12 MiB, which a last
/// cache holds. Where a program has wide 3x3 convolutions, of four for each thread at least, for with fewer
/// those are slower (Winograd reads four times as many weights for each part). Where it has none, of two for
/// each thread at least, and all up to the last node that reads and writes more than 1 MiB for a picture runs
/// picture by picture for each thread. Behind the last map come lists; the layers on those keep the whole
/// batch, since large linear layers read all their weights for each part.
std::vector<PartLevel> part_levels(const Graph& program, int batch, int threads);

}  // namespace enxerto
