#include "enxerto/data/place.h"

#include <filesystem>

namespace enxerto {

std::string place_of(const Dataset& data, std::int64_t index) {
  const std::string file = data.file(index);
  return file.empty() ? data.name(index) : std::filesystem::absolute(file).lexically_normal().string();
}

}  // namespace enxerto
