#include "enxerto/image/thumbnail.h"

#include <gtest/gtest.h>

namespace enxerto {
namespace {

TEST(Thumbnail, KeepsProportionsAndNeverEnlarges) {
  const auto sides = [](int width, int height) {
    const Image made = thumbnail(Image(height, width, 3), 160);
    return std::pair(made.width, made.height);
  };
  EXPECT_EQ(sides(640, 480), std::pair(160, 120));
  EXPECT_EQ(sides(300, 900), std::pair(53, 160));
  EXPECT_EQ(sides(5000, 3), std::pair(160, 1));
  EXPECT_EQ(sides(160, 20), std::pair(160, 20));
  EXPECT_EQ(sides(28, 28), std::pair(28, 28));
}

}  // namespace
}  // namespace enxerto
