#include "enxerto/data/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/data/preprocess.h"
#include "enxerto/image/affine.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

Image noise(int height, int width, int channels) {
  Image image(height, width, channels);
  Rng rng(7);
  for (auto& pixel : image.pixels) pixel = static_cast<std::uint8_t>(rng.bits());
  return image;
}

Preprocess small() { return Preprocess::plain(8, 12, 3); }

Augment everything() {
  return {.flip = 0.5,
          .shift_px = 2,
          .min_area = 0.4,
          .rotate_degrees = 15,
          .brightness = 0.4,
          .contrast = 0.3,
          .saturation = 0.2,
          .hue = 0.1,
          .erase = 0.5,
          .policy = AugmentPolicy::rand_augment,
          .rand_ops = 3,
          .rand_magnitude = 12,
          .mixup_alpha = 0.2,
          .cutmix_alpha = 1};
}

std::string said_of(const Json& json) {
  try {
    Augment::from_json(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    return error.what();
  }
  return "nothing";
}

TEST(Augment, ComesBackFromJsonEqual) {
  EXPECT_EQ(Augment::from_json(Json::parse(everything().to_json().dump())), everything());
  EXPECT_EQ(Augment::from_json(Json::parse(Augment().to_json().dump())), Augment());
}

TEST(Augment, FilesOfOlderRunsKeepTheirMeaning) {
  EXPECT_EQ(Augment::from_json({{"flip", 0.5}, {"shift_px", 4}, {"min_area", 0.3}}),
            (Augment{.flip = 0.5, .shift_px = 4, .min_area = 0.3}));
  EXPECT_EQ(Augment::from_json(Json::object()), Augment());
}

TEST(Augment, RefusesWhatMakesNoSenseInAFile) {
  EXPECT_EQ(said_of({{"flip", 2}}), "augmentation: flip has to lie in 0..1, not 2");
  EXPECT_EQ(said_of({{"hue", 0.6}}), "augmentation: hue has to lie in 0..0.5, not 0.6");
  EXPECT_EQ(said_of({{"rotate_degrees", -1}}), "augmentation: rotate_degrees has to lie in 0..180, not -1");
  EXPECT_EQ(said_of({{"min_area", 0}}), "augmentation: min_area has to be above 0 and at most 1, not 0");
  EXPECT_EQ(said_of({{"rand_ops", 1.5}}), "augmentation: \"rand_ops\" makes no sense");
  EXPECT_EQ(said_of({{"rand_magnitude", 31}}), "augmentation: rand_magnitude has to lie in 0..30, not 31");
  EXPECT_EQ(said_of({{"policy", "auto"}}), "augmentation: \"policy\" is \"auto\", which we do not know");
  EXPECT_EQ(said_of({{"erase", "often"}}), "augmentation: \"erase\" is not a number");
  EXPECT_EQ(said_of({{"mixup", 1}}), "augmentation: has an unknown key, \"mixup\"");
  EXPECT_EQ(said_of(Json::array()), "augmentation: is not an object");
}

TEST(Augment, KnowsWhatItNeedsAndWhetherItDoesAnything) {
  EXPECT_FALSE(Augment().any());
  EXPECT_FALSE((Augment{.rand_ops = 3, .rand_magnitude = 5}.any()));
  const Json all = everything().to_json();
  for (const auto& [key, value] : all.items())
    EXPECT_EQ(Augment::from_json({{key, value}}).any(), !key.starts_with("rand_")) << key;
  EXPECT_TRUE((Augment{.min_area = 0.5}.needs_whole_picture()));
  EXPECT_FALSE((Augment{.flip = 0.5, .erase = 1}.needs_whole_picture()));
  EXPECT_TRUE((Augment{.mixup_alpha = 0.2}.mixes()));
  EXPECT_TRUE((Augment{.cutmix_alpha = 1}.mixes()));
  EXPECT_FALSE((Augment{.flip = 0.5}.mixes()));
}

TEST(Augment, PrintsAsText) {
  EXPECT_EQ(format_augment({}), "none");
  EXPECT_EQ(format_augment({.flip = 0.5, .shift_px = 4}), "flip 0.5, shift 4 px");
  EXPECT_EQ(format_augment(everything()),
            "area from 0.4, brightness 0.4, contrast 0.3, saturation 0.2, hue 0.1, flip 0.5, shift 2 px, "
            "rotate 15 degrees, RandAugment of 3 operations, magnitude 12, erase 0.5, mixup 0.2, cutmix 1");
  EXPECT_EQ(format_augment({.policy = AugmentPolicy::trivial_augment}), "TrivialAugment");
}

TEST(Augment, PoliciesHaveNames) {
  EXPECT_EQ(parse_augment_policy("rand"), AugmentPolicy::rand_augment);
  EXPECT_EQ(parse_augment_policy("trivial_augment"), AugmentPolicy::trivial_augment);
  EXPECT_EQ(parse_augment_policy("none"), AugmentPolicy::none);
  EXPECT_THROW(parse_augment_policy("magic"), Error);
}

TEST(Augment, OffDrawsNothingAndChangesNothing) {
  const Preprocess p = small();
  const Image image = noise(30, 30, 3);
  Rng rng(5);
  EXPECT_EQ(p.fitted(image, {}, rng), p.fitted(image));
  EXPECT_EQ(rng, Rng(5));
}

TEST(Augment, FlipIsTheMirrorImageAsOftenAsAsked) {
  const Image image = noise(8, 12, 3);
  int flips = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    Rng rng = Rng(1).child(i);
    const Image out = augment_fitted(image, {.flip = 0.3}, 0, rng);
    if (out == image) continue;
    ASSERT_EQ(out, flip_horizontal(image));
    ++flips;
  }
  EXPECT_NEAR(flips, 300, 60);
}

