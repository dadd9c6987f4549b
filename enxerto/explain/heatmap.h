/// Heatmap: how much each place of a picture has to do with something.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "enxerto/image/image.h"

namespace enxerto {

/// Row by row from the top. It covers the whole picture, whatever the sides of that are.
struct Heatmap {
  int height = 0, width = 0;
  std::vector<float> values;

  float at(int y, int x) const {
    return values[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                  static_cast<std::size_t>(x)];
  }
  friend bool operator==(const Heatmap&, const Heatmap&) = default;
};

/// Bilinear, with values in the middle of their places (align_corners=False of PyTorch): what a picture of
/// these sides is laid over with.
Heatmap resized(const Heatmap& map, int height, int width);

/// 0 as black by way of purple and orange to 1 as pale yellow, ever lighter.
std::array<std::uint8_t, 3> heat_colour(float value);

/// The map alone, as colours: `low` is black, `high` pale yellow. One pixel a place.
Image heat_picture(const Heatmap& map, float low, float high);

/// The picture in grey beneath the map's colours, the stronger the higher: nothing where it is 0 or below,
/// most at the map's maximum. RGB.
Image heat_overlay(const Image& picture, const Heatmap& map);

}  // namespace enxerto
