#include "enxerto/image/colour.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

using Table = std::array<std::uint8_t, 256>;
using Histogram = std::array<std::int64_t, 256>;

/// Pillow's blend in its own precision: from `from` towards (or beyond) `to`, cut off to an integer.
std::uint8_t blend(int from, int to, float factor) {
  const float value = static_cast<float>(from) + factor * static_cast<float>(to - from);
  return static_cast<std::uint8_t>(std::clamp(value, 0.0f, 255.0f));
}

template <class Function>
Table make_table(const Function& function) {
  Table table;
  for (int value = 0; value < 256; ++value)
    table[static_cast<std::size_t>(value)] =
        static_cast<std::uint8_t>(std::clamp(static_cast<int>(function(value)), 0, 255));
  return table;
}

Image mapped(Image image, const Table& table) {
  for (std::uint8_t& value : image.pixels) value = table[value];
  return image;
}

/// Each channel by the table that `make` has for its histogram.
template <class Make>
Image mapped_by_channel(Image image, const Make& make) {
  const auto depth = static_cast<std::size_t>(image.channels);
  for (std::size_t c = 0; c < depth; ++c) {
    Histogram histogram{};
    for (std::size_t i = c; i < image.pixels.size(); i += depth) ++histogram[image.pixels[i]];
    const Table table = make(histogram);
    for (std::size_t i = c; i < image.pixels.size(); i += depth) image.pixels[i] = table[image.pixels[i]];
  }
  return image;
}

/// The sum of the nine pixels around each of a row's values but the outermost, the middle one five times.
void smooth_row(const Image& image, int y, std::uint16_t* sums) {
  const std::ptrdiff_t step = image.channels;
  const std::uint8_t *above = image.row(y - 1), *here = image.row(y), *below = image.row(y + 1);
  const auto bytes = static_cast<std::ptrdiff_t>(image.row_bytes());
  for (std::ptrdiff_t x = step; x < bytes - step; ++x)
    sums[x] = static_cast<std::uint16_t>(above[x - step] + above[x] + above[x + step] + here[x - step] +
                                         5 * here[x] + here[x + step] + below[x - step] + below[x] +
                                         below[x + step]);
}

struct Hsv {
  int hue, saturation, value;
};

/// Hue and saturation in 255ths, cut off; Pillow's Convert.c, which follows Python's colorsys.
Hsv to_hsv(int red, int green, int blue) {
  const int most = std::max({red, green, blue}), least = std::min({red, green, blue});
  if (most == least) return {0, 0, most};
  const auto spread = static_cast<float>(most - least);
  const float r = static_cast<float>(most - red) / spread, g = static_cast<float>(most - green) / spread,
              b = static_cast<float>(most - blue) / spread;
  float sixths;
  if (red == most)
    sixths = b - g;
  else if (green == most)
    sixths = static_cast<float>(2.0 + r - b);
  else
    sixths = static_cast<float>(4.0 + g - r);
  double turn = sixths / 6.0 + 1.0;  // above 0, below 2
  if (turn >= 1.0) turn -= 1.0;
  return {static_cast<int>(static_cast<float>(turn) * 255.0),
          static_cast<int>(spread / static_cast<float>(most) * 255.0), most};
}

void to_rgb(const Hsv& hsv, std::uint8_t* rgb) {
  const auto value = static_cast<float>(hsv.value), saturation = static_cast<float>(hsv.saturation / 255.0);
  const auto sixths = static_cast<float>(hsv.hue * 6.0 / 255.0);
  const int sector = static_cast<int>(sixths);
  const float rest = sixths - static_cast<float>(sector);
  const auto rounded = [](double x) { return static_cast<std::uint8_t>(x + 0.5); };
  const auto v = static_cast<std::uint8_t>(hsv.value);
  const std::uint8_t low = rounded(value * (1.0 - saturation)),
                     falling = rounded(value * (1.0 - saturation * rest)),
                     rising = rounded(value * (1.0 - saturation * (1.0 - rest)));
  const std::uint8_t of_sector[6][3] = {{v, rising, low},  {falling, v, low}, {low, v, rising},
                                        {low, falling, v}, {rising, low, v},  {v, low, falling}};
  std::copy_n(of_sector[sector % 6], 3, rgb);
}

}  // namespace