TEST(Augment, ShiftMovesEveryWayAndFillsWithThePadValue) {
  Image image(5, 5, 1);
  image.pixels[12] = 200;  // the middle
  std::vector<int> seen(25);
  for (std::uint64_t i = 0; i < 600; ++i) {
    Rng rng = Rng(2).child(i);
    const Image out = augment_fitted(image, {.shift_px = 2}, 7, rng);
    const auto spot = std::find(out.pixels.begin(), out.pixels.end(), 200) - out.pixels.begin();
    ASSERT_LT(spot, 25);
    ++seen[static_cast<std::size_t>(spot)];
    const auto dx = std::abs(spot % 5 - 2), dy = std::abs(spot / 5 - 2);
    ASSERT_EQ(std::count(out.pixels.begin(), out.pixels.end(), 7), 25 - (5 - dx) * (5 - dy));
  }
  EXPECT_GT(*std::min_element(seen.begin(), seen.end()), 5);
  Rng rng(1);
  EXPECT_EQ(augment_fitted(image, {.shift_px = 1000}, 7, rng).pixels, std::vector<std::uint8_t>(25, 7));
}

TEST(Augment, RandomPartsStayInThePictureAndVary) {
  const Preprocess p = small();
  const Image image = noise(40, 60, 1);
  Rng a(1), b(1);
  EXPECT_EQ(p.fitted(image, {.min_area = 0.1}, a), p.fitted(image, {.min_area = 0.1}, b));
  EXPECT_NE(p.fitted(image, {.min_area = 0.1}, a), p.fitted(image, {.min_area = 0.1}, a));
  Rng rng(2);
  for (const Image& thin : {noise(1, 500, 3), noise(500, 1, 3), noise(1, 1, 3)})
    EXPECT_EQ(p.fitted(thin, {.min_area = 0.01}, rng).pixels.size(), 8u * 12 * 3);
}

TEST(Augment, NewKindsOfChangeLeaveTheBitsOfOldRuns) {
  const Image image = noise(8, 12, 3);
  Rng rng(11);
  const Image out = augment_fitted(image, {.flip = 0.5, .shift_px = 4}, 7, rng);
  // What shift and flip draw, in this order.
  Rng by_hand(11);
  const int dx = static_cast<int>(by_hand.below(9)) - 4, dy = static_cast<int>(by_hand.below(9)) - 4;
  Image wanted = shift(image, dx, dy, 7);
  if (by_hand.uniform() < 0.5) wanted = flip_horizontal(wanted);
  EXPECT_EQ(out, wanted);
  EXPECT_EQ(rng, by_hand);
}

