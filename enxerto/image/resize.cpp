#include "enxerto/image/resize.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

/// 8 bits of pixel and 2 bits of room above, so that no sum of products leaves 32 bits.
constexpr int fraction_bits = 32 - 8 - 2;

/// For each output position the input positions it is made of, and their weights as fixed point.
struct Taps {
  struct Run {
    int first = 0, count = 0;
  };
  std::vector<Run> runs;
  std::vector<std::int32_t> weights;  ///< `stride` for each run
  std::size_t stride = 0;
  const std::int32_t* of(int i) const { return weights.data() + static_cast<std::size_t>(i) * stride; }
};

/// Of `out` positions spread over [from, to) of `in` positions those in [begin, begin + count).
Taps make_taps(int in, double from, double to, std::int64_t out, std::int64_t begin, int count) {
  const double scale = (to - from) / static_cast<double>(out);
  const double support = std::max(scale, 1.0);
  Taps taps;
  taps.stride = static_cast<std::size_t>(std::ceil(support)) * 2 + 1;
  taps.runs.resize(static_cast<std::size_t>(count));
  taps.weights.resize(taps.stride * taps.runs.size());
  std::vector<double> exact(taps.stride);
  for (int i = 0; i < count; ++i) {
    const double centre = from + (static_cast<double>(begin + i) + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int last = std::min(static_cast<int>(centre + support + 0.5), in);
    double sum = 0;
    for (int k = first; k < last; ++k) {
      const double distance = std::abs((k - centre + 0.5) * (1.0 / support));
      const double weight = distance < 1.0 ? 1.0 - distance : 0.0;
      exact[static_cast<std::size_t>(k - first)] = weight;
      sum += weight;
    }
    taps.runs[static_cast<std::size_t>(i)] = {first, last - first};
    std::int32_t* weights = taps.weights.data() + static_cast<std::size_t>(i) * taps.stride;
    for (int k = 0; k < last - first; ++k)
      weights[k] =
          static_cast<std::int32_t>(0.5 + exact[static_cast<std::size_t>(k)] / sum * (1 << fraction_bits));
  }
  return taps;
}

/// The weights of a run add up to one only nearly, so a sum may leave 0..255 by rounding.
std::uint8_t to_pixel(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> fraction_bits, 0, 255));
}

template <int channels>
void resize_row(const std::uint8_t* from, std::uint8_t* to, const Taps& taps) {
  for (std::size_t x = 0; x < taps.runs.size(); ++x, to += channels) {
    const auto [first, count] = taps.runs[x];
    const std::int32_t* weights = taps.of(static_cast<int>(x));
    const std::uint8_t* pixel = from + static_cast<std::ptrdiff_t>(first) * channels;
    std::int32_t sums[channels];
    std::fill_n(sums, channels, 1 << (fraction_bits - 1));
    for (int k = 0; k < count; ++k, pixel += channels)
      for (int c = 0; c < channels; ++c) sums[c] += weights[k] * pixel[c];
    for (int c = 0; c < channels; ++c) to[c] = to_pixel(sums[c]);
  }
}

/// Rows [first, first + count) of the picture, each `width` pixels afterwards.
Image resize_rows(const Image& image, const Taps& taps, int first, int count) {
  Image out(count, static_cast<int>(taps.runs.size()), image.channels);
  for (int y = 0; y < count; ++y) {
    if (image.channels == 3)
      resize_row<3>(image.row(first + y), out.row(y), taps);
    else
      resize_row<1>(image.row(first + y), out.row(y), taps);
  }
  return out;
}

