#include "enxerto/data/picture_cache.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

namespace enxerto {
namespace {

namespace fs = std::filesystem;

constexpr ContentKey no_key;  ///< of a picture that has no file to itself, or whose file is not there

/// Two data sets of this size, or this much, before what is old has to go.
constexpr std::int64_t least_limit_bytes = std::int64_t{8} << 30;

/// What the bytes of a fitted picture depend on, beside the file.
ContentKey kind_of(const Preprocess& preprocess) {
  nlohmann::json program = preprocess.to_json();
  for (const char* later : {"mean", "std", "scale", "order"}) program.erase(later);
  ContentHash hash;
  hash.add(std::string_view("fitted pictures, 1"));
  hash.add(std::string_view(program.dump()));
  return hash.key();
}

}  // namespace

PictureCache::PictureCache(const fs::path& folder, const Dataset& data, const Preprocess& preprocess) {
  RowStoreOptions options;
  options.kind = kind_of(preprocess);
  options.row_bytes = static_cast<std::size_t>(preprocess.shape().size());
  options.ending = ".pictures";
  const auto row_bytes = static_cast<std::int64_t>(options.row_bytes) + 256;  // with what stands around it
  options.limit_bytes = std::max(least_limit_bytes, 2 * data.size() * row_bytes);
  bool any = false;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    keys_.push_back(file_key(data.file(i)).value_or(no_key));
    any = any || keys_.back() != no_key;
  }
  if (any) store_.emplace(folder, options);
}

bool PictureCache::find(std::int64_t index, std::span<std::uint8_t> picture) {
  const ContentKey& key = keys_[static_cast<std::size_t>(index)];
  return key != no_key && store_->find(key, picture);
}

void PictureCache::keep(std::int64_t index, std::span<const std::uint8_t> picture) {
  const ContentKey& key = keys_[static_cast<std::size_t>(index)];
  if (key != no_key) store_->keep(key, picture);
}

std::int64_t PictureCache::memory_bytes() const {
  if (!store_) return 0;
  // With the rows that are still to come.
  const std::int64_t rows = std::max(store_->rows(), std::ssize(keys_));
  return std::ssize(keys_) * std::int64_t{sizeof(ContentKey)} + rows * RowStore::row_memory_bytes;
}

}  // namespace enxerto
