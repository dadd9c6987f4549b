#include "enxerto/explain/painting.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

/// The cosines of DCT-II: row k is the wave of k half turns.
std::vector<float> cosines(int size) {
  std::vector<float> made;
  for (int k = 0; k < size; ++k)
    for (int i = 0; i < size; ++i)
      made.push_back(static_cast<float>(std::sqrt((k ? 2.0 : 1.0) / size) *
                                        std::cos(std::numbers::pi / size * (i + 0.5) * k)));
  return made;
}

/// to {rows, columns} = a {rows, inner} b {inner, columns}, or a^T where it lies {inner, rows}.
void multiply(std::span<const float> a, bool turned, std::span<const float> b, int rows, int inner,
              int columns, std::span<float> to) {
  const auto count = [](int n) { return static_cast<std::size_t>(n); };
  for (int r = 0; r < rows; ++r) {
    float* const row = to.data() + count(r) * count(columns);
    std::fill_n(row, columns, 0.0f);
    for (int k = 0; k < inner; ++k) {
      const float factor = a[turned ? count(k) * count(rows) + count(r) : count(r) * count(inner) + count(k)];
      const float* const from = b.data() + count(k) * count(columns);
      for (int c = 0; c < columns; ++c) row[c] += factor * from[c];
    }
  }
}

std::vector<float> transposed(std::span<const float> square, int size) {
  std::vector<float> made(square.size());
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < size; ++x)
      made[static_cast<std::size_t>(x * size + y)] = square[static_cast<std::size_t>(y * size + x)];
  return made;
}

/// Columns are the colours in which natural pictures differ: light, blue to yellow, green to purple, as
/// strong as they do, the strongest of length 1. Olah et al. measured them on ImageNet.
constexpr std::array<std::array<float, 3>, 3> colours = {
    {{0.5628f, 0.1948f, 0.0433f}, {0.5845f, 0.0f, -0.1082f}, {0.5845f, -0.1948f, 0.0649f}}};
/// Of the amounts, so that steps of a twentieth are about right.
constexpr float strength = 0.25f;

}  // namespace

Painting::Painting(int height, int width, int channels)
    : height_(height), width_(width), channels_(channels), rows_(cosines(height)), columns_(cosines(width)) {
  ensure(height > 0 && width > 0 && (channels == 1 || channels == 3), "a picture has sides and colours");
  // Cycles a pixel; the mean, which has none, counts as the slowest wave.
  const double slowest = 1.0 / std::max(height, width);
  for (int v = 0; v < height; ++v)
    for (int u = 0; u < width; ++u)
      scale_.push_back(static_cast<float>(
          strength / std::max(std::hypot(v / (2.0 * height), u / (2.0 * width)), slowest)));
}

std::size_t Painting::size() const { return static_cast<std::size_t>(channels_) * scale_.size(); }

std::vector<float> Painting::start(Rng rng) const {
  std::vector<float> made(size());
  for (float& x : made) x = 0.01f * rng.normal();
  return made;
}

void Painting::paint(std::span<const float> amounts, std::span<float> picture) const {
  const std::size_t plane = scale_.size();
  std::vector<float> scaled(plane), half(plane);
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels_); ++c) {
    for (std::size_t i = 0; i < plane; ++i) scaled[i] = scale_[i] * amounts[c * plane + i];
    multiply(scaled, false, columns_, height_, width_, width_, half);
    multiply(rows_, true, half, height_, height_, width_, picture.subspan(c * plane, plane));
  }
  for (std::size_t i = 0; i < plane; ++i) {
    std::array<float, 3> mixed{};
    for (std::size_t c = 0; c < static_cast<std::size_t>(channels_); ++c) {
      mixed[c] = channels_ == 1 ? picture[i] : 0;
      for (std::size_t k = 0; channels_ == 3 && k < 3; ++k)
        mixed[c] += colours[c][k] * picture[k * plane + i];
    }
    for (std::size_t c = 0; c < static_cast<std::size_t>(channels_); ++c)
      picture[c * plane + i] = 1 / (1 + std::exp(-mixed[c]));
  }
}

