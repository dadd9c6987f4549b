// The slow, obvious twin of the loops in pixel_lanes.inl, and what other chips than x86-64 run.
#include <algorithm>
#include <vector>

#include "enxerto/image/pixel_loops.h"

namespace enxerto {
namespace {

/// The weights of a run add up to one only nearly, and some filters overshoot: a sum may leave 0..255.
std::uint8_t to_pixel(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> weight_bits, 0, 255));
}

const std::int32_t* weights_of(const TapsView& taps, int i) {
  return taps.weights + static_cast<std::size_t>(i) * taps.stride;
}

const std::uint8_t* row_of(const Rows& rows, int y) {
  return rows.data + static_cast<std::size_t>(y) * rows.stride;
}

template <int channels>
void across_row(const std::uint8_t* from, const TapsView& taps, std::uint8_t* to) {
  for (int x = 0; x < taps.size; ++x, to += channels) {
    const auto [first, count] = taps.runs[x];
    const std::int32_t* weights = weights_of(taps, x);
    const std::uint8_t* pixel = from + static_cast<std::ptrdiff_t>(first) * channels;
    std::int32_t sums[channels];
    std::fill_n(sums, channels, 1 << (weight_bits - 1));
    for (int k = 0; k < count; ++k, pixel += channels)
      for (int c = 0; c < channels; ++c) sums[c] += weights[k] * pixel[c];
    for (int c = 0; c < channels; ++c) to[c] = to_pixel(sums[c]);
  }
}

void across(const Rows& from, int count, int channels, const TapsView& taps, std::uint8_t* to) {
  for (int y = 0; y < count; ++y, to += taps.size * channels) {
    if (channels == 3)
      across_row<3>(row_of(from, y), taps, to);
    else
      across_row<1>(row_of(from, y), taps, to);
  }
}

void down(const Rows& from, std::size_t bytes, const TapsView& taps, std::uint8_t* to) {
  std::vector<std::int32_t> sums(bytes);
  for (int y = 0; y < taps.size; ++y, to += bytes) {
    const auto [first, count] = taps.runs[y];
    std::fill(sums.begin(), sums.end(), 1 << (weight_bits - 1));
    for (int k = 0; k < count; ++k) {
      const std::int32_t weight = weights_of(taps, y)[k];
      const std::uint8_t* row = row_of(from, first + k);
      for (std::size_t x = 0; x < bytes; ++x) sums[x] += weight * row[x];
    }
    std::transform(sums.begin(), sums.end(), to, to_pixel);
  }
}

void planes(const std::uint8_t* pixels, std::size_t count, int channels, const int* source,
            const PixelTable* table, float* to) {
  for (int c = 0; c < channels; ++c, to += count)
    for (std::size_t i = 0; i < count; ++i)
      to[i] =
          table[c]
              .value[pixels[i * static_cast<std::size_t>(channels) + static_cast<std::size_t>(source[c])]];
}

}  // namespace

const PixelLoops& pixel_loops_reference() {
  static constexpr PixelLoops table{"reference", across, down, planes};
  return table;
}

}  // namespace enxerto
