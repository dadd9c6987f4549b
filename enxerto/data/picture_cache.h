/// PictureCache: fitted pictures in a file, so that later runs need not decode them again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "enxerto/core/row_store.h"
#include "enxerto/data/dataset.h"
#include "enxerto/data/preprocess.h"

namespace enxerto {

/// A file in a folder for each way of fitting, of all data sets (row_store.h tells what it promises). A
/// picture is found by the path of its file, its length and its time of change: one that was changed or added
/// is decoded, the others stay, whatever split they are in. Nothing here is worth an end of the run. find()
/// and keep() may be called from many threads.
class PictureCache {
 public:
  /// Makes the folder where it is missing; Error{usage} where a file is in its place, Error{io} where it
  /// cannot be made. Data that are no files are not cached.
  PictureCache(const std::filesystem::path& folder, const Dataset& data, const Preprocess& preprocess);

  /// The picture's bytes, if they are there.
  bool find(std::int64_t index, std::span<std::uint8_t> picture);
  void keep(std::int64_t index, std::span<const std::uint8_t> picture);

  /// For people: what is wrong with it; empty where nothing is.
  std::string note() const { return store_ ? store_->note() : ""; }
  std::int64_t memory_bytes() const;

 private:
  std::vector<ContentKey> keys_;  ///< of each picture
  std::optional<RowStore> store_;
};

}  // namespace enxerto
