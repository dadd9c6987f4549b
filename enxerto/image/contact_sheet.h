/// Many small pictures on one.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "enxerto/image/image.h"

namespace enxerto {

/// How many pictures there are in a row, so that the sheet of `count` pictures is about as wide as high.
int sheet_columns(std::size_t count, int width, int height);

/// The pictures, all of one shape, row by row, with `gap` pixels of `background` around each. At least one.
Image contact_sheet(std::span<const Image> pictures, int columns, int gap = 2, std::uint8_t background = 255);

struct Labelled {
  Image picture;
  std::string label;
};

/// The same with each one's label beneath it, in letters whose dots are `scale` pixels wide; a label that is
/// wider than the pictures loses its end. RGB.
Image labelled_sheet(std::span<const Labelled> pictures, int columns, int scale = 1);

}  // namespace enxerto
