#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/data/readers.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

/// Fields of one record, and the line it begins in.
struct Record {
  std::size_t line = 0;
  std::vector<std::string> fields;
};

[[noreturn]] void fail(const fs::path& file, std::size_t line, const std::string& wrong) {
  throw Error(ErrorKind::corrupt, text(file.string(), ": line ", line, ": ", wrong));
}

/// CSV as RFC 4180 has it: commas, "quotes" with "" for a quote, line ends in quotes; LF or CRLF.
std::vector<Record> parse_csv(const fs::path& file, std::string_view content) {
  std::vector<Record> records;
  std::size_t at = 0, line = 1;
  while (at < content.size()) {
    Record record{line, {}};
    for (bool ended = false; !ended;) {
      std::string value;
      if (at < content.size() && content[at] == '"') {
        const std::size_t opened = line;
        for (++at;; ++at) {
          if (at >= content.size()) fail(file, opened, "a quote is not closed");
          if (content[at] == '"' && (++at >= content.size() || content[at] != '"')) break;
          if (content[at] == '\n') ++line;
          value += content[at];
        }
      } else {
        while (at < content.size() && content[at] != ',' && content[at] != '\n' && content[at] != '\r')
          value += content[at++];
      }
      record.fields.push_back(std::move(value));
      if (at < content.size() && content[at] == ',') {
        ++at;
        continue;
      }
      if (at < content.size() && content[at] == '\r') ++at;
      if (at < content.size() && content[at] != '\n')
        fail(file, line, "a comma or the line's end was expected");
      ++at;
      ++line;
      ended = true;
    }
    if (record.fields != std::vector<std::string>{""}) records.push_back(std::move(record));
  }
  return records;
}

/// {path, label, split} of each row; split is empty where there is none.
std::vector<Record> read_csv(const fs::path& file, std::string_view content) {
  std::vector<Record> records = parse_csv(file, content);
  if (records.empty())
    throw Error(ErrorKind::not_found, text(file.string(), ": is empty; a header `path,label` was expected"));
  const std::vector<std::string> header = records.front().fields;
  const auto column = [&](const char* name) {
    return static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
  };
  const std::size_t path = column("path"), label = column("label"), split = column("split");
  if (path == header.size() || label == header.size())
    fail(file, records.front().line,
         text("the header has to be `path,label` or `path,label,split`, not `", join(header, ","), "`"));
  records.erase(records.begin());
  for (Record& record : records) {
    std::vector<std::string>& fields = record.fields;
    if (fields.size() != header.size())
      fail(file, record.line, text("has ", fields.size(), " fields, the header has ", header.size()));
    fields = {fields[path], fields[label], split < header.size() ? fields[split] : ""};
  }
  return records;
}

std::vector<Record> read_jsonl(const fs::path& file, std::string_view content) {
  std::vector<Record> records;
  std::size_t line = 0;
  for (const std::string& part : split(content, '\n')) {
    ++line;
    if (part.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto json = nlohmann::json::parse(part, nullptr, false);
    if (!json.is_object()) fail(file, line, "is not a JSON object");
    Record record{line, {}};
    for (const char* key : {"path", "label", "split"}) {
      const auto value = json.find(key);
      const bool present = value != json.end();
      if (present && !value->is_string()) fail(file, line, text("\"", key, "\" is not a string"));
      record.fields.push_back(present ? value->get<std::string>() : "");
    }
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace

Parts read_manifest(const fs::path& file) {
  const std::string content = read_text_file(file);
  std::string_view rest = content;
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  const auto records =
      lower_case(file.extension().string()) == ".jsonl" ? read_jsonl(file, rest) : read_csv(file, rest);
  if (records.empty()) throw Error(ErrorKind::not_found, text(file.string(), ": lists no pictures"));
  std::array<std::vector<LabelledFile>, 3> files;
  std::size_t missing = 0;
  std::string first_missing;
  for (const Record& record : records) {
    const std::string &path = record.fields[0], &label = record.fields[1], &split_name = record.fields[2];
    if (path.empty()) fail(file, record.line, "the path is empty");
    if (label.empty()) fail(file, record.line, "the label is empty");
    const auto name = split_name.empty() ? std::optional(train_split) : find_split_name(split_name);
    if (!name)
      fail(file, record.line, text("the split is \"", split_name, "\"; train, val or test was expected"));
    const fs::path full = file.parent_path() / path;
    std::error_code code;
    if (!fs::exists(full, code) && missing++ == 0)
      first_missing = text("line ", record.line, ": ", full.string(), " does not exist");
    files[static_cast<std::size_t>(*name)].push_back({full.string(), label});
  }
  if (missing)
    throw Error(ErrorKind::not_found, text(file.string(), ": ", first_missing,
                                           missing > 1 ? text(" (and ", missing - 1, " more files)") : "",
                                           "; paths count from the manifest's folder"));
  Parts parts;
  constexpr std::array names{"train", "val", "test"};
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (files[i].empty()) continue;
    std::stable_sort(files[i].begin(), files[i].end(),
                     [](const LabelledFile& a, const LabelledFile& b) { return a.path < b.path; });
    parts.splits[i] = make_file_part(text(file.string(), " (", names[i], ")"), std::move(files[i]));
  }
  return parts;
}

}  // namespace enxerto
