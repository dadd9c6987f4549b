/// Where a picture of a dataset lies.
#pragma once

#include <string>

#include "enxerto/data/dataset.h"

namespace enxerto {

/// The absolute path of a picture's file, or its name where it has none to itself.
std::string place_of(const Dataset& data, std::int64_t index);

}  // namespace enxerto
