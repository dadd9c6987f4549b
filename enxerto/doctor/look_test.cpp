#include "enxerto/doctor/look.h"

#include <gtest/gtest.h>

#include <bit>

#include "enxerto/doctor/pictures_for_tests.h"
#include "enxerto/image/decode.h"

namespace enxerto {
namespace {

Image turned_picture(const Image& image, Symmetry symmetry) {
  Image out(image.height, image.width, 1);
  turn(image.pixels.data(), out.pixels.data(), image.width, symmetry);
  return out;
}

TEST(Look, TheHashOfATurnedPictureIsTheTurnedHash) {
  for (std::uint64_t number = 0; number < 20; ++number) {
    const Image image = spots_for_tests(number, 32, 32, true);
    const Look look = look_of(image);
    for (Symmetry symmetry = 0; symmetry < symmetries; ++symmetry) {
      const Look other = look_of(turned_picture(image, symmetry));
      EXPECT_EQ(turned(look.hash, symmetry), other.hash) << number << " " << symmetry;
      EXPECT_NEAR(likeness(look, other, symmetry).whole, 1, 1e-9);
    }
  }
}

TEST(Look, TurningFollowsTheBitsOfTheSymmetry) {
  const std::uint8_t from[4] = {1, 2, 3, 4};
  const std::vector<std::vector<std::uint8_t>> wanted{{1, 2, 3, 4}, {2, 1, 4, 3}, {3, 4, 1, 2}, {4, 3, 2, 1},
                                                      {1, 3, 2, 4}, {3, 1, 4, 2}, {2, 4, 1, 3}, {4, 2, 3, 1}};
  for (Symmetry symmetry = 0; symmetry < symmetries; ++symmetry) {
    std::vector<std::uint8_t> out(4);
    turn(from, out.data(), 2, symmetry);
    EXPECT_EQ(out, wanted[static_cast<std::size_t>(symmetry)]) << symmetry;
  }
}

TEST(Look, RecompressedAndResizedPicturesStayAlike) {
  for (std::uint64_t number = 0; number < 50; ++number) {
    const Image image = spots_for_tests(number, 200, 150);
    const Look look = look_of(image);
    for (const Image& other : {decode_image(encode_jpeg(image, 30)), resize(image, 90, 67)}) {
      const Look its = look_of(other);
      EXPECT_LE(std::popcount(look.hash ^ its.hash), 6) << number;
      const Likeness alike = likeness(look, its, 0);
      EXPECT_GT(alike.whole, 0.99);
      EXPECT_GT(alike.detail, 0.9);
      EXPECT_LT(alike.colour, 5);
    }
  }
}

TEST(Look, OtherPicturesAreNotAlike) {
  std::vector<Look> looks;
  for (std::uint64_t number = 0; number < 60; ++number) looks.push_back(look_of(spots_for_tests(number)));
  for (std::size_t a = 0; a < looks.size(); ++a)
    for (std::size_t b = 0; b < a; ++b)
      EXPECT_LT(likeness(looks[a], looks[b], 0).whole, 0.95) << a << " " << b;
}

TEST(Look, TellsFlatAndGreyPictures) {
  EXPECT_TRUE(look_of(Image(50, 50, 3)).flat);
  EXPECT_TRUE(look_of(Image(1, 1, 1)).flat);
  const Image grey = spots_for_tests(1, 96, 72, true);
  EXPECT_FALSE(look_of(grey).flat);
  EXPECT_TRUE(look_of(grey).grey);
  EXPECT_TRUE(look_of(decode_image(encode_jpeg(with_channels(grey, 3)))).grey);
  EXPECT_FALSE(look_of(spots_for_tests(1)).grey);
}

}  // namespace
}  // namespace enxerto
