/// Many small pictures on one.
#pragma once

#include <cstdint>
#include <span>

#include "enxerto/image/image.h"

namespace enxerto {

/// How many pictures there are in a row, so that the sheet of `count` pictures is about as wide as high.
int sheet_columns(std::size_t count, int width, int height);

/// The pictures, all of one shape, row by row, with `gap` pixels of `background` around each. At least one.
Image contact_sheet(std::span<const Image> pictures, int columns, int gap = 2, std::uint8_t background = 255);

}  // namespace enxerto
