/// Occlusion: what an answer loses when a part of the picture is covered.
/// Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2.
#pragma once

#include "enxerto/explain/heatmap.h"
#include "enxerto/graph/graph.h"
#include "enxerto/tensor/tensor.h"

namespace enxerto {

struct OcclusionConfig {
  int patch =
      0;  ///< sides of what covers, in pixels of the network's input; 0: a seventh of the shorter side
  int stride = 0;            ///< pixels from one place of it to the next; 0: half of it
  int batch = 16;            ///< covered pictures that are looked at together
  bool multi_label = false;  ///< probabilities are sigmoids, each class a question of its own
};

/// With the zeros of the configuration filled in. Throws Error{usage} where it does not fit a picture of
/// these sides: the patch is to lie in it, the stride be no longer than the patch.
OcclusionConfig filled_in(OcclusionConfig config, const Shape& image);

/// For each square of `stride` pixels by how much the probability of output number `output` falls when it is
/// covered, which is below 0 where it rises: the mean over all places of the patch at which it covers the
/// square's middle. The patch has the picture's mean colour. `graph` as as_evaluated() makes it, image {1, c,
/// h, w}. Runs the network once for each place.
Heatmap occlusion_map(const Graph& graph, ConstView image, int output, const OcclusionConfig& config = {});

}  // namespace enxerto
