#include "enxerto/image/image.h"

#include "enxerto/core/error.h"

namespace enxerto {

Image with_channels(Image image, int channels) {
  ensure(channels == 1 || channels == 3, "a picture has 1 or 3 channels");
  if (image.channels == channels) return image;
  ensure(image.channels == 1 || image.channels == 3, "decoders lay what lets light through over white");
  Image out(image.height, image.width, channels);
  const std::size_t count = static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width);
  const std::uint8_t* from = image.pixels.data();
  std::uint8_t* to = out.pixels.data();
  if (channels == 3) {
    for (std::size_t i = 0; i < count; ++i) to[3 * i] = to[3 * i + 1] = to[3 * i + 2] = from[i];
  } else {
    // The three weights in units of 2^-16; they add up to 65536, so white stays white.
    for (std::size_t i = 0; i < count; ++i)
      to[i] = static_cast<std::uint8_t>(
          (19595u * from[3 * i] + 38470u * from[3 * i + 1] + 7471u * from[3 * i + 2] + 32768u) >> 16);
  }
  return out;
}

}  // namespace enxerto
