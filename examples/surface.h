/// Loss surfaces over two weights, and the library's optimizers on their way down.
#pragma once

#include <span>
#include <vector>

#include "enxerto/train/optimizer.h"
#include "examples/lab.h"

namespace enxerto::lab {

struct Place {
  double x = 0, y = 0;
};

struct Surface {
  double (*value)(Place at);
  Place (*gradient)(Place at);
};

/// Where an optimizer is after 0, 1, ..., `steps` steps from each of these starts. The weights are floats, as
/// those of a network.
std::vector<std::vector<Place>> walk(const Surface& surface, const OptimizerConfig& optimizer, double lr,
                                     std::span<const Place> starts, int steps);
std::vector<Place> walk(const Surface& surface, const OptimizerConfig& optimizer, double lr, Place start,
                        int steps);

/// The places as a line, or as points, of a plot.
Series series_of(const Text& name, const std::vector<Place>& places, bool points = false);

/// Ranges of a plot, and beneath its series lines of equal loss at these heights.
void add_contours(Plot& plot, const Surface& surface, Place lower_left, Place upper_right,
                  const std::vector<double>& heights);

}  // namespace enxerto::lab