void Painting::gradient(std::span<const float> picture, std::span<const float> dpicture,
                        std::span<float> damounts) const {
  const std::size_t plane = scale_.size(), channels = static_cast<std::size_t>(channels_);
  std::vector<float> unmixed(size(), 0.0f), half(plane);
  for (std::size_t i = 0; i < plane; ++i)
    for (std::size_t c = 0; c < channels; ++c) {
      const float value = picture[c * plane + i], slope = value * (1 - value) * dpicture[c * plane + i];
      if (channels == 1) unmixed[i] = slope;
      for (std::size_t k = 0; channels == 3 && k < 3; ++k) unmixed[k * plane + i] += colours[c][k] * slope;
    }
  const std::vector<float> columns = transposed(columns_, width_);
  for (std::size_t c = 0; c < channels; ++c) {
    multiply(rows_, false, std::span(unmixed).subspan(c * plane, plane), height_, height_, width_, half);
    const std::span<float> to = damounts.subspan(c * plane, plane);
    multiply(half, false, columns, height_, width_, width_, to);
    for (std::size_t i = 0; i < plane; ++i) to[i] *= scale_[i];
  }
}

namespace {

/// Calls use(place seen, four places of the picture, their shares) for every place of the frame.
template <class Use>
void each_place(const Frame& frame, const Glance& glance, Use use) {
  const double cosine = std::cos(glance.turn) / glance.zoom, sine = std::sin(glance.turn) / glance.zoom;
  for (int y = 0; y < frame.height; ++y)
    for (int x = 0; x < frame.width; ++x) {
      const double dy = y - (frame.height - 1) / 2.0, dx = x - (frame.width - 1) / 2.0;
      const double from_y = std::clamp((frame.from_height - 1) / 2.0 + glance.down + sine * dx + cosine * dy,
                                       0.0, frame.from_height - 1.0),
                   from_x = std::clamp((frame.from_width - 1) / 2.0 + glance.right + cosine * dx - sine * dy,
                                       0.0, frame.from_width - 1.0);
      const int top = static_cast<int>(from_y), left = static_cast<int>(from_x);
      const int bottom = std::min(top + 1, frame.from_height - 1),
                right = std::min(left + 1, frame.from_width - 1);
      const auto v = static_cast<float>(from_y - top), u = static_cast<float>(from_x - left);
      const auto place = [&](int row, int column) {
        return static_cast<std::size_t>(row) * static_cast<std::size_t>(frame.from_width) +
               static_cast<std::size_t>(column);
      };
      use(static_cast<std::size_t>(y * frame.width + x),
          std::array{place(top, left), place(top, right), place(bottom, left), place(bottom, right)},
          std::array{(1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u});
    }
}

}  // namespace

void look(const Frame& frame, const Glance& glance, std::span<const float> picture, std::span<float> seen) {
  const std::size_t channels = static_cast<std::size_t>(frame.channels), from = picture.size() / channels,
                    to = seen.size() / channels;
  each_place(frame, glance, [&](std::size_t place, const auto& places, const auto& shares) {
    for (std::size_t c = 0; c < channels; ++c) {
      float sum = 0;
      for (std::size_t i = 0; i < 4; ++i) sum += shares[i] * picture[c * from + places[i]];
      seen[c * to + place] = sum;
    }
  });
}

void look_back(const Frame& frame, const Glance& glance, std::span<const float> dseen,
               std::span<float> dpicture) {
  const std::size_t channels = static_cast<std::size_t>(frame.channels), from = dpicture.size() / channels,
                    to = dseen.size() / channels;
  each_place(frame, glance, [&](std::size_t place, const auto& places, const auto& shares) {
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t i = 0; i < 4; ++i) dpicture[c * from + places[i]] += shares[i] * dseen[c * to + place];
  });
}

}  // namespace enxerto
