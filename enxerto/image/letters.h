/// Small letters on pictures: labels of sheets.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "enxerto/image/image.h"

namespace enxerto {

/// Pixels from one letter to the next and from one line to the next, at scale 1.
inline constexpr int letter_width = 6, letter_height = 10;

/// The line of text, its upper left corner at (left, top), every dot `scale` pixels wide and high; what lies
/// beyond the picture is left out. ASCII has letters; every other character of UTF-8 is a question mark.
void draw_text(Image& image, int left, int top, std::string_view text, std::array<std::uint8_t, 3> colour,
               int scale = 1);

/// Pixels that the line takes from left to right.
int text_width(std::string_view text, int scale = 1);

/// The text, its end exchanged for ".." where it takes more than `width` pixels.
std::string shortened(std::string_view text, int width, int scale = 1);

}  // namespace enxerto
