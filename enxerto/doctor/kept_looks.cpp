#include "enxerto/doctor/kept_looks.h"

#include <cstring>
#include <string_view>
#include <type_traits>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

struct Row {
  std::array<std::uint64_t, 2> digest{};
  std::int32_t width = 0, height = 0, format = -1, reserved = 0;
  Look look;
};
static_assert(std::is_trivially_copyable_v<Row>);

/// About 400,000 pictures.
constexpr std::int64_t most_bytes = std::int64_t{512} << 20;

RowStoreOptions options_for(int least_side) {
  ContentHash kind;
  // Other versions may read other pixels; between two of them the number is raised where they do.
  kind.add(std::string_view("looks, 1, " ENXERTO_VERSION));
  kind.add(static_cast<std::uint64_t>(least_side));
  return {.kind = kind.key(), .row_bytes = sizeof(Row), .ending = ".looks", .limit_bytes = most_bytes};
}

}  // namespace

KeptLooks::KeptLooks(const std::filesystem::path& folder, int least_side) {
  if (folder.empty()) return;
  try {
    store_.emplace(folder, options_for(least_side));
  } catch (const Error&) {
    store_.reset();
  }
}

bool KeptLooks::find(Picture& picture, Look& look) {
  const auto key = store_ ? file_key(picture.file) : std::nullopt;
  Row row;
  if (!key || !store_->find(*key, std::span(reinterpret_cast<std::uint8_t*>(&row), sizeof row))) return false;
  picture.digest = row.digest;
  picture.width = row.width;
  picture.height = row.height;
  if (row.format >= 0) picture.format = static_cast<PictureFormat>(row.format);
  look = row.look;
  return true;
}

void KeptLooks::keep(const Picture& picture, const Look& look) {
  const auto key = store_ ? file_key(picture.file) : std::nullopt;
  if (!key) return;
  Row row;
  std::memset(static_cast<void*>(&row), 0, sizeof row);  // the bytes between the fields too
  row.digest = picture.digest;
  row.width = picture.width;
  row.height = picture.height;
  row.format = picture.format ? static_cast<std::int32_t>(*picture.format) : -1;
  row.look = look;
  store_->keep(*key, std::span(reinterpret_cast<const std::uint8_t*>(&row), sizeof row));
}

}  // namespace enxerto
