#include "examples/surface.h"

#include <array>

#include "enxerto/core/text.h"

namespace enxerto::lab {

std::vector<std::vector<Place>> walk(const Surface& surface, const OptimizerConfig& optimizer, double lr,
                                     std::span<const Place> starts, int steps) {
  // An optimizer takes each weight for itself: all ways at once are two weights for each.
  std::vector<float> weights, gradient(2 * starts.size());
  for (const Place& start : starts)
    for (const double weight : {start.x, start.y}) weights.push_back(static_cast<float>(weight));
  const std::array<Update, 1> updates{Update{.name = "weights", .value = weights, .grad = gradient}};
  const auto made = make_optimizer(optimizer, updates);
  std::vector<std::vector<Place>> ways(starts.size());
  for (int step = 0; step <= steps; ++step) {
    if (step > 0) made->step(updates, lr);
    for (std::size_t i = 0; i < starts.size(); ++i) {
      const Place at{weights[2 * i], weights[2 * i + 1]}, slope = surface.gradient(at);
      ways[i].push_back(at);
      gradient[2 * i] = static_cast<float>(slope.x);
      gradient[2 * i + 1] = static_cast<float>(slope.y);
    }
  }
  return ways;
}

std::vector<Place> walk(const Surface& surface, const OptimizerConfig& optimizer, double lr, Place start,
                        int steps) {
  return walk(surface, optimizer, lr, std::span<const Place>(&start, 1), steps).front();
}

Series series_of(const Text& name, const std::vector<Place>& places, bool points) {
  Series series{.name = name, .x = {}, .y = {}, .points = points};
  for (const Place& place : places) {
    series.x.push_back(place.x);
    series.y.push_back(place.y);
  }
  return series;
}

void add_contours(Plot& plot, const Surface& surface, Place lower_left, Place upper_right,
                  const std::vector<double>& heights) {
  constexpr int cells = 40;
  std::string grid = "$surface << end\n";
  for (int row = 0; row <= cells; ++row) {
    for (int column = 0; column <= cells; ++column) {
      const Place at{lower_left.x + (upper_right.x - lower_left.x) * column / cells,
                     lower_left.y + (upper_right.y - lower_left.y) * row / cells};
      grid += text(at.x, ' ', at.y, ' ', surface.value(at), '\n');
    }
    grid += '\n';
  }
  std::vector<std::string> levels;
  for (const double height : heights) levels.push_back(text(height));
  plot.commands +=
      text("set xrange [", lower_left.x, ":", upper_right.x, "]\nset yrange [", lower_left.y, ":",
           upper_right.y, "]\n", grid, "end\nset contour base\nset cntrparam levels discrete ",
           join(levels, ","), "\nunset surface\nset table $contours\nsplot $surface\nunset table\n");
  plot.beneath = "$contours with lines lc rgb '#bbbbbb' notitle";
}

}  // namespace enxerto::lab
