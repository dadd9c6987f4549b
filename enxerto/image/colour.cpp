#include "enxerto/image/colour.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "enxerto/core/error.h"
#include "enxerto/image/colour_loops.h"

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
  if (image.channels == 3)
    colour_loops().saturate(image.pixels.data(), image.pixels.size() / 3, static_cast<float>(factor));
  return image;
}

Image adjust_sharpness(Image image, double factor) {
  if (image.height < 3 || image.width < 3) return image;
  // Rows are read after they were written: the two that are still needed are kept.
  const std::size_t bytes = image.row_bytes();
  const auto step = static_cast<std::size_t>(image.channels);
  std::vector<std::uint8_t> above(image.row(0), image.row(1)), here(bytes), smooth(bytes);
  for (int y = 1; y + 1 < image.height; ++y) {
    std::uint8_t* row = image.row(y);
    std::copy_n(row, bytes, here.data());
    colour_loops().smooth(above.data(), here.data(), image.row(y + 1), static_cast<std::ptrdiff_t>(bytes),
                          image.channels, smooth.data());
    colour_loops().blend(smooth.data() + step, row + step, bytes - 2 * step, static_cast<float>(factor));
    above.swap(here);
  }
  return image;
}

Image turn_hue(Image image, double turns) {
  ensure(std::abs(turns) <= 1, "hue is turned by at most the whole wheel");
  if (image.channels == 3)
    colour_loops().turn_hue(image.pixels.data(), image.pixels.size() / 3, static_cast<int>(turns * 255));
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
