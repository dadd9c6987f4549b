#include "enxerto/image/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "enxerto/core/random.h"

namespace enxerto {
namespace {

Image noise(int height, int width, int channels, std::uint64_t seed) {
  Image image(height, width, channels);
  Rng rng(seed);
  for (auto& pixel : image.pixels) pixel = static_cast<std::uint8_t>(rng.bits());
  return image;
}

/// The slow, obvious twin: for each output pixel the triangle over the whole line, in double. Rounds to 8
/// bits between the passes as the fast one does.
std::vector<double> resize_line(const std::vector<double>& line, double from, double to, int out_size) {
  const double scale = (to - from) / out_size, reach = std::max(scale, 1.0);
  std::vector<double> out;
  for (int i = 0; i < out_size; ++i) {
    const double centre = from + (i + 0.5) * scale;
    double sum = 0, weights = 0;
    for (std::size_t k = 0; k < line.size(); ++k) {
      const double weight = std::max(0.0, 1 - std::abs(static_cast<double>(k) + 0.5 - centre) / reach);
      sum += weight * line[k];
      weights += weight;
    }
    out.push_back(std::floor(sum / weights + 0.5));
  }
  return out;
}

Image slow_resize(const Image& image, const Box& part, int width, int height) {
  Image wide(image.height, width, image.channels), out(height, width, image.channels);
  for (int c = 0; c < image.channels; ++c) {
    for (int y = 0; y < image.height; ++y) {
      std::vector<double> line;
      for (int x = 0; x < image.width; ++x) line.push_back(image.row(y)[x * image.channels + c]);
      const auto made = resize_line(line, part.left, part.right, width);
      for (int x = 0; x < width; ++x)
        wide.row(y)[x * image.channels + c] = static_cast<std::uint8_t>(made[static_cast<std::size_t>(x)]);
    }
    for (int x = 0; x < width; ++x) {
      std::vector<double> line;
      for (int y = 0; y < image.height; ++y) line.push_back(wide.row(y)[x * image.channels + c]);
      const auto made = resize_line(line, part.top, part.bottom, height);
      for (int y = 0; y < height; ++y)
        out.row(y)[x * image.channels + c] = static_cast<std::uint8_t>(made[static_cast<std::size_t>(y)]);
    }
  }
  return out;
}

TEST(Resize, AgreesWithTheSlowTwin) {
  Rng rng(11);
  for (int trial = 0; trial < 60; ++trial) {
    const auto side = [&] { return 1 + static_cast<int>(rng.below(40)); };
    const Image image = noise(side(), side(), trial % 2 ? 1 : 3, rng.bits());
    const int width = side(), height = side();
    Box part{0, 0, static_cast<double>(image.width), static_cast<double>(image.height)};
    if (trial % 3 == 0) {
      part.left = static_cast<double>(rng.below(static_cast<std::uint64_t>(image.width)));
      part.top = 0.25f * rng.uniform();
    }
    const Image fast = resize(image, part, width, height), slow = slow_resize(image, part, width, height);
    ASSERT_EQ(fast.pixels.size(), slow.pixels.size());
    // Halves may round to either side, and a step of the first pass be seen in the second.
    for (std::size_t i = 0; i < fast.pixels.size(); ++i)
      ASSERT_NEAR(fast.pixels[i], slow.pixels[i], 1) << "trial " << trial << ", byte " << i;
  }
}

/// Numbers of Pillow 13.0.0: PIL.Image.resize((width, height), BILINEAR, box) of this very pattern, folded
/// into 32 bits.
TEST(Resize, EqualsPillowBitForBit) {
  struct Row {
    int w, h, c, out_w, out_h;
    Box part;
    std::uint32_t folded;
  };
  const Row rows[] = {
      {97, 61, 3, 32, 32, {0, 0, 97, 61}, 0x26e0d591},
      {97, 61, 3, 224, 150, {0, 0, 97, 61}, 0x74e42e7f},
      {40, 50, 1, 40, 13, {0, 0, 40, 50}, 0x90bfa762},
      {40, 50, 1, 7, 50, {0, 0, 40, 50}, 0x2721aa26},
      {300, 200, 3, 17, 299, {0, 0, 300, 200}, 0x9b1eec74},
      {97, 61, 3, 32, 24, {10, 5, 73, 60}, 0xe250fe67},
      {5, 3, 3, 1, 1, {0, 0, 5, 3}, 0x1812a},
  };
  for (const Row& row : rows) {
    Image image(row.h, row.w, row.c);
    for (int y = 0; y < row.h; ++y)
      for (int x = 0; x < row.w; ++x)
        for (int k = 0; k < row.c; ++k)
          image.row(y)[x * row.c + k] =
              static_cast<std::uint8_t>(x * x * 3 + y * y * 5 + x * y * 7 + k * 97 + (x * 31 ^ y * 17));
    std::uint32_t folded = 0;
    for (const std::uint8_t pixel : resize(image, row.part, row.out_w, row.out_h).pixels)
      folded = folded * 31 + pixel;
    EXPECT_EQ(folded, row.folded) << row.w << "x" << row.h << " to " << row.out_w << "x" << row.out_h;
  }
}

TEST(Resize, TheMiddleEqualsTheMiddleOfTheWhole) {
  const Image image = noise(30, 23, 3, 4);
  for (const auto& [w, h, cut_w, cut_h] : {std::array{50, 60, 20, 21}, std::array{11, 17, 6, 5},
                                           std::array{23, 40, 7, 40}, std::array{23, 30, 8, 9}})
    EXPECT_EQ(resize_middle(image, w, h, cut_w, cut_h), crop_centre(resize(image, w, h), cut_w, cut_h));
  EXPECT_EQ(resize_middle(noise(1, 60000, 3, 5), 224 * std::int64_t{60000}, 224, 224, 224).pixels.size(),
            224u * 224 * 3);
}

TEST(Resize, TheSameSizeIsTheSamePicture) {
  const Image image = noise(9, 14, 3, 1);
  EXPECT_EQ(resize(image, 14, 9), image);
}

TEST(Resize, OnePaperColourStays) {
  Image image(31, 17, 3);
  std::fill(image.pixels.begin(), image.pixels.end(), std::uint8_t{255});
  for (const std::uint8_t pixel : resize(image, 5, 50).pixels) ASSERT_EQ(pixel, 255);
}

TEST(Crop, CutsWhatWasAskedFor) {
  Image image(3, 4, 1);
  for (std::size_t i = 0; i < 12; ++i) image.pixels[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(crop(image, 1, 1, 2, 2).pixels, (std::vector<std::uint8_t>{5, 6, 9, 10}));
  EXPECT_EQ(crop_centre(image, 2, 1).pixels, (std::vector<std::uint8_t>{5, 6}));
  // Half a pixel is left over: to the even side, 0.5 -> 0 and 1.5 -> 2.
  EXPECT_EQ(crop_centre(image, 3, 3).pixels.front(), 0);
  EXPECT_EQ(crop_centre(image, 1, 3).pixels.front(), 2);
  EXPECT_EQ(flip_horizontal(crop(image, 0, 0, 4, 1)).pixels, (std::vector<std::uint8_t>{3, 2, 1, 0}));
}

}  // namespace
}  // namespace enxerto
