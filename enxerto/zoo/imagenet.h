/// ImageNet's 1,000 classes (Russakovsky et al. 2015), in the order in which networks have their outputs.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enxerto {

struct ImagenetClass {
  std::string_view wnid;  ///< "n01440764", WordNet's id
  std::string_view name;  ///< "tench, Tinca tinca"; no two are alike
};

/// All of them; the index is their place.
std::span<const ImagenetClass> imagenet_classes();
std::vector<std::string> imagenet_names();
/// The index of a class by its wnid or its whole name.
std::optional<int> find_imagenet_class(std::string_view wnid_or_name);

}  // namespace enxerto
