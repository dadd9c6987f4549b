/// Registration: whether two pictures show the same where they are laid over each other in the best way.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "enxerto/image/image.h"

namespace enxerto {

/// Longer side of the small pictures that are laid over each other.
inline constexpr int plate_side = 64;

/// A picture in two shades of grey, its proportions kept. The hue of HSV does not change the greatest
/// channel, that of YIQ not the luma.
struct Plate {
  int width = 0, height = 0;
  std::array<std::vector<std::uint8_t>, 2> shades;  ///< luma, greatest channel
};
Plate plate_of(const Image& image);

/// How alike they are where they lie over each other, as in Likeness.
struct Laid {
  double whole = 0, detail = 0;  ///< correlations
  double fine = 0;               ///< the same of what differs from the next pixels alone
  double overlap = 0;            ///< the part of the larger of the two that is laid over
  bool mirrored = false;
};

/// The best of: one of them is a part of the other (0.6 of its sides or more), mirrored or not, turned by 12
/// degrees at most, squeezed a little. A search in steps, from coarse to fine; some milliseconds. Whoever is
/// hopeless on the coarse steps is given up, with zeros.
Laid laid_over(const Plate& a, const Plate& b);

}  // namespace enxerto
