#include "enxerto/image/thumbnail.h"

#include <algorithm>
#include <cmath>

#include "enxerto/image/resize.h"

namespace enxerto {

Image thumbnail(const Image& image, int longest) {
  const double scale = static_cast<double>(longest) / std::max(image.width, image.height);
  if (scale >= 1) return image;
  const auto side = [&](int whole) { return std::max(1, static_cast<int>(std::lround(whole * scale))); };
  return resize(image, side(image.width), side(image.height));
}

}  // namespace enxerto
