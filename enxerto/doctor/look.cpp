#include "enxerto/doctor/look.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/image/resize.h"

namespace enxerto {
namespace {

constexpr int frequencies = 8;
constexpr std::size_t luma_size = luma_side * luma_side, chroma_size = chroma_side * chroma_side;

/// Below so many levels of standard deviation a picture is flat.
constexpr double flat_deviation = 2.5;
/// A pixel whose channels lie within so many levels is grey: JPEG rounds.
constexpr int grey_levels = 10;
/// So much of a grey picture may be coloured: a date in a corner, a few wrong pixels.
constexpr double most_coloured = 0.002;

struct CosineTable {
  std::array<std::array<double, luma_side>, frequencies> at{};
  CosineTable() {
    for (std::size_t u = 0; u < frequencies; ++u)
      for (std::size_t x = 0; x < luma_side; ++x)
        at[u][x] =
            std::cos(std::numbers::pi / luma_side * (static_cast<double>(x) + 0.5) * static_cast<double>(u));
  }
};

std::uint64_t hash_of(const std::array<std::uint8_t, luma_size>& luma) {
  static const CosineTable cosine;
  std::array<std::array<double, luma_side>, frequencies> rows{};  // [u][y]
  for (std::size_t u = 0; u < frequencies; ++u)
    for (std::size_t y = 0; y < luma_side; ++y)
      for (std::size_t x = 0; x < luma_side; ++x) rows[u][y] += cosine.at[u][x] * luma[y * luma_side + x];
  std::uint64_t hash = 0;
  for (std::size_t v = 0; v < frequencies; ++v)
    for (std::size_t u = 0; u < frequencies; ++u) {
      double sum = 0;
      for (std::size_t y = 0; y < luma_side; ++y) sum += cosine.at[v][y] * rows[u][y];
      if (sum > 0 && (u || v)) hash |= std::uint64_t{1} << (8 * v + u);
    }
  return hash;
}

bool is_grey(const Image& image) {
  if (image.channels == 1) return true;
  const std::size_t pixels = image.pixels.size() / 3;
  std::size_t coloured = 0;
  for (std::size_t i = 0; i < pixels; ++i) {
    const auto [low, high] =
        std::minmax({image.pixels[3 * i], image.pixels[3 * i + 1], image.pixels[3 * i + 2]});
    coloured += high - low > grey_levels;
  }
  return static_cast<double>(coloured) <= most_coloured * static_cast<double>(pixels);
}

double deviation_of(const std::array<std::uint8_t, luma_size>& luma) {
  double sum = 0, squares = 0;
  for (const std::uint8_t value : luma) sum += value, squares += double{1} * value * value;
  const double mean = sum / luma_size;
  return std::sqrt(std::max(0.0, squares / luma_size - mean * mean));
}

using Levels = std::array<float, luma_size>;

/// Less the mean of the 5x5 pixels around each.
Levels detail_of(const Levels& levels) {
  constexpr int reach = 2;
  // Sums of all above and left of a place, so that any block's is four of them.
  std::array<float, (luma_side + 1) * (luma_side + 1)> sums{};
  constexpr int stride = luma_side + 1;
  const auto at = [&](int y, int x) -> float& { return sums[static_cast<std::size_t>(y * stride + x)]; };
  for (int y = 0; y < luma_side; ++y)
    for (int x = 0; x < luma_side; ++x)
      at(y + 1, x + 1) =
          levels[static_cast<std::size_t>(y * luma_side + x)] + at(y, x + 1) + at(y + 1, x) - at(y, x);
  Levels detail;
  for (int y = 0; y < luma_side; ++y)
    for (int x = 0; x < luma_side; ++x) {
      const int top = std::max(0, y - reach), bottom = std::min(luma_side, y + reach + 1);
      const int left = std::max(0, x - reach), right = std::min(luma_side, x + reach + 1);
      const float sum = at(bottom, right) - at(top, right) - at(bottom, left) + at(top, left);
      const auto i = static_cast<std::size_t>(y * luma_side + x);
      detail[i] = levels[i] - sum / static_cast<float>((bottom - top) * (right - left));
    }
  return detail;
}

double correlation(const Levels& a, const Levels& b) {
  double sum_a = 0, sum_b = 0, aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < luma_size; ++i) {
    const double x = a[i], y = b[i];
    sum_a += x, sum_b += y, aa += x * x, bb += y * y, ab += x * y;
  }
  const double var_a = aa - sum_a * sum_a / luma_size, var_b = bb - sum_b * sum_b / luma_size;
  if (var_a <= 1e-6 || var_b <= 1e-6) return 0;
  return (ab - sum_a * sum_b / luma_size) / std::sqrt(var_a * var_b);
}

Levels levels_of(const std::array<std::uint8_t, luma_size>& luma) {
  Levels levels;
  std::copy(luma.begin(), luma.end(), levels.begin());
  return levels;
}

}  // namespace