Image adjust_brightness(Image image, double factor) {
  const auto f = static_cast<float>(factor);
  return mapped(std::move(image), make_table([&](int value) { return blend(0, value, f); }));
}

Image adjust_contrast(Image image, double factor) {
  if (image.pixels.empty()) return image;
  const Image grey = with_channels(image, 1);
  const auto sum =
      static_cast<double>(std::accumulate(grey.pixels.begin(), grey.pixels.end(), std::int64_t{0}));
  const int mean = static_cast<int>(sum / static_cast<double>(grey.pixels.size()) + 0.5);
  const auto f = static_cast<float>(factor);
  return mapped(std::move(image), make_table([&](int value) { return blend(mean, value, f); }));
}

Image adjust_saturation(Image image, double factor) {
  if (image.channels == 1) return image;
  const Image grey = with_channels(image, 1);
  const auto f = static_cast<float>(factor);
  std::uint8_t* pixel = image.pixels.data();
  for (const std::uint8_t luma : grey.pixels)
    for (int c = 0; c < 3; ++c, ++pixel) *pixel = blend(luma, *pixel, f);
  return image;
}

Image adjust_sharpness(Image image, double factor) {
  if (image.height < 3 || image.width < 3) return image;
  const Image source = image;
  const auto f = static_cast<float>(factor);
  std::vector<std::uint16_t> sums(image.row_bytes());
  const auto step = static_cast<std::size_t>(image.channels);
  for (int y = 1; y + 1 < image.height; ++y) {
    smooth_row(source, y, sums.data());
    std::uint8_t* row = image.row(y);
    // No sum by 13 lies halfway, so that 6 more and cut off is rounded.
    for (std::size_t x = step; x < image.row_bytes() - step; ++x)
      row[x] = blend((sums[x] + 6) / 13, row[x], f);
  }
  return image;
}

Image turn_hue(Image image, double turns) {
  if (image.channels == 1) return image;
  ensure(std::abs(turns) <= 1, "hue is turned by at most the whole wheel");
  const int shift = static_cast<int>(turns * 255);
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    std::uint8_t* rgb = image.pixels.data() + i;
    Hsv hsv = to_hsv(rgb[0], rgb[1], rgb[2]);
    hsv.hue = (hsv.hue + shift) & 255;
    to_rgb(hsv, rgb);
  }
  return image;
}

Image posterize(Image image, int bits) {
  ensure(bits >= 0 && bits <= 8, "a value has 8 bits");
  const int mask = ~((1 << (8 - bits)) - 1);
  return mapped(std::move(image), make_table([&](int value) { return value & mask; }));
}

Image solarize(Image image, double threshold) {
  return mapped(std::move(image),
                make_table([&](int value) { return value < threshold ? value : 255 - value; }));
}

Image autocontrast(Image image) {
  return mapped_by_channel(std::move(image), [](const Histogram& histogram) {
    int low = 0, high = 255;
    while (low < 255 && histogram[static_cast<std::size_t>(low)] == 0) ++low;
    while (high > 0 && histogram[static_cast<std::size_t>(high)] == 0) --high;
    if (high <= low) return make_table([](int value) { return value; });
    const double scale = 255.0 / (high - low), offset = -low * scale;
    return make_table([&](int value) { return value * scale + offset; });
  });
}

Image equalize(Image image) {
  return mapped_by_channel(std::move(image), [](const Histogram& histogram) {
    const auto last =
        std::find_if(histogram.rbegin(), histogram.rend(), [](auto count) { return count > 0; });
    const std::int64_t all = std::accumulate(histogram.begin(), histogram.end(), std::int64_t{0});
    const std::int64_t step = last == histogram.rend() ? 0 : (all - *last) / 255;
    if (step == 0) return make_table([](int value) { return value; });
    std::int64_t below = step / 2;
    return make_table([&](int value) {
      const std::int64_t level = below / step;
      below += histogram[static_cast<std::size_t>(value)];
      return std::min<std::int64_t>(level, 255);
    });
  });
}

}  // namespace enxerto
