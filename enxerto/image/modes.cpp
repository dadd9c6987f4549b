#include <algorithm>
#include <cstddef>

#include "enxerto/image/codecs.h"

namespace enxerto {

Image over_white(const Image& with_alpha, bool multiplied) {
  const int colours = with_alpha.channels - 1;
  Image out(with_alpha.height, with_alpha.width, colours);
  const std::uint8_t* from = with_alpha.pixels.data();
  for (std::size_t i = 0; i < out.pixels.size(); from += colours + 1)
    for (int c = 0; c < colours; ++c, ++i) {
      const unsigned alpha = from[colours];
      out.pixels[i] =
          static_cast<std::uint8_t>(multiplied ? std::min(from[c] + 255 - alpha, 255u)
                                               : (from[c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  return out;
}

Image from_cmyk(std::span<const std::uint8_t> ink, int height, int width, bool inverted) {
  Image out(height, width, 3);
  for (std::size_t i = 0; i < ink.size() / 4; ++i) {
    const auto light = [&](std::size_t k) {
      return inverted ? unsigned{ink[4 * i + k]} : 255u - unsigned{ink[4 * i + k]};
    };
    for (std::size_t k = 0; k < 3; ++k)
      out.pixels[3 * i + k] = static_cast<std::uint8_t>((light(k) * light(3) + 127) / 255);
  }
  return out;
}

}  // namespace enxerto
