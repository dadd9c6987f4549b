#include "enxerto/explain/painting.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace enxerto {
namespace {

std::vector<float> normals(std::size_t count, std::uint64_t seed) {
  std::vector<float> made(count);
  Rng rng(seed);
  for (float& x : made) x = rng.normal();
  return made;
}

double dot(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

TEST(Painting, OneAmountIsOneWave) {
  const int height = 6, width = 8;
  const Painting painting(height, width, 1);
  std::vector<float> amounts(painting.size()), picture(painting.size());
  const int v = 2, u = 3;
  amounts[v * width + u] = 0.5f;
  painting.paint(amounts, picture);
  const double frequency = std::hypot(v / 12.0, u / 16.0), pi = std::acos(-1.0);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const double wave = std::cos(pi / height * (y + 0.5) * v) * std::cos(pi / width * (x + 0.5) * u) *
                          std::sqrt(2.0 / height) * std::sqrt(2.0 / width);
      EXPECT_NEAR(picture[static_cast<std::size_t>(y * width + x)],
                  1 / (1 + std::exp(-0.5 * 0.25 / frequency * wave)), 1e-6);
    }
}

TEST(Painting, NothingIsGreyAndTheStartIsNearlySo) {
  for (const int channels : {1, 3}) {
    const Painting painting(16, 12, channels);
    std::vector<float> picture(painting.size());
    painting.paint(std::vector<float>(painting.size()), picture);
    for (const float x : picture) EXPECT_EQ(x, 0.5f);
    painting.paint(painting.start(Rng(1)), picture);
    const auto [low, high] = std::ranges::minmax(picture);
    EXPECT_GT(low, 0.4f);
    EXPECT_LT(high, 0.6f);
    EXPECT_LT(low, high);
    EXPECT_EQ(painting.start(Rng(1)), painting.start(Rng(1)));
    EXPECT_NE(painting.start(Rng(1)), painting.start(Rng(2)));
  }
}

TEST(Painting, ItsGradientIsTheSlope) {
  for (const int channels : {1, 3}) {
    const Painting painting(7, 10, channels);
    const std::size_t size = painting.size();
    std::vector<float> amounts = normals(size, 1), picture(size), damounts(size);
    for (float& x : amounts) x *= 0.3f;
    const std::vector<float> dpicture = normals(size, 2), direction = normals(size, 3);
    painting.paint(amounts, picture);
    painting.gradient(picture, dpicture, damounts);
    const double step = 1e-2;
    double values[2];
    for (const int sign : {0, 1}) {
      std::vector<float> moved = amounts;
      for (std::size_t i = 0; i < size; ++i)
        moved[i] += static_cast<float>((sign ? -step : step) * direction[i]);
      painting.paint(moved, picture);
      values[sign] = dot(picture, dpicture);
    }
    const double wanted = (values[0] - values[1]) / (2 * step);
    EXPECT_NEAR(dot(damounts, direction), wanted, 0.01 * std::abs(wanted)) << channels;
  }
}

TEST(Glance, StraightAheadIsTheMiddle) {
  const Frame frame{.channels = 2, .from_height = 6, .from_width = 7, .height = 4, .width = 3};
  const std::vector<float> picture = normals(2 * 6 * 7, 1);
  std::vector<float> seen(2 * 4 * 3);
  look(frame, {}, picture, seen);
  for (std::size_t c = 0; c < 2; ++c)
    for (std::size_t y = 0; y < 4; ++y)
      for (std::size_t x = 0; x < 3; ++x)
        EXPECT_EQ(seen[(c * 4 + y) * 3 + x], picture[(c * 6 + y + 1) * 7 + x + 2]);
  look(frame, {.right = 1, .down = -1}, picture, seen);
  EXPECT_EQ(seen[0], picture[3]);
  // A quarter turn: what was to the right is now above, or below.
  const Frame square{.channels = 1, .from_height = 3, .from_width = 3, .height = 3, .width = 3};
  const std::vector<float> numbers = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::vector<float> turned(9);
  look(square, {.turn = std::acos(-1.0) / 2}, numbers, turned);
  const std::vector<float> wanted = {3, 6, 9, 2, 5, 8, 1, 4, 7};
  for (std::size_t i = 0; i < 9; ++i) EXPECT_NEAR(turned[i], wanted[i], 1e-4) << i;
}

TEST(Glance, LookingBackIsTheTranspose) {
  const Frame frame{.channels = 2, .from_height = 9, .from_width = 8, .height = 6, .width = 5};
  Rng rng(4);
  for (int i = 0; i < 10; ++i) {
    const Glance glance{.turn = rng.uniform(-1, 1),
                        .zoom = rng.uniform(0.5f, 2),
                        .right = rng.uniform(-6, 6),
                        .down = rng.uniform(-6, 6)};
    const std::vector<float> picture = normals(2 * 72, 2), dseen = normals(2 * 30, 3);
    std::vector<float> seen(dseen.size()), dpicture(picture.size());
    look(frame, glance, picture, seen);
    look_back(frame, glance, dseen, dpicture);
    EXPECT_NEAR(dot(seen, dseen), dot(picture, dpicture), 1e-4);
  }
}

}  // namespace
}  // namespace enxerto
