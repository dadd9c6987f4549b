/// The flags that say how a picture is decoded and made to fit: of train, preview, extract and fit.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "enxerto/data/preprocess.h"

namespace enxerto::cli {

struct PictureFlags {
  std::string fit, filter, decode;  ///< by name; empty: as it is
  bool any() const { return !(fit + filter + decode).empty(); }
  /// Throws Error{usage} for a name that there is not.
  void apply(Preprocess& preprocess) const;
};
/// Adds --fit, --filter and --decode.
void add_picture_flags(CLI::App& verb, PictureFlags& flags);

}  // namespace enxerto::cli
