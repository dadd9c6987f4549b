// The loops of colour_loops.h as the compiler can turn them into vectors, in the namespace ENXERTO_ISA.
// Products and sums must not be fused (-ffp-contract=off): Pillow's are not.

namespace enxerto::ENXERTO_ISA {
namespace {

constexpr std::size_t block = 128;  // pixels; what is in between stays in the first cache

void blend(const std::uint8_t* from, std::uint8_t* to, std::size_t count, float factor) {
  for (std::size_t i = 0; i < count; ++i) {
    const float start = static_cast<float>(from[i]);
    float value = start + factor * static_cast<float>(to[i] - from[i]);
    value = value < 0.0f ? 0.0f : value;
    value = value > 255.0f ? 255.0f : value;
    to[i] = static_cast<std::uint8_t>(static_cast<int>(value));
  }
}

void saturate(std::uint8_t* pixels, std::size_t count, float factor) {
  std::uint8_t grey[3 * block];
  for (std::size_t done = 0; done < count; done += block) {
    const std::size_t part = count - done < block ? count - done : block;
    std::uint8_t* rgb = pixels + 3 * done;
    for (std::size_t i = 0; i < part; ++i)  // as with_channels()
      grey[3 * i] = grey[3 * i + 1] = grey[3 * i + 2] = static_cast<std::uint8_t>(
          (19595u * rgb[3 * i] + 38470u * rgb[3 * i + 1] + 7471u * rgb[3 * i + 2] + 32768u) >> 16);
    blend(grey, rgb, 3 * part, factor);
  }
}

void smooth(const std::uint8_t* above, const std::uint8_t* here, const std::uint8_t* below,
            std::ptrdiff_t bytes, std::ptrdiff_t step, std::uint8_t* to) {
  for (std::ptrdiff_t x = step; x < bytes - step; ++x) {
    const int sum = above[x - step] + above[x] + above[x + step] + here[x - step] + 5 * here[x] +
                    here[x + step] + below[x - step] + below[x] + below[x + step];
    // No sum by 13 lies halfway, so that 6 more and cut off is rounded.
    to[x] = static_cast<std::uint8_t>(static_cast<std::uint16_t>(sum + 6) / 13);
  }
}

/// Red, green and blue are given, hue and the rest come out: Pillow's Convert.c, which follows Python's
/// colorsys. Its sixths of the wheel are differences of (most - x) / (most - least); for the least of the
/// three that is 1 and for the most 0, so that one division and one sum remain.
struct Planes {
  std::int32_t red[block], green[block], blue[block];
  std::int32_t hue[block], saturation[block], value[block];
  float sixths[block];
};

void to_hsv(Planes& p, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t r = p.red[i], g = p.green[i], b = p.blue[i];
    const std::int32_t high = r > g ? r : g, low = r > g ? g : r;
    const std::int32_t most = b > high ? b : high, least = b < low ? b : low;
    const std::int32_t middle = r + g + b - most - least;
    const std::int32_t spread = most - least;
    const float one = static_cast<float>(spread > 0 ? spread : 1);
    const float t = static_cast<float>(most - middle) / one;
    // The first that is the most counts as the most, as in Pillow.
    const float of_red = b == least ? 1.0f - t : t - 1.0f;
    const float of_green = b == least ? 1.0f + t : 3.0f - t;
    const float of_blue = r == least ? 3.0f + t : 5.0f - t;
    const float sixths = r == most ? of_red : g == most ? of_green : of_blue;
    p.sixths[i] = spread > 0 ? sixths : 0.0f;
    const float saturation = static_cast<float>(spread) / static_cast<float>(most > 0 ? most : 1);
    p.saturation[i] = static_cast<std::int32_t>(saturation * 255.0);
    p.value[i] = most;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const double turn = p.sixths[i] / 6.0 + 1.0;  // above 0, below 2
    const float rest = static_cast<float>(turn >= 1.0 ? turn - 1.0 : turn);
    p.hue[i] = static_cast<std::int32_t>(rest * 255.0);
  }
}

void to_rgb(Planes& p, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const float value = static_cast<float>(p.value[i]);
    const float saturation = static_cast<float>(p.saturation[i] / 255.0);
    const float sixths = static_cast<float>(p.hue[i] * 6.0 / 255.0);
    const std::int32_t sector = static_cast<std::int32_t>(sixths);  // 6 is 0 again
    const float rest = sixths - static_cast<float>(sector);
    const std::int32_t v = p.value[i];
    const std::int32_t low = static_cast<std::int32_t>(value * (1.0 - saturation) + 0.5);
    const std::int32_t falling = static_cast<std::int32_t>(value * (1.0 - saturation * rest) + 0.5);
    const std::int32_t rising = static_cast<std::int32_t>(value * (1.0 - saturation * (1.0 - rest)) + 0.5);
    const bool first = sector == 0 || sector == 6;
    p.red[i] = first || sector == 5 ? v : sector == 1 ? falling : sector == 4 ? rising : low;
    p.green[i] = first ? rising : sector <= 2 ? v : sector == 3 ? falling : low;
    p.blue[i] = first || sector == 1 ? low : sector == 2 ? rising : sector == 5 ? falling : v;
  }
}

void turn_hue(std::uint8_t* pixels, std::size_t count, int shift) {
  Planes p;
  for (std::size_t done = 0; done < count; done += block) {
    const std::size_t part = count - done < block ? count - done : block;
    std::uint8_t* rgb = pixels + 3 * done;
    for (std::size_t i = 0; i < part; ++i) {
      p.red[i] = rgb[3 * i];
      p.green[i] = rgb[3 * i + 1];
      p.blue[i] = rgb[3 * i + 2];
    }
    to_hsv(p, part);
    for (std::size_t i = 0; i < part; ++i) p.hue[i] = (p.hue[i] + shift) & 255;
    to_rgb(p, part);
    for (std::size_t i = 0; i < part; ++i) {
      rgb[3 * i] = static_cast<std::uint8_t>(p.red[i]);
      rgb[3 * i + 1] = static_cast<std::uint8_t>(p.green[i]);
      rgb[3 * i + 2] = static_cast<std::uint8_t>(p.blue[i]);
    }
  }
}

constexpr ColourLoops colour_table{blend, saturate, smooth, turn_hue};

}  // namespace
}  // namespace enxerto::ENXERTO_ISA
