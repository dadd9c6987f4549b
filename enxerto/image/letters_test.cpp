#include "enxerto/image/letters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace enxerto {
namespace {

constexpr std::array<std::uint8_t, 3> white = {255, 255, 255};

std::vector<std::uint8_t> pixels_of(std::string_view text) {
  Image image(letter_height, 5 * letter_width, 1);
  draw_text(image, 0, 0, text, white);
  return image.pixels;
}

TEST(Letters, AreDrawnDotByDot) {
  Image image(10, 6, 1);
  draw_text(image, 0, 0, "T", white);
  Image wanted(10, 6, 1);
  for (int x = 0; x < 5; ++x) wanted.row(0)[x] = 255;
  for (int y = 0; y < 7; ++y) wanted.row(y)[2] = 255;
  EXPECT_EQ(image, wanted);
  Image large(20, 12, 1);
  draw_text(large, 0, 0, "T", white, 2);
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 12; ++x) EXPECT_EQ(large.row(y)[x], wanted.row(y / 2)[x / 2]);
}

TEST(Letters, AreAllDifferentAndOthersAreQuestionMarks) {
  std::set<std::vector<std::uint8_t>> seen;
  for (char c = ' '; c <= '~'; ++c) EXPECT_TRUE(seen.insert(pixels_of({&c, 1})).second) << c;
  EXPECT_EQ(pixels_of("\xC3\xA9x"), pixels_of("?x"));
  EXPECT_EQ(pixels_of("\n\xFF"), pixels_of("??"));
  EXPECT_EQ(text_width("\xC3\xA9x", 3), 2 * letter_width * 3);
}

TEST(Letters, LeaveOutWhatLiesBeyondThePicture) {
  Image image(4, 4, 3);
  for (const int place : {-100, -3, 2, 100}) draw_text(image, place, place, "Wg", white, 3);
  EXPECT_EQ(image.pixels.size(), 48u);
}

TEST(Letters, LongTextsLoseTheirEnd) {
  EXPECT_EQ(shortened("abcdef", 6 * letter_width), "abcdef");
  EXPECT_EQ(shortened("abcdef", 5 * letter_width), "abc..");
  EXPECT_EQ(shortened("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 3 * letter_width), "\xC3\xA9..");
  EXPECT_EQ(shortened("abcdef", 0), "..");
}

}  // namespace
}  // namespace enxerto
