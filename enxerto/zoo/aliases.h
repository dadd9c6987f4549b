/// Other programs' names for the layers of the zoo's nets, where the function is the same and only names
/// differ.
#pragma once

#include <optional>
#include <span>
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
  std::optional<float> batch_norm_eps = {};  ///< where the program's is not the net's
  std::string_view doubt = "";               ///< what names and sizes cannot tell, for people
};

/// Those known for this net of the zoo, each of another program; often none.
std::vector<Alias> aliases_of(std::string_view net);

/// How names of tensors start that files of this net's weights may have beside them and that it has no use
/// for.
std::span<const std::string_view> dispensable_prefixes(std::string_view net);

}  // namespace enxerto