Look look_of(const Image& image) {
  ensure(image.width > 0 && image.height > 0, "a picture has pixels");
  Look look;
  const Image small = resize(image, luma_side, luma_side);
  const Image grey = with_channels(small, 1);
  std::copy_n(grey.pixels.data(), luma_size, look.luma.data());
  look.chroma.fill(128);
  look.grey = is_grey(image);
  if (!look.grey) {
    const Image tiny = resize(small, chroma_side, chroma_side);
    for (std::size_t i = 0; i < chroma_size; ++i) {
      const double red = tiny.pixels[3 * i], green = tiny.pixels[3 * i + 1], blue = tiny.pixels[3 * i + 2];
      const double luma = 0.299 * red + 0.587 * green + 0.114 * blue;
      look.chroma[i] = static_cast<std::uint8_t>(std::clamp(128.5 + 0.564 * (blue - luma), 0.0, 255.0));
      look.chroma[chroma_size + i] =
          static_cast<std::uint8_t>(std::clamp(128.5 + 0.713 * (red - luma), 0.0, 255.0));
    }
  }
  look.flat = deviation_of(look.luma) < flat_deviation;
  look.hash = hash_of(look.luma);
  return look;
}

std::uint64_t turned(std::uint64_t hash, Symmetry symmetry) {
  std::uint64_t out = hash;
  if (symmetry & 4) {
    out = 0;
    for (int v = 0; v < frequencies; ++v)
      for (int u = 0; u < frequencies; ++u) out |= (hash >> (8 * v + u) & 1) << (8 * u + v);
  }
  // A wave with an odd number of halves changes its sign in the mirror.
  constexpr std::uint64_t odd_u = 0xAAAAAAAAAAAAAAAAull, odd_v = 0xFF00FF00FF00FF00ull;
  if (symmetry & 1) out ^= odd_u;
  if (symmetry & 2) out ^= odd_v;
  return out;
}

void turn(const std::uint8_t* from, std::uint8_t* out, int side, Symmetry symmetry) {
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      int from_y = symmetry & 2 ? side - 1 - y : y, from_x = symmetry & 1 ? side - 1 - x : x;
      if (symmetry & 4) std::swap(from_x, from_y);
      out[y * side + x] = from[from_y * side + from_x];
    }
}

Likeness likeness(const Look& a, const Look& b, Symmetry symmetry, double least_whole) {
  std::array<std::uint8_t, luma_size> luma;
  turn(a.luma.data(), luma.data(), luma_side, symmetry);
  const Levels of_a = levels_of(luma), of_b = levels_of(b.luma);
  Likeness out;
  out.whole = correlation(of_a, of_b);
  if (out.whole < least_whole) return out;
  out.detail = correlation(detail_of(of_a), detail_of(of_b));
  if (a.grey || b.grey) return out;
  std::array<std::uint8_t, chroma_size> chroma;
  int sum = 0;
  for (const std::size_t half : {std::size_t{0}, chroma_size}) {
    turn(a.chroma.data() + half, chroma.data(), chroma_side, symmetry);
    for (std::size_t i = 0; i < chroma_size; ++i) sum += std::abs(chroma[i] - b.chroma[half + i]);
  }
  out.colour = static_cast<double>(sum) / static_cast<double>(2 * chroma_size);
  return out;
}

}  // namespace enxerto