/// Row 0 of the picture is row `first` as the taps count.
Image resize_columns(const Image& image, const Taps& taps, int first) {
  Image out(static_cast<int>(taps.runs.size()), image.width, image.channels);
  const std::size_t bytes = image.row_bytes();
  std::vector<std::int32_t> sums(bytes);
  for (int y = 0; y < out.height; ++y) {
    const auto [from, count] = taps.runs[static_cast<std::size_t>(y)];
    std::fill(sums.begin(), sums.end(), 1 << (fraction_bits - 1));
    for (int k = 0; k < count; ++k) {
      const std::int32_t weight = taps.of(y)[k];
      const std::uint8_t* row = image.row(from - first + k);
      for (std::size_t x = 0; x < bytes; ++x) sums[x] += weight * row[x];
    }
    std::transform(sums.begin(), sums.end(), out.row(y), to_pixel);
  }
  return out;
}

/// Both passes; only the rows that the second needs go through the first.
Image resize_both(const Image& image, const Taps& across, const Taps& down) {
  const int first = down.runs.front().first;
  const int last = down.runs.back().first + down.runs.back().count;
  return resize_columns(resize_rows(image, across, first, last - first), down, first);
}

/// Where a cut from the middle begins. lrint rounds halves to even, like Python's round().
std::int64_t middle(std::int64_t whole, int part) {
  return std::lrint(static_cast<double>(whole - part) / 2.0);
}

}  // namespace

Image resize(const Image& image, const Box& part, int width, int height) {
  ensure(width > 0 && height > 0 && (image.channels == 1 || image.channels == 3),
         "a picture is resized to at least one pixel");
  ensure(part.left >= 0 && part.top >= 0 && part.left < part.right && part.top < part.bottom &&
             part.right <= image.width && part.bottom <= image.height,
         "the part that is resized lies in the picture");
  const bool same_rows = part.top == 0 && part.bottom == image.height && height == image.height;
  const bool same_columns = part.left == 0 && part.right == image.width && width == image.width;
  if (same_columns && same_rows) return image;
  const auto across = [&] { return make_taps(image.width, part.left, part.right, width, 0, width); };
  const auto down = [&] { return make_taps(image.height, part.top, part.bottom, height, 0, height); };
  if (same_columns) return resize_columns(image, down(), 0);
  if (same_rows) return resize_rows(image, across(), 0, image.height);
  return resize_both(image, across(), down());
}

Image resize(const Image& image, int width, int height) {
  return resize(image, {0, 0, static_cast<double>(image.width), static_cast<double>(image.height)}, width,
                height);
}

Image resize_middle(const Image& image, std::int64_t width, std::int64_t height, int cut_width,
                    int cut_height) {
  ensure(cut_width > 0 && cut_height > 0 && cut_width <= width && cut_height <= height,
         "the part that is cut out lies in the picture");
  if (width == image.width && height == image.height) return crop_centre(image, cut_width, cut_height);
  return resize_both(
      image, make_taps(image.width, 0, image.width, width, middle(width, cut_width), cut_width),
      make_taps(image.height, 0, image.height, height, middle(height, cut_height), cut_height));
}

Image crop(const Image& image, int left, int top, int width, int height) {
  ensure(left >= 0 && top >= 0 && width > 0 && height > 0 && width <= image.width - left &&
             height <= image.height - top,
         "the part that is cut out lies in the picture");
  Image out(height, width, image.channels);
  for (int y = 0; y < height; ++y)
    std::copy_n(image.row(top + y) + static_cast<std::ptrdiff_t>(left) * image.channels, out.row_bytes(),
                out.row(y));
  return out;
}

Image crop_centre(const Image& image, int width, int height) {
  if (width == image.width && height == image.height) return image;
  return crop(image, static_cast<int>(middle(image.width, width)),
              static_cast<int>(middle(image.height, height)), width, height);
}

Image flip_horizontal(const Image& image) {
  Image out(image.height, image.width, image.channels);
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* from = image.row(y) + image.row_bytes();
    std::uint8_t* to = out.row(y);
    for (int x = 0; x < image.width; ++x, to += image.channels) {
      from -= image.channels;
      std::copy_n(from, image.channels, to);
    }
  }
  return out;
}

}  // namespace enxerto
