/// Image: the pixels of one picture, as a plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace enxerto {

/// 8-bit pixels, rows from top to bottom, channels innermost (height, width, channels in memory).
struct Image {
  int height = 0, width = 0;
  int channels = 0;  ///< 1: grey, 3: RGB
  std::vector<std::uint8_t> pixels;

  Image() = default;
  Image(int rows, int columns, int channel_count)  ///< black
      : height(rows),
        width(columns),
        channels(channel_count),
        pixels(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns) *
               static_cast<std::size_t>(channel_count)) {}

  std::size_t row_bytes() const {
    return static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  }
  std::uint8_t* row(int y) { return pixels.data() + static_cast<std::size_t>(y) * row_bytes(); }
  const std::uint8_t* row(int y) const { return pixels.data() + static_cast<std::size_t>(y) * row_bytes(); }
  friend bool operator==(const Image&, const Image&) = default;
};

/// Whole pixels of a picture: columns [left, left + width), rows [top, top + height).
struct Area {
  int left = 0, top = 0, width = 0, height = 0;
  friend bool operator==(const Area&, const Area&) = default;
};

/// The picture with 1 or 3 channels. Grey becomes three equal channels; colour becomes the luma of
/// ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, rounded.
Image with_channels(Image image, int channels);

}  // namespace enxerto
