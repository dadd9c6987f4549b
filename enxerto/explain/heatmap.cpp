#include "enxerto/explain/heatmap.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

/// Where the middle of a new place lies between two old ones.
struct Between {
  int low, high;
  float share;  ///< of the high one
};

Between between(int place, int places, int old_places) {
  const double middle = (place + 0.5) * old_places / places - 0.5;
  const double at = std::clamp(middle, 0.0, old_places - 1.0);
  const int low = static_cast<int>(at);
  return {low, std::min(low + 1, old_places - 1), static_cast<float>(at - low)};
}

}  // namespace

Heatmap resized(const Heatmap& map, int height, int width) {
  ensure(!map.values.empty() && height > 0 && width > 0, "a map has places");
  Heatmap made{.height = height, .width = width, .values = {}};
  made.values.reserve(static_cast<std::size_t>(height) * static_cast<std::size_t>(width));
  for (int y = 0; y < height; ++y) {
    const Between row = between(y, height, map.height);
    for (int x = 0; x < width; ++x) {
      const Between column = between(x, width, map.width);
      const auto along = [&](int from) {
        const float low = map.at(from, column.low), high = map.at(from, column.high);
        return low + column.share * (high - low);
      };
      const float above = along(row.low), below = along(row.high);
      made.values.push_back(above + row.share * (below - above));
    }
  }
  return made;
}

std::array<std::uint8_t, 3> heat_colour(float value) {
  constexpr std::array<std::array<float, 3>, 6> stops = {
      {{0, 0, 0}, {65, 15, 110}, {150, 40, 100}, {225, 85, 45}, {250, 165, 20}, {252, 255, 165}}};
  constexpr float pieces = stops.size() - 1;
  const float at = std::clamp(std::isnan(value) ? 0.0f : value, 0.0f, 1.0f) * pieces;
  const auto low = std::min(static_cast<std::size_t>(at), stops.size() - 2);
  std::array<std::uint8_t, 3> colour;
  for (std::size_t c = 0; c < 3; ++c)
    colour[c] = static_cast<std::uint8_t>(
        std::lround(std::lerp(stops[low][c], stops[low + 1][c], at - static_cast<float>(low))));
  return colour;
}

Image heat_picture(const Heatmap& map, float low, float high) {
  Image made(map.height, map.width, 3);
  for (std::size_t i = 0; i < map.values.size(); ++i)
    std::ranges::copy(heat_colour(high > low ? (map.values[i] - low) / (high - low) : 0.0f),
                      made.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i));
  return made;
}

Image heat_overlay(const Image& picture, const Heatmap& map) {
  constexpr float strongest = 0.75f;
  const Image grey = with_channels(with_channels(picture, 1), 3);
  const Heatmap fitted = resized(map, picture.height, picture.width);
  const float most = *std::ranges::max_element(map.values);
  Image made = grey;
  if (!(most > 0)) return made;
  for (std::size_t i = 0; i < fitted.values.size(); ++i) {
    const float heat = std::clamp(fitted.values[i] / most, 0.0f, 1.0f), share = strongest * std::sqrt(heat);
    const std::array<std::uint8_t, 3> colour = heat_colour(heat);
    for (std::size_t c = 0; c < 3; ++c) {
      std::uint8_t& pixel = made.pixels[3 * i + c];
      pixel = static_cast<std::uint8_t>(
          std::lround(std::lerp(static_cast<float>(pixel), static_cast<float>(colour[c]), share)));
    }
  }
  return made;
}

}  // namespace enxerto
