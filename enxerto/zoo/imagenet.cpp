#include "enxerto/zoo/imagenet.h"

#include <algorithm>
#include <array>

namespace enxerto {
namespace {

constexpr std::array<ImagenetClass, 1000> all_classes = {{
#include "enxerto/zoo/imagenet_classes.inc"
}};

}  // namespace

std::span<const ImagenetClass> imagenet_classes() { return all_classes; }

std::vector<std::string> imagenet_names() {
  std::vector<std::string> names;
  for (const ImagenetClass& each : all_classes) names.emplace_back(each.name);
  return names;
}

std::optional<int> find_imagenet_class(std::string_view wnid_or_name) {
  const auto found = std::ranges::find_if(all_classes, [&](const ImagenetClass& each) {
    return each.wnid == wnid_or_name || each.name == wnid_or_name;
  });
  if (found == all_classes.end()) return std::nullopt;
  return static_cast<int>(found - all_classes.begin());
}

}  // namespace enxerto
