/// Other programs' names for the layers of the zoo's nets, where the function is the same and only names
/// differ.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "enxerto/data/preprocess.h"
#include "enxerto/weights/conventions.h"

namespace enxerto {

/// One program's names for a net: our node's name to theirs.
struct Alias {
  std::string_view program;  ///< "Keras applications", "timm"
  Convention convention;     ///< what its files are written in
  Normalization normalization;
  std::unordered_map<std::string, std::string> names;
};

/// Those known for this net of the zoo; often none.
std::vector<Alias> aliases_of(std::string_view net);

}  // namespace enxerto
