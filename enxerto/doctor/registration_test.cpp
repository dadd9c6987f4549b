#include "enxerto/doctor/registration.h"

#include <gtest/gtest.h>

#include "enxerto/doctor/features.h"
#include "enxerto/doctor/pictures_for_tests.h"
#include "enxerto/image/affine.h"
#include "enxerto/image/colour.h"

namespace enxerto {
namespace {

/// Spots at two scales, so that there is detail in it.
Image scene(std::uint64_t number) {
  Image image = spots_for_tests(number, 160, 120);
  const Image fine = spots_for_tests(number + 1000, 40, 30);
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      for (int c = 0; c < 3; ++c) {
        auto& level = image.row(y)[3 * x + c];
        level = static_cast<std::uint8_t>((level + fine.row(y % 30)[3 * (x % 40) + c]) / 2);
      }
  return image;
}

void expect_same(const Laid& laid) {
  EXPECT_TRUE(FeatureRule{}.holds(laid))
      << laid.whole << ' ' << laid.detail << ' ' << laid.fine << ' ' << laid.overlap;
}

TEST(Registration, APartLiesInTheWhole) {
  const Image whole = scene(1);
  const Plate part = plate_of(crop(whole, 30, 10, 112, 84));
  const Laid laid = laid_over(plate_of(whole), part);
  expect_same(laid);
  EXPECT_NEAR(laid.overlap, 0.49, 0.08);
  expect_same(laid_over(part, plate_of(whole)));
}

TEST(Registration, ATurnedOrMirroredPictureLiesOnItself) {
  const Image whole = scene(2);
  expect_same(laid_over(plate_of(whole), plate_of(rotate(whole, 5, 0))));
  const Laid mirrored = laid_over(plate_of(whole), plate_of(crop(flip_horizontal(whole), 20, 20, 120, 90)));
  expect_same(mirrored);
  EXPECT_TRUE(mirrored.mirrored);
}

TEST(Registration, OtherHuesAreTheSamePicture) {
  const Image whole = scene(3);
  const Image other = turn_hue(whole, 0.35);
  expect_same(laid_over(plate_of(whole), plate_of(crop(other, 0, 0, 120, 90))));
}

TEST(Registration, OtherPicturesDoNotLieOnEachOther) {
  for (std::uint64_t number = 10; number < 30; number += 2) {
    const Laid laid = laid_over(plate_of(scene(number)), plate_of(scene(number + 1)));
    EXPECT_FALSE(FeatureRule{}.holds(laid)) << number;
  }
}

TEST(Registration, FlatAndThinPicturesAreNoTrouble) {
  const Image grey(10, 10, 1), thin = spots_for_tests(1, 900, 1), tall = spots_for_tests(2, 1, 900);
  for (const Image& a : {grey, thin, tall})
    for (const Image& b : {grey, thin, tall}) EXPECT_LE(laid_over(plate_of(a), plate_of(b)).whole, 1.0);
  EXPECT_EQ(laid_over(plate_of(grey), plate_of(grey)).whole, 0);
}

}  // namespace
}  // namespace enxerto
