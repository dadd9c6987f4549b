/// Small pictures of large ones.
#pragma once

#include "enxerto/image/image.h"

namespace enxerto {

/// Reduced so that no side is longer, in its proportions; never enlarged.
Image thumbnail(const Image& image, int longest);

}  // namespace enxerto
