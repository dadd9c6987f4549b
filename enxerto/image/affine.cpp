#include "enxerto/image/affine.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>

namespace enxerto {
namespace {

/// Places between pixels in units of 2^-32; after 16384 steps they are off by less than 2^-18 pixels.
constexpr int place_bits = 32;
/// Two weights and a value have 30 bits together.
constexpr int weight_bits = 11;

std::int64_t to_place(double x) { return std::llround(std::ldexp(x, place_bits)); }
int whole_of(std::int64_t place) { return static_cast<int>(place >> place_bits); }
int weight_of(std::int64_t place) {
  return static_cast<int>(place >> (place_bits - weight_bits)) & ((1 << weight_bits) - 1);
}

double source_x(const Affine& from, int x, int y) {
  return from.xx * (x + 0.5) + from.xy * (y + 0.5) + from.x0;
}
double source_y(const Affine& from, int x, int y) {
  return from.yx * (x + 0.5) + from.yy * (y + 0.5) + from.y0;
}

/// Of a row the part [first, last) that comes from inside. A picture is convex, so it is one part; the
/// estimate by division is off by rounding only, and is put right by asking the pixels beside it.
std::pair<int, int> inside_of_row(const Image& image, const Affine& from, int y) {
  const auto is_inside = [&](int x) {
    const double sx = source_x(from, x, y), sy = source_y(from, x, y);
    return sx >= 0 && sx < image.width && sy >= 0 && sy < image.height;
  };
  double low = 0, high = image.width;
  const auto bound = [&](double slope, double at_zero, double limit) {
    if (slope == 0) {
      if (at_zero < 0 || at_zero >= limit) high = low;
      return;
    }
    const double a = -at_zero / slope, b = (limit - at_zero) / slope;
    low = std::max(low, std::min(a, b));
    high = std::min(high, std::max(a, b));
  };
  bound(from.xx, source_x(from, 0, y), image.width);
  bound(from.yx, source_y(from, 0, y), image.height);
  if (!(low <= high)) return {0, 0};
  int first = static_cast<int>(std::ceil(low)), last = std::max(first, static_cast<int>(std::ceil(high)));
  last = std::min(last, image.width);
  first = std::min(first, last);
  while (first > 0 && is_inside(first - 1)) --first;
  while (first < last && !is_inside(first)) ++first;
  while (last < image.width && is_inside(last)) ++last;
  while (last > first && !is_inside(last - 1)) --last;
  return {first, last};
}

template <int channels>
void warp_row(const Image& image, const Affine& from, int y, std::pair<int, int> part, std::uint8_t* to) {
  std::int64_t sx = to_place(source_x(from, part.first, y) - 0.5);
  std::int64_t sy = to_place(source_y(from, part.first, y) - 0.5);
  const std::int64_t step_x = to_place(from.xx), step_y = to_place(from.yx);
  const int right = image.width - 1, bottom = image.height - 1;
  const auto stride = static_cast<std::ptrdiff_t>(image.row_bytes());
  to += static_cast<std::ptrdiff_t>(part.first) * channels;
  for (int x = part.first; x < part.second; ++x, sx += step_x, sy += step_y, to += channels) {
    const int left_x = whole_of(sx), upper_y = whole_of(sy);
    const int wx = weight_of(sx), wy = weight_of(sy);
    const std::ptrdiff_t x0 = std::ptrdiff_t{channels} * std::clamp(left_x, 0, right);
    const std::ptrdiff_t x1 = std::ptrdiff_t{channels} * std::clamp(left_x + 1, 0, right);
    const std::uint8_t* upper = image.pixels.data() + stride * std::clamp(upper_y, 0, bottom);
    const std::uint8_t* lower = image.pixels.data() + stride * std::clamp(upper_y + 1, 0, bottom);
    for (int c = 0; c < channels; ++c) {
      const int above = (upper[x0 + c] << weight_bits) + (upper[x1 + c] - upper[x0 + c]) * wx;
      const int below = (lower[x0 + c] << weight_bits) + (lower[x1 + c] - lower[x0 + c]) * wx;
      to[c] = static_cast<std::uint8_t>(((above << weight_bits) + (below - above) * wy) >> (2 * weight_bits));
    }
  }
}

/// To fifteen digits, so that a quarter turn is one; as Pillow has it.
double rounded(double x) { return std::round(x * 1e15) / 1e15; }

Image filled(const Image& like, int fill) {
  Image out(like.height, like.width, like.channels);
  std::fill(out.pixels.begin(), out.pixels.end(), static_cast<std::uint8_t>(fill));
  return out;
}

}  // namespace

Image warp(const Image& image, const Affine& from, int fill) {
  Image out = filled(image, fill);
  for (int y = 0; y < out.height; ++y) {
    const std::pair<int, int> part = inside_of_row(image, from, y);
    if (image.channels == 3)
      warp_row<3>(image, from, y, part, out.row(y));
    else
      warp_row<1>(image, from, y, part, out.row(y));
  }
  return out;
}

Image rotate(const Image& image, double degrees, int fill) {
  const double angle = -degrees * std::numbers::pi / 180;
  const double cosine = rounded(std::cos(angle)), sine = rounded(std::sin(angle));
  const double x = image.width / 2.0, y = image.height / 2.0;
  return warp(image,
              {.xx = cosine,
               .xy = sine,
               .x0 = cosine * -x + sine * -y + x,
               .yx = -sine,
               .yy = cosine,
               .y0 = -sine * -x + cosine * -y + y},
              fill);
}

Image shear_x(const Image& image, double slope, int fill) { return warp(image, {.xy = slope}, fill); }

Image shear_y(const Image& image, double slope, int fill) { return warp(image, {.yx = slope}, fill); }

Image shift(const Image& image, int dx, int dy, int fill) {
  Image out = filled(image, fill);
  const int first_x = std::max(0, -dx), last_x = std::min(image.width, image.width - dx);
  if (first_x >= last_x) return out;
  for (int y = std::max(0, -dy); y < std::min(image.height, image.height - dy); ++y)
    std::copy_n(image.row(y + dy) + static_cast<std::ptrdiff_t>(first_x + dx) * image.channels,
                (last_x - first_x) * image.channels,
                out.row(y) + static_cast<std::ptrdiff_t>(first_x) * image.channels);
  return out;
}

}  // namespace enxerto
