#include "enxerto/data/open.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/data/readers.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

/// The names of the classes that have a picture.
std::vector<std::string> present_classes(const Part& part) {
  std::vector<bool> present(part.classes.size());
  for (const std::int32_t label : part.labels.values) present[static_cast<std::size_t>(label)] = true;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < present.size(); ++i)
    if (present[i]) names.push_back(part.classes[i]);
  return names;
}

std::vector<std::string> those_not_in(const std::vector<std::string>& names,
                                      const std::vector<std::string>& all) {
  const std::unordered_set<std::string_view> known(all.begin(), all.end());
  std::vector<std::string> missing;
  for (const std::string& name : names)
    if (!known.contains(name)) missing.push_back(name);
  return missing;
}

const char* class_word(const std::vector<std::string>& names) {
  return names.size() == 1 ? "the class " : "the classes ";
}

/// What training needs: two classes in train, and no others in the other splits. Of a class with few pictures
/// these may lack some, for which there is a note. Where a picture may have several labels, one class alone
/// is a question too.
std::vector<std::string> check_for_training(const fs::path& path, Parts& parts) {
  const auto& train = parts.splits[train_split];
  if (!train)
    throw Error(ErrorKind::not_found, text(path.string(), ": has no train/ split; training needs one"));
  const std::vector<std::string> classes = present_classes(*train);
  const bool multi = train->labels.multi;
  if (classes.empty())
    throw Error(ErrorKind::not_found,
                text(train->place, multi ? ": no picture has a label" : ": has no pictures"));
  if (classes.size() == 1 && !multi)
    throw Error(ErrorKind::unsupported, text(train->place, ": has one class only, \"", classes.front(),
                                             "\"; a classifier needs two or more"));
  for (const SplitName name : {val_split, test_split}) {
    const auto& other = parts.splits[static_cast<std::size_t>(name)];
    if (!other) continue;
    const auto its_classes = present_classes(*other);
    if (const auto extra = those_not_in(its_classes, classes); !extra.empty())
      throw Error(ErrorKind::not_found,
                  text(other->place, ": has ", class_word(extra), quoted_list(extra), ", which ",
                       train->place, " has not; the names must be the same"));
    if (const auto missing = those_not_in(classes, its_classes); !missing.empty())
      parts.notes.push_back(text(other->place, ": no picture ", multi ? "shows " : "is of ",
                                 multi ? "" : class_word(missing), quoted_list(missing)));
  }
  return classes;
}

/// The classes that any split has: as the first of them numbers them, then those of the others.
std::vector<std::string> all_classes(const Parts& parts) {
  std::vector<std::string> classes;
  for (const auto& part : parts.splits) {
    if (!part) continue;
    const auto fresh = those_not_in(present_classes(*part), classes);
    classes.insert(classes.end(), fresh.begin(), fresh.end());
  }
  return classes;
}

std::shared_ptr<const Dataset> make_dataset(const Part& part, const std::vector<std::string>& classes) {
  if (const auto unknown = those_not_in(present_classes(part), classes); !unknown.empty())
    throw Error(ErrorKind::not_found,
                text(part.place, ": has ", class_word(unknown), quoted_list(unknown),
                     ", which the model does not know; it knows ", quoted_list(classes)));
  std::unordered_map<std::string_view, std::int32_t> places;
  for (const std::string& name : classes) places.emplace(name, static_cast<std::int32_t>(places.size()));
  std::vector<std::int32_t> number;  // of classes that have no picture here, what is never read
  for (const std::string& name : part.classes) {
    const auto found = places.find(name);
    number.push_back(found == places.end() ? static_cast<std::int32_t>(classes.size()) : found->second);
  }
  LabelTable labels = part.labels;
  for (std::int32_t& label : labels.values) label = number[static_cast<std::size_t>(label)];
  // A model's classes may come in any order.
  for (std::size_t i = 0, begin = 0; i < labels.ends.size(); begin = labels.ends[i++])
    std::sort(labels.values.begin() + static_cast<std::ptrdiff_t>(begin),
              labels.values.begin() + static_cast<std::ptrdiff_t>(labels.ends[i]));
  return part.make(std::move(labels), classes);
}

