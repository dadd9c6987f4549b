#include "enxerto/explain/heatmap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace enxerto {
namespace {

TEST(Heatmap, IsResizedAsPyTorchInterpolates) {
  // torch.nn.functional.interpolate(torch.tensor([[[[0., 1.], [2., 4.]]]]), (3, 4), mode="bilinear")
  const Heatmap map{.height = 2, .width = 2, .values = {0, 1, 2, 4}};
  const std::vector<float> wanted = {0, 0.25f, 0.75f, 1, 1, 1.375f, 2.125f, 2.5f, 2, 2.5f, 3.5f, 4};
  const Heatmap made = resized(map, 3, 4);
  ASSERT_EQ(made.values.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(made.values[i], wanted[i], 1e-6) << i;
  EXPECT_EQ(resized(map, 2, 2), map);
}

TEST(Heatmap, ColoursGrowLighterFromBlackToYellow) {
  EXPECT_EQ(heat_colour(-1), (std::array<std::uint8_t, 3>{0, 0, 0}));
  EXPECT_EQ(heat_colour(2), (std::array<std::uint8_t, 3>{252, 255, 165}));
  EXPECT_EQ(heat_colour(std::nanf("")), heat_colour(0));
  double before = -1;
  for (int i = 0; i <= 100; ++i) {
    const auto colour = heat_colour(static_cast<float>(i) / 100);
    const double luma = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2];
    EXPECT_GE(luma, before) << i;
    before = luma;
  }
}

TEST(Heatmap, LeavesThePictureGreyWhereNothingIs) {
  Image picture(2, 2, 3);
  for (std::size_t i = 0; i < picture.pixels.size(); ++i)
    picture.pixels[i] = static_cast<std::uint8_t>(20 * i);
  const Image grey = with_channels(with_channels(picture, 1), 3);
  EXPECT_EQ(heat_overlay(picture, {.height = 1, .width = 1, .values = {0}}), grey);
  EXPECT_EQ(heat_overlay(picture, {.height = 1, .width = 1, .values = {-1}}), grey);
  const Image laid = heat_overlay(picture, {.height = 2, .width = 2, .values = {0, -3, 0, 5}});
  EXPECT_TRUE(std::equal(laid.pixels.begin(), laid.pixels.begin() + 9, grey.pixels.begin()));
  // Three quarters of the colour at the maximum.
  for (std::size_t c = 0; c < 3; ++c)
    EXPECT_NEAR(laid.pixels[9 + c], 0.25 * grey.pixels[9 + c] + 0.75 * heat_colour(1)[c], 1);
  // Grey pictures too.
  EXPECT_EQ(heat_overlay(Image(3, 5, 1), {.height = 1, .width = 1, .values = {1}}).channels, 3);
}

TEST(Heatmap, AsAPictureOfItsOwnHasAPixelAPlace) {
  const Image made = heat_picture({.height = 1, .width = 3, .values = {-2, 0, 2}}, -2, 2);
  EXPECT_EQ(made.width, 3);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_TRUE(std::ranges::equal(heat_colour(0.5f * static_cast<float>(i)),
                                   std::span(made.pixels).subspan(3 * i, 3)));
  EXPECT_EQ(heat_picture({.height = 1, .width = 1, .values = {7}}, 7, 7), Image(1, 1, 3));
}

}  // namespace
}  // namespace enxerto
