#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/data/open.h"
#include "enxerto/data/readers.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

bool is_called_like_a_picture(const fs::path& path) {
  static constexpr std::array<std::string_view, 5> endings{".jpg", ".jpeg", ".jpe", ".jfif", ".png"};
  const std::string ending = lower_case(path.extension().string());
  return std::find(endings.begin(), endings.end(), ending) != endings.end();
}

struct Walk {
  std::vector<std::string> pictures;
  std::vector<std::string> others;  ///< files that are not called like pictures
};

/// Follows links; `above` ends those that lead back to where they came from.
void walk(const fs::path& folder, std::vector<fs::path>& above, Walk& found) {
  std::error_code code;
  const fs::path real = fs::canonical(folder, code);
  if (code) throw Error(ErrorKind::io, text(folder.string(), ": cannot be read: ", code.message()));
  if (std::find(above.begin(), above.end(), real) != above.end()) return;
  above.push_back(real);
  for (const fs::path& entry : list_folder(folder)) {
    const fs::file_type type = fs::status(entry, code).type();
    if (type == fs::file_type::directory) {
      walk(entry, above, found);
    } else if (is_called_like_a_picture(entry) &&
               (type == fs::file_type::regular || type == fs::file_type::not_found)) {
      // A link that leads nowhere counts: get() then names it.
      found.pictures.push_back(entry.string());
    } else {
      found.others.push_back(entry.string());
    }
  }
  above.pop_back();
}

Walk walk(const fs::path& folder) {
  Walk found;
  std::vector<fs::path> above;
  walk(folder, above, found);
  std::sort(found.pictures.begin(), found.pictures.end());
  return found;
}

std::vector<fs::path> list_subfolders(const fs::path& folder) {
  std::vector<fs::path> subfolders;
  for (const fs::path& entry : list_folder(folder)) {
    std::error_code code;
    // What macOS puts beside the files in its archives.
    if (fs::is_directory(entry, code) && entry.filename() != "__MACOSX") subfolders.push_back(entry);
  }
  return subfolders;
}

void note_others(const std::string& place, const std::vector<std::string>& others, Parts& parts) {
  if (others.empty()) return;
  parts.notes.push_back(text(place, ": ", others.size(), others.size() == 1 ? " file is" : " files are",
                             " not called like JPEG or PNG pictures and passed over, such as ",
                             others.front()));
}

Part read_split(const fs::path& folder, Parts& parts) {
  std::vector<LabelledFile> files;
  std::vector<std::string> others;
  for (const fs::path& entry : list_folder(folder)) {
    std::error_code code;
    if (!fs::is_directory(entry, code)) others.push_back(entry.string());
  }
  const auto class_folders = list_subfolders(folder);
  if (class_folders.empty()) {
    const bool has_pictures = std::any_of(others.begin(), others.end(), is_called_like_a_picture);
    throw Error(ErrorKind::not_found, text(folder.string(),
                                           has_pictures ? ": has pictures, but no folder for each class"
                                                        : ": has no folder of pictures for each class",
                                           "; make one folder for each class and put its pictures there"));
  }
  if (const auto beside = std::count_if(others.begin(), others.end(), is_called_like_a_picture))
    parts.notes.push_back(text(folder.string(), ": ", beside, beside == 1 ? " picture lies" : " pictures lie",
                               " beside the class folders and ", beside == 1 ? "is" : "are", " not used"));
  others.clear();
  for (const fs::path& class_folder : class_folders) {
    const Walk found = walk(class_folder);
    if (found.pictures.empty())
      throw Error(ErrorKind::not_found,
                  text(class_folder.string(),
                       ": this class has no JPEG or PNG pictures; add some or remove the folder"));
    others.insert(others.end(), found.others.begin(), found.others.end());
    for (const std::string& path : found.pictures)
      files.push_back({path, {class_folder.filename().string()}});
  }
  note_others(folder.string(), others, parts);
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
  auto found = walk(path);
  if (found.pictures.empty())
    throw Error(ErrorKind::not_found, text(path.string(), ": has no JPEG or PNG pictures"));
  return std::move(found.pictures);
}

}  // namespace enxerto
