/// Feature visualisation: the picture that excites a channel most.
/// Erhan et al. 2009; Olah, Mordvintsev & Schubert 2017, "Feature visualization" (distill.pub).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "enxerto/data/preprocess.h"
#include "enxerto/graph/graph.h"
#include "enxerto/image/image.h"

namespace enxerto {

struct VisualizeConfig {
  int size = 128;   ///< sides of the pictures, where the layers take another than their own; at least 16
  int steps = 256;  ///< of Adam, at least 1
  double lr = 0.05;
  std::uint64_t seed = 0;
  /// How far from one glance to the next: pixels, degrees, and the share by which it zooms in or out.
  double jitter_px = 8, turn_degrees = 5, zoom = 0.1;
  std::function<void(int done, int all)> on_progress = {};  ///< steps, on the calling thread
};

/// For each of these channels of the layer a picture that it answers to: the mean of its map, what is below 0
/// taken for a tenth, climbs step by step, by Adam on the waves of a picture (painting.h) that starts as a
/// faint cloud and is looked at from a little elsewhere each time. Where the layer is an activation, what
/// goes into it climbs, which has a slope everywhere. `graph` as as_evaluated() makes it; `preprocess` says
/// how pixels become its input. Where all up to the layer works at any size, it is run at config.size, else
/// at its own. The same seed and number of threads give the same pixels. Error{usage} where the configuration
/// makes no sense, the layer is the input or has no such channel, {not_found} where it is missing, {diverged}
/// where its answers are not finite.
std::vector<Image> visualize(const Graph& graph, std::string_view layer, std::span<const int> channels,
                             const Preprocess& preprocess, const VisualizeConfig& config = {});

}  // namespace enxerto
