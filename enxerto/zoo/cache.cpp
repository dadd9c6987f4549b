#include "enxerto/zoo/cache.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "enxerto/core/environment.h"
#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace fs = std::filesystem;

fs::path cache_folder() {
  const std::string& folder = environment().cache;
  if (folder.empty())
    throw Error(ErrorKind::usage, "there is no folder for downloaded weights: set ENXERTO_CACHE to one");
  return folder;
}

fs::path record_path(const fs::path& file) { return file.string() + ".json"; }

std::optional<CacheRecord> find_record(const fs::path& file) {
  constexpr std::uint64_t most_bytes = 64 << 10;
  try {
    const std::string content = read_text_file(record_path(file), most_bytes);
    const auto json = nlohmann::json::parse(content);
    if (json.at("format").get<std::int64_t>() != 1) return std::nullopt;
    CacheRecord record;
    record.url = json.at("url").get<std::string>();
    record.from = json.at("from").get<std::string>();
    record.date = json.at("date").get<std::string>();
    record.checked = json.at("checked").get<std::string>();
    record.digests = {json.at("sha256").get<std::string>(), json.at("md5").get<std::string>(),
                      json.at("bytes").get<std::uint64_t>()};
    const Published sound = check_published({record.digests.sha256, record.digests.md5});
    if (sound.sha256.size() != 64) return std::nullopt;
    return record;
  } catch (const Error&) {
    return std::nullopt;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

void save_record(const fs::path& file, const CacheRecord& record) {
  const nlohmann::ordered_json json = {{"format", 1},
                                       {"url", record.url},
                                       {"from", record.from},
                                       {"date", record.date},
                                       {"bytes", record.digests.bytes},
                                       {"sha256", record.digests.sha256},
                                       {"md5", record.digests.md5},
                                       {"checked", record.checked}};
  write_file(record_path(file), json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void check_file_name(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  constexpr std::array<std::string_view, 4> own = {".part", ".json", ".lock", ".partial"};
  const bool is_own =
      std::ranges::any_of(own, [&](std::string_view ending) { return name.ends_with(ending); });
  if (name.empty() || name.size() > 200 || name.front() == '.' || is_own ||
      !std::ranges::all_of(name, is_plain))
    throw Error(ErrorKind::usage,
                text('"', name,
                     "\" cannot be a file of the cache: at most 200 letters, digits, \".\", \"_\" and "
                     "\"-\", not .part, .json or .lock at the end"));
}

std::optional<fs::path> find_cached(const Source& source, const fs::path& folder) {
  fs::path file = folder / source.file;
  const auto record = find_record(file);
  std::error_code code;
  const std::uint64_t size = fs::file_size(file, code);
  if (code || !record || record->digests.bytes != size) return std::nullopt;
  return file;
}

std::optional<fs::path> find_cached(std::string_view net, const fs::path& folder) {
  if (sources_of(net.substr(0, net.find(':'))).empty()) return std::nullopt;
  return find_cached(find_source(net), folder);
}

}  // namespace enxerto
