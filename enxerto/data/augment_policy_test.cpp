#include "enxerto/data/augment_policy.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "enxerto/core/random.h"

namespace enxerto {
namespace {

using Operation = PolicyOperation;
constexpr auto rand_augment = AugmentPolicy::rand_augment, trivial = AugmentPolicy::trivial_augment;

Image noise(int height, int width, int channels, std::uint64_t seed = 3) {
  Image image(height, width, channels);
  Rng rng(seed);
  for (auto& pixel : image.pixels) pixel = static_cast<std::uint8_t>(rng.bits());
  return image;
}

TEST(AugmentPolicy, MagnitudesAreThoseOfTorchvisionsTables) {
  const auto rand = [](Operation operation, int bin) {
    return policy_magnitude(rand_augment, operation, bin, 331, 662);
  };
  const auto wide = [](Operation operation, int bin) {
    return policy_magnitude(trivial, operation, bin, 331, 662);
  };
  EXPECT_DOUBLE_EQ(rand(Operation::shear_x, 10), 0.1);
  EXPECT_DOUBLE_EQ(rand(Operation::translate_x, 30), 150);
  EXPECT_DOUBLE_EQ(rand(Operation::translate_y, 30), 300);
  EXPECT_DOUBLE_EQ(rand(Operation::rotate, 9), 9);
  EXPECT_DOUBLE_EQ(rand(Operation::contrast, 30), 0.9);
  EXPECT_DOUBLE_EQ(rand(Operation::solarize, 0), 255);
  EXPECT_DOUBLE_EQ(rand(Operation::solarize, 30), 0);
  EXPECT_EQ(rand(Operation::equalize, 30), 0);
  EXPECT_DOUBLE_EQ(wide(Operation::shear_y, 30), 0.99);
  EXPECT_DOUBLE_EQ(wide(Operation::translate_y, 15), 16);
  EXPECT_DOUBLE_EQ(wide(Operation::rotate, 30), 135);
  EXPECT_DOUBLE_EQ(wide(Operation::sharpness, 30), 0.99);
  // 8 - (torch.arange(31) / (30 / 4)).round(), and with 6 for TrivialAugment; halves go to the even side.
  const std::array<double, 31> bits = {8, 8, 8, 8, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 6,
                                       6, 6, 6, 5, 5, 5, 5, 5, 5, 5, 5, 4, 4, 4, 4};
  const std::array<double, 31> wide_bits = {8, 8, 8, 7, 7, 7, 7, 7, 6, 6, 6, 6, 6, 5, 5, 5,
                                            5, 5, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 2, 2, 2};
  for (int bin = 0; bin < policy_magnitudes; ++bin) {
    EXPECT_EQ(rand(Operation::posterize, bin), bits[static_cast<std::size_t>(bin)]) << bin;
    EXPECT_EQ(wide(Operation::posterize, bin), wide_bits[static_cast<std::size_t>(bin)]) << bin;
  }
}

TEST(AugmentPolicy, NoneChangesNothingAndDrawsNothing) {
  const Image image = noise(9, 7, 3);
  Rng rng(1);
  EXPECT_EQ(apply_policy(image, {}, 0, rng), image);
  EXPECT_EQ(rng, Rng(1));
}

TEST(AugmentPolicy, EveryOperationOfEveryMagnitudeKeepsTheSidesOfPicturesHoweverSmall) {
  for (const Image& image :
       {noise(1, 1, 3), noise(1, 1, 1), noise(2, 9, 3), noise(9, 2, 1), noise(20, 30, 3)})
    for (int i = 0; i < policy_operations; ++i)
      for (int bin = 0; bin < policy_magnitudes; ++bin)
        for (const int sign : {-1, 1}) {
          const auto operation = static_cast<Operation>(i);
          if (sign < 0 && !has_sign(operation)) continue;
          const double magnitude =
              sign * policy_magnitude(trivial, operation, bin, image.width, image.height);
          const Image out = apply_operation(image, operation, magnitude, 9);
          ASSERT_EQ(out.height, image.height);
          ASSERT_EQ(out.width, image.width);
          ASSERT_EQ(out.pixels.size(), image.pixels.size());
        }
}

TEST(AugmentPolicy, EveryOperationComesUpAndResultsVary) {
  const Image image = noise(16, 16, 3);
  for (const AugmentPolicy policy : {rand_augment, trivial}) {
    std::set<std::string> seen;
    int unchanged = 0;
    for (std::uint64_t i = 0; i < 500; ++i) {
      Rng rng = Rng(4).child(i);
      const Image out = apply_policy(image, {.policy = policy, .rand_ops = 1, .rand_magnitude = 9}, 0, rng);
      seen.emplace(out.pixels.begin(), out.pixels.end());
      unchanged += out == image;
    }
    // One operation of fourteen is to do nothing; some do nothing at a small magnitude.
    EXPECT_GT(unchanged, 500 / 14 / 2);
    EXPECT_LT(unchanged, 500 / 2);
    EXPECT_GT(seen.size(), 10u);
  }
}

TEST(AugmentPolicy, MoreOperationsChangeMore) {
  const Image image = noise(16, 16, 3);
  int changed[2] = {};
  for (std::uint64_t i = 0; i < 200; ++i)
    for (const int ops : {1, 4}) {
      Rng rng = Rng(5).child(i);
      changed[ops > 1] += apply_policy(image, {.policy = rand_augment, .rand_ops = ops}, 0, rng) != image;
    }
  EXPECT_GT(changed[1], changed[0]);
  EXPECT_GT(changed[1], 195);
}

}  // namespace
}  // namespace enxerto
