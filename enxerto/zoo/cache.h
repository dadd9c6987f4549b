/// The cache: a folder with downloaded weights, each with a record of where it is from
/// (docs/formats/cache.md).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "enxerto/zoo/digest.h"
#include "enxerto/zoo/sources.h"

namespace enxerto {

/// As ENXERTO_CACHE and its likes say; it need not exist. Throws Error{usage} where none of them is set.
std::filesystem::path cache_folder();

/// What the record beside a file says of it.
struct CacheRecord {
  std::string url;   ///< its official address
  std::string from;  ///< where it came from: the address, a mirror's, or "put there by hand"
  std::string date;  ///< when its hash was checked first, UTC: "2026-11-25T03:31:46Z"
  Digests digests;
  std::string checked;  ///< what its hash was compared with, as format_published() says it
};

std::filesystem::path record_path(const std::filesystem::path& file);
/// Empty where there is none, or where it cannot be understood.
std::optional<CacheRecord> find_record(const std::filesystem::path& file);
void save_record(const std::filesystem::path& file, const CacheRecord& record);

/// Throws Error{usage} unless it can be a file in the cache: letters, digits, ".", "_", "-" and no names of
/// the cache's own.
void check_file_name(std::string_view name);

/// The file of `source`, where `pull` has checked it and it still has the size that it had then.
std::optional<std::filesystem::path> find_cached(const Source& source,
                                                 const std::filesystem::path& folder = cache_folder());
/// The same for "resnet50", its default weights, or "resnet50:v1". Other weights of the net do not stand in
/// for the default: they may want other preprocessing.
std::optional<std::filesystem::path> find_cached(std::string_view net,
                                                 const std::filesystem::path& folder = cache_folder());

}  // namespace enxerto