Parts read_parts(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (status.type() == fs::file_type::not_found)
    throw Error(ErrorKind::not_found, text(path.string(), ": no such folder"));
  if (code) throw Error(ErrorKind::io, text(path.string(), ": cannot be read: ", code.message()));
  if (!fs::is_directory(status)) {
    const std::string ending = lower_case(path.extension().string());
    if (ending == ".csv" || ending == ".jsonl") return read_manifest(path);
    throw Error(
        ErrorKind::unsupported,
        text(path.string(), ": is a file; a folder of pictures or a .csv or .jsonl manifest was expected"));
  }
  const auto entries = list_folder(path);
  if (entries.empty())
    throw Error(ErrorKind::not_found,
                text(path.string(), ": is empty; put a folder of pictures for each class there"));
  if (is_idx_folder(entries)) return read_idx_folder(path, entries);
  if (is_cifar_folder(entries)) return read_cifar_folder(path, entries);
  return read_class_folders(path);
}

}  // namespace

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::string quoted_list(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 10;
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), shown); ++i) {
    if (i) out += i + 1 == names.size() ? " and " : ", ";
    out += "\"" + names[i] + "\"";
  }
  if (names.size() > shown) out += text(" and ", names.size() - shown, " more");
  return out;
}

std::optional<SplitName> find_split_name(std::string_view name) {
  const std::string small = lower_case(std::string(name));
  if (small == "train") return train_split;
  if (small == "val" || small == "valid" || small == "validation") return val_split;
  if (small == "test") return test_split;
  return {};
}

namespace {

/// What is hidden, and what macOS and Windows put beside people's files.
bool is_litter(const std::string& name) {
  if (name.front() == '.' || name == "__MACOSX") return true;
  const std::string small = lower_case(name);
  return small == "thumbs.db" || small == "desktop.ini";
}

}  // namespace

std::vector<fs::path> list_folder(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code code;
  for (fs::directory_iterator at(folder, code), end; !code && at != end; at.increment(code))
    if (!is_litter(at->path().filename().string())) entries.push_back(at->path());
  if (code) throw Error(ErrorKind::io, text(folder.string(), ": cannot be listed: ", code.message()));
  // By bytes: the same order under every locale.
  std::sort(entries.begin(), entries.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  return entries;
}

Part make_file_part(std::string place, std::vector<LabelledFile> files, bool multi) {
  std::map<std::string, std::int32_t> numbers;
  for (const LabelledFile& file : files)
    for (const std::string& label : file.labels) numbers[label] = 0;
  Part part;
  part.place = std::move(place);
  for (auto& [name, number] : numbers) {
    number = static_cast<std::int32_t>(part.classes.size());
    part.classes.push_back(name);
  }
  std::vector<std::string> paths;
  part.labels.multi = multi;
  for (LabelledFile& file : files) {
    for (const std::string& label : file.labels) part.labels.values.push_back(numbers[label]);
    if (multi) part.labels.ends.push_back(part.labels.values.size());
    paths.push_back(std::move(file.path));
  }
  part.make = [paths = std::move(paths)](LabelTable labels, std::vector<std::string> classes) {
    return std::make_shared<const FileDataset>(paths, std::move(labels), std::move(classes));
  };
  return part;
}

Part make_memory_part(std::string place, PictureBlock block, std::vector<std::int32_t> labels,
                      std::vector<std::string> classes) {
  Part part{std::move(place), std::move(classes), std::move(labels), {}};
  // Shared, because std::function wants to copy; taken out again by the one call that there is.
  part.make = [shared = std::make_shared<PictureBlock>(std::move(block))](
                  LabelTable its_labels, std::vector<std::string> its_classes) {
    return std::make_shared<const MemoryDataset>(std::move(*shared), std::move(its_labels),
                                                 std::move(its_classes));
  };
  return part;
}

Splits open_data(const fs::path& path, const OpenOptions& options) {
  Parts parts = read_parts(path);
  std::vector<std::string> classes = options.classes;
  if (classes.empty()) classes = options.for_training ? check_for_training(path, parts) : all_classes(parts);
  Splits splits;
  splits.notes = std::move(parts.notes);
  const std::array targets{&splits.train, &splits.val, &splits.test};
  for (std::size_t i = 0; i < targets.size(); ++i)
    if (parts.splits[i]) *targets[i] = make_dataset(*parts.splits[i], classes);
  return splits;
}

std::shared_ptr<const Dataset> joined(const Splits& splits) {
  std::vector<std::shared_ptr<const Dataset>> parts;
  for (const auto& part : {splits.train, splits.val, splits.test})
    if (part) parts.push_back(part);
  return std::make_shared<Joined>(std::move(parts));
}

}  // namespace enxerto
