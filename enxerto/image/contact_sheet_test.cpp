#include "enxerto/image/contact_sheet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "enxerto/image/letters.h"
#include "enxerto/image/resize.h"

namespace enxerto {
namespace {

Image plain(int height, int width, std::uint8_t value) {
  Image image(height, width, 3);
  std::fill(image.pixels.begin(), image.pixels.end(), value);
  return image;
}

TEST(ContactSheet, HoldsEachPictureWithAGapAround) {
  const std::array pictures = {plain(2, 3, 10), plain(2, 3, 20), plain(2, 3, 30)};
  const Image sheet = contact_sheet(pictures, 2, 1, 99);
  EXPECT_EQ(sheet.width, 2 * 4 + 1);
  EXPECT_EQ(sheet.height, 2 * 3 + 1);
  EXPECT_EQ(crop(sheet, 1, 1, 3, 2), pictures[0]);
  EXPECT_EQ(crop(sheet, 5, 1, 3, 2), pictures[1]);
  EXPECT_EQ(crop(sheet, 1, 4, 3, 2), pictures[2]);
  EXPECT_EQ(std::count(sheet.pixels.begin(), sheet.pixels.end(), 99), (9 * 7 - 3 * 6) * 3);
}

TEST(ContactSheet, HasLabelsBeneath) {
  const std::array tiles = {Labelled{plain(8, 12, 10), "a"}, Labelled{plain(8, 12, 20), "too long"}};
  const Image sheet = labelled_sheet(tiles, 2);
  EXPECT_EQ(crop(sheet, 4, 4, 12, 8), tiles[0].picture);
  EXPECT_EQ(crop(sheet, 20, 4, 12, 8), tiles[1].picture);
  Image label(letter_height, 12, 3);
  std::fill(label.pixels.begin(), label.pixels.end(), std::uint8_t{255});
  draw_text(label, 0, 0, "a", {40, 40, 40});
  EXPECT_EQ(crop(sheet, 4, 4 + 8 + 2, 12, letter_height), label);
}

TEST(ContactSheet, IsAboutAsWideAsHigh) {
  EXPECT_EQ(sheet_columns(32, 96, 96), 6);
  EXPECT_EQ(sheet_columns(16, 96, 96), 4);
  EXPECT_EQ(sheet_columns(16, 10, 1000), 16);
  EXPECT_EQ(sheet_columns(16, 1000, 10), 1);
  EXPECT_EQ(sheet_columns(1, 96, 96), 1);
}

}  // namespace
}  // namespace enxerto
