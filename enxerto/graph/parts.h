/// How an inference program works through a large batch: in parts, so that its maps take less memory.
#pragma once

#include "enxerto/graph/graph.h"

namespace enxerto {

struct Parts {
  NodeId last{};  ///< runs part by part, as all before it; what follows runs for the whole batch at once
  int size = 1;   ///< pictures of one part
  int count = 1;  ///< 1: the whole batch is one, and there is no last

  /// The first picture of a part. The last part begins early where the batch is no multiple of the size: its
  /// first pictures are computed twice, to the same bits.
  int begin(int part, int batch) const { return part + 1 < count ? part * size : batch - size; }
};

/// Parts of as many pictures as keep what one node reads and writes within some 12 MiB, which a last cache
/// holds, but at least four for each thread where there are wide 3x3 convolutions, else two: with fewer,
/// kernels are slower. Behind the last map come lists; the layers on those keep the whole batch, since large
/// linear layers read all their weights for each part.
Parts divided(const Graph& program, int batch, int threads);

}  // namespace enxerto
