#include "enxerto/image/contact_sheet.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/image/letters.h"

namespace enxerto {

int sheet_columns(std::size_t count, int width, int height) {
  const double columns = std::sqrt(static_cast<double>(count) * height / width);
  return std::clamp(static_cast<int>(std::ceil(columns)), 1, std::max(1, static_cast<int>(count)));
}

Image contact_sheet(std::span<const Image> pictures, int columns, int gap, std::uint8_t background) {
  ensure(!pictures.empty() && columns > 0 && gap >= 0, "a sheet has pictures, in columns");
  const Image& first = pictures.front();
  const int rows = (static_cast<int>(pictures.size()) + columns - 1) / columns;
  Image sheet(rows * (first.height + gap) + gap, columns * (first.width + gap) + gap, first.channels);
  std::fill(sheet.pixels.begin(), sheet.pixels.end(), background);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const Image& picture = pictures[i];
    ensure(
        picture.width == first.width && picture.height == first.height && picture.channels == first.channels,
        "the pictures of a sheet have one shape");
    const int top = gap + static_cast<int>(i) / columns * (first.height + gap);
    const int left = gap + static_cast<int>(i) % columns * (first.width + gap);
    for (int y = 0; y < picture.height; ++y)
      std::copy_n(picture.row(y), picture.row_bytes(),
                  sheet.row(top + y) + static_cast<std::ptrdiff_t>(left) * sheet.channels);
  }
  return sheet;
}

Image labelled_sheet(std::span<const Labelled> pictures, int columns, int scale) {
  constexpr std::array<std::uint8_t, 3> ink = {40, 40, 40};
  constexpr int gap = 4;
  std::vector<Image> tiles;
  for (const Labelled& each : pictures) {
    const Image picture = with_channels(each.picture, 3);
    Image tile(picture.height + gap / 2 + letter_height * scale, picture.width, 3);
    std::fill(tile.pixels.begin(), tile.pixels.end(), std::uint8_t{255});
    std::ranges::copy(picture.pixels, tile.pixels.begin());
    draw_text(tile, 0, picture.height + gap / 2, shortened(each.label, tile.width, scale), ink, scale);
    tiles.push_back(std::move(tile));
  }
  return contact_sheet(tiles, columns, gap);
}

}  // namespace enxerto
