/// What open.cpp and the readers of each kind of data agree on. Not installed.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "enxerto/data/dataset.h"

namespace enxerto {

/// One split as a reader finds it, with class names and numbers of its own.
struct Part {
  std::string place;                 ///< for errors: "pets/val"
  std::vector<std::string> classes;  ///< sorted by name, or as the file numbers them
  LabelTable labels;                 ///< into `classes`; no picture is `unlabelled`
  /// The pictures with other labels, which count in other classes.
  std::function<std::shared_ptr<const Dataset>(LabelTable labels, std::vector<std::string> classes)> make;
};

enum SplitName { train_split, val_split, test_split };

struct Parts {
  std::array<std::optional<Part>, 3> splits;  ///< by SplitName
  std::vector<std::string> notes;
};

/// Files with the names of the classes of each.
struct LabelledFile {
  std::string path;
  std::vector<std::string> labels;  ///< none of them twice
};
/// `multi`: as LabelTable has it; else each file has one label.
Part make_file_part(std::string place, std::vector<LabelledFile> files, bool multi = false);
/// Pictures of one size that were read into memory.
Part make_memory_part(std::string place, PictureBlock block, std::vector<std::int32_t> labels,
                      std::vector<std::string> classes);

/// "train", "val", "validation", "valid", "test", in any case.
std::optional<SplitName> find_split_name(std::string_view name);

Parts read_manifest(const std::filesystem::path& file);
bool is_idx_folder(const std::vector<std::filesystem::path>& entries);
Parts read_idx_folder(const std::filesystem::path& folder, const std::vector<std::filesystem::path>& entries);
bool is_cifar_folder(const std::vector<std::filesystem::path>& entries);
Parts read_cifar_folder(const std::filesystem::path& folder,
                        const std::vector<std::filesystem::path>& entries);
Parts read_class_folders(const std::filesystem::path& folder);

/// What lies in a folder, hidden things left out, sorted by name. Throws Error.
std::vector<std::filesystem::path> list_folder(const std::filesystem::path& folder);

/// A to Z become a to z, whatever the locale.
std::string lower_case(std::string text);

/// "a", "b" and "c"; of more than ten the first ten and how many follow.
std::string quoted_list(const std::vector<std::string>& names);

}  // namespace enxerto