TEST(Augment, ColoursVaryWithinTheirBounds) {
  Image image(4, 4, 3);
  std::fill(image.pixels.begin(), image.pixels.end(), 100);
  int least = 255, most = 0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    Rng rng = Rng(6).child(i);
    const Image out = augment_fitted(image, {.brightness = 0.4}, 0, rng);
    least = std::min<int>(least, out.pixels[0]);
    most = std::max<int>(most, out.pixels[0]);
  }
  EXPECT_GE(least, 59);
  EXPECT_LE(least, 63);
  EXPECT_GE(most, 136);
  EXPECT_LE(most, 140);
}

TEST(Augment, RotationTurnsBothWaysAndFillsWithThePadValue) {
  const Image image = noise(20, 20, 1);
  int corners = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    Rng rng = Rng(6).child(i);
    const Image out = augment_fitted(image, {.rotate_degrees = 45}, 7, rng);
    EXPECT_NE(out, image);
    corners += out.pixels[0] == 7;
  }
  EXPECT_GT(corners, 80);
}

TEST(Augment, ErasesARectangleOfUsualSizeAsOftenAsAsked) {
  const Shape shape{.n = 1, .c = 3, .h = 40, .w = 30};
  int erased = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    std::vector<float> picture(3 * 40 * 30, 1.0f);
    Rng rng = Rng(8).child(i);
    augment_normalized(picture, shape, {.erase = 0.25}, rng);
    const auto zeros = std::count(picture.begin(), picture.end(), 0.0f);
    if (zeros == 0) continue;
    ++erased;
    EXPECT_EQ(zeros % 3, 0);
    EXPECT_GE(zeros, 3 * 40 * 30 * 0.015);
    EXPECT_LE(zeros, 3 * 40 * 30 * 0.345);
    // One rectangle, the same in each channel.
    for (std::size_t c = 1; c < 3; ++c)
      EXPECT_TRUE(std::equal(picture.begin(), picture.begin() + 1200,
                             picture.begin() + static_cast<std::ptrdiff_t>(1200 * c)));
    std::int64_t top = 40, left = 30, bottom = -1, right = -1;
    for (std::int64_t y = 0; y < 40; ++y)
      for (std::int64_t x = 0; x < 30; ++x)
        if (picture[static_cast<std::size_t>(y * 30 + x)] == 0) {
          top = std::min(top, y), bottom = std::max(bottom, y);
          left = std::min(left, x), right = std::max(right, x);
        }
    EXPECT_EQ((bottom - top + 1) * (right - left + 1) * 3, zeros);
  }
  EXPECT_NEAR(erased, 250, 50);
}

TEST(Augment, ErasesNothingWhereNothingFits) {
  std::vector<float> picture(3, 1.0f);
  Rng rng(1);
  augment_normalized(picture, {.n = 1, .c = 3, .h = 1, .w = 1}, {.erase = 1}, rng);
  EXPECT_EQ(picture, std::vector<float>(3, 1.0f));
}

TEST(Augment, EverythingAtOnceTakesPicturesOfAnyShape) {
  for (const int channels : {1, 3})
    for (const auto& [height, width] :
         {std::pair{1, 1}, std::pair{1, 40}, std::pair{40, 1}, std::pair{50, 30}}) {
      const Preprocess p = Preprocess::plain(8, 12, channels);
      for (std::uint64_t i = 0; i < 50; ++i) {
        Rng rng = Rng(9).child(i);
        const Image out = p.fitted(noise(height, width, 3), everything(), rng);
        ASSERT_EQ(out.pixels.size(), static_cast<std::size_t>(8 * 12 * channels));
        std::vector<float> chw(out.pixels.size());
        p.normalize(out, chw);
        augment_normalized(chw, p.shape(), everything(), rng);
      }
    }
}

TEST(RandomPart, OfPicturesThatAreTooWideIsTheMiddle) {
  Rng rng(1);
  for (int i = 0; i < 50; ++i) {
    const Box wide = random_part(600, 150, 0.9, rng), tall = random_part(100, 601, 0.9, rng);
    EXPECT_EQ(wide.left, 200);
    EXPECT_EQ(wide.right, 400);
    EXPECT_EQ(wide.top, 0);
    EXPECT_EQ(wide.bottom, 150);
    EXPECT_EQ(tall.top, 234);
    EXPECT_EQ(tall.bottom, 234 + 133);
  }
}

}  // namespace
}  // namespace enxerto
