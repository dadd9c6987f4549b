/// What pictures look like, kept for the next training on the same files. Not installed.
#pragma once

#include <filesystem>
#include <optional>

#include "enxerto/core/row_store.h"
#include "enxerto/doctor/examine.h"

namespace enxerto {

/// Only of pictures that could be read: those that could not are read again each time. A file is known by its
/// path, length and time of change. Calls may come from many threads at once.
class KeptLooks {
 public:
  /// Nothing is kept where `folder` is empty or of no use: that is no reason not to look.
  KeptLooks(const std::filesystem::path& folder, int least_side);

  /// All but name, place, labels and the time when it was taken.
  bool find(Picture& picture, Look& look);
  void keep(const Picture& picture, const Look& look);

 private:
  std::optional<RowStore> store_;
};

}  // namespace enxerto
