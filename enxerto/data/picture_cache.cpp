#include "enxerto/data/picture_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

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

/// By what the system says of it, because reading all files would cost what the cache is to save.
ContentKey key_of(const std::string& file) {
  std::error_code code;
  const fs::path path = fs::absolute(file, code);
  struct stat info {};
  if (file.empty() || code || ::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return no_key;
  ContentHash hash;
  hash.add(std::string_view(path.native()));
  hash.add(static_cast<std::uint64_t>(info.st_size));
  hash.add(static_cast<std::uint64_t>(info.st_mtim.tv_sec));
  hash.add(static_cast<std::uint64_t>(info.st_mtim.tv_nsec));
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
    keys_.push_back(key_of(data.file(i)));
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
