#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <system_error>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/data/open.h"
#include "enxerto/data/readers.h"
#include "enxerto/image/format.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

/// A picture's ending is believed, so that damaged files are named when they are read and not lost in
/// silence. Of all others the first bytes tell.
bool is_picture(const fs::path& path) {
  if (format_of_ending(path.extension().string())) return true;
  std::ifstream file(path, std::ios::binary);
  std::array<char, format_bytes> start{};
  file.read(start.data(), start.size());
  std::array<std::uint8_t, format_bytes> bytes{};
  std::copy(start.begin(), start.end(), bytes.begin());
  return picture_format(std::span(bytes).first(static_cast<std::size_t>(file.gcount()))).has_value();
}

/// Files that are not used: how many, and one of them.
struct PassedOver {
  std::int64_t count = 0;
  std::string first;
  void add(const fs::path& path) {
    if (count++ == 0) first = path.string();
  }
};

struct Walk {
  std::vector<std::string> pictures;
  PassedOver others;        ///< files that are no pictures
  PassedOver broken_links;  ///< that lead nowhere
};

constexpr int most_depth = 64;

/// Follows links. Each folder is read once, by whatever way it is reached: that ends circles, and folders
/// full of links to each other take no longer than others.
void walk(const fs::path& folder, int depth, std::set<fs::path>& seen, Walk& found) {
  std::error_code code;
  const fs::path real = fs::canonical(folder, code);
  if (code) throw Error(ErrorKind::io, text(folder.string(), ": cannot be read: ", code.message()));
  if (!seen.insert(real).second) return;
  if (depth > most_depth)
    throw Error(ErrorKind::unsupported,
                text(folder.string(), ": lies deeper than ", most_depth, " folders; move it up"));
  for (const fs::path& entry : list_folder(folder)) {
    const fs::file_type type = fs::status(entry, code).type();
    if (type == fs::file_type::directory)
      walk(entry, depth + 1, seen, found);
    else if (type == fs::file_type::not_found || type == fs::file_type::none)
      found.broken_links.add(entry);
    else if (type == fs::file_type::regular && is_picture(entry))
      found.pictures.push_back(entry.string());
    else
      found.others.add(entry);
  }
}

void walk(const fs::path& folder, Walk& found) {
  std::set<fs::path> seen;
  walk(folder, 0, seen, found);
  std::sort(found.pictures.begin(), found.pictures.end());
}

std::vector<fs::path> list_subfolders(const fs::path& folder) {
  std::vector<fs::path> subfolders;
  for (const fs::path& entry : list_folder(folder)) {
    std::error_code code;
    if (fs::is_directory(entry, code)) subfolders.push_back(entry);
  }
  return subfolders;
}

/// "F: 3 files are no pictures and passed over, such as F/a.txt".
void note(const std::string& place, const PassedOver& passed, const char* one, const char* many,
          Parts& parts) {
  if (passed.count == 0) return;
  parts.notes.push_back(text(place, ": ", passed.count, " ", passed.count == 1 ? one : many,
                             passed.count == 1 ? ": " : ", such as ", passed.first));
}

Part read_split(const fs::path& folder, Parts& parts) {
  Walk found;
  PassedOver beside;
  for (const fs::path& entry : list_folder(folder)) {
    std::error_code code;
    const fs::file_type type = fs::status(entry, code).type();
    if (type == fs::file_type::directory) continue;
    if (type == fs::file_type::not_found || type == fs::file_type::none)
      found.broken_links.add(entry);
    else
      (type == fs::file_type::regular && is_picture(entry) ? beside : found.others).add(entry);
  }
  const auto class_folders = list_subfolders(folder);
  if (class_folders.empty())
    throw Error(ErrorKind::not_found, text(folder.string(),
                                           beside.count ? ": has pictures, but no folder for each class"
                                                        : ": has no folder of pictures for each class",
                                           "; make one folder for each class and put its pictures there"));
  std::vector<LabelledFile> files;
  for (const fs::path& class_folder : class_folders) {
    found.pictures.clear();
    walk(class_folder, found);
    if (found.pictures.empty())
      parts.notes.push_back(text(class_folder.string(), ": has no pictures, so it is no class"));
    for (const std::string& path : found.pictures)
      files.push_back({path, {class_folder.filename().string()}});
  }
  note(folder.string(), beside, "picture lies beside the class folders and is not used",
       "pictures lie beside the class folders and are not used", parts);
  note(folder.string(), found.broken_links, "link leads nowhere and is passed over",
       "links lead nowhere and are passed over", parts);
  note(folder.string(), found.others, "file is no picture and passed over",
       "files are no pictures and passed over", parts);
  if (files.empty())
    throw Error(
        ErrorKind::not_found,
        text(folder.string(), ": there are no pictures in its folders; put those of each class there"));
  return make_file_part(folder.string(), std::move(files));
}

}  // namespace

Parts read_class_folders(const fs::path& folder) {
  Parts parts;
  const auto subfolders = list_subfolders(folder);
  // A class may be called "train": it is a split where there are folders in it.
  const bool has_splits = std::any_of(subfolders.begin(), subfolders.end(), [](const fs::path& entry) {
    return find_split_name(entry.filename().string()) && !list_subfolders(entry).empty();
  });
  if (!has_splits) {
    parts.splits[train_split] = read_split(folder, parts);
    return parts;
  }
  for (const fs::path& entry : subfolders) {
    const auto name = find_split_name(entry.filename().string());
    if (!name) {
      parts.notes.push_back(text(entry.string(), ": lies beside the splits and is not used"));
      continue;
    }
    auto& part = parts.splits[static_cast<std::size_t>(*name)];
    if (part)
      throw Error(ErrorKind::unsupported,
                  text(entry.string(), ": is the same split as ", part->place, "; keep one of the two"));
    part = read_split(entry, parts);
  }
  return parts;
}

std::vector<std::string> list_pictures(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (status.type() == fs::file_type::not_found)
    throw Error(ErrorKind::not_found, text(path.string(), ": no such file or folder"));
  if (!fs::is_directory(status)) return {path.string()};
  Walk found;
  walk(path, found);
  if (found.pictures.empty()) throw Error(ErrorKind::not_found, text(path.string(), ": has no pictures"));
  return std::move(found.pictures);
}

}  // namespace enxerto
