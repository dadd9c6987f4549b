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

/// What a manifest says of one picture.
struct Row {
  std::size_t line = 0;
  std::string path, split;  ///< split is empty where none is named
  std::vector<std::string> labels;
};

struct Manifest {
  std::vector<Row> rows;
  bool multi = false;  ///< a picture may have any number of labels; else each row has one
};

/// What stands between the names in a CSV field of several; a name that has it needs JSONL.
constexpr char between_labels = '|';

std::vector<std::string> names_in(const fs::path& file, std::size_t line, const std::string& field) {
  if (field.empty()) return {};
  std::vector<std::string> names = split(field, between_labels);
  for (const std::string& name : names)
    if (name.starts_with(' ') || name.ends_with(' '))
      fail(file, line, text("the label \"", name, "\" begins or ends with a blank; write `cat|dog`"));
  return names;
}

Manifest read_csv(const fs::path& file, std::string_view content) {
  std::vector<Record> records = parse_csv(file, content);
  if (records.empty())
    throw Error(ErrorKind::not_found, text(file.string(), ": is empty; a header `path,label` was expected"));
  const std::vector<std::string> header = records.front().fields;
  const auto column = [&](const char* name) {
    return static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
  };
  const std::size_t path = column("path"), label = column("label"), labels = column("labels"),
                    split = column("split");
  if (label < header.size() && labels < header.size())
    fail(file, records.front().line, "the header has both `label` and `labels`; leave one of them out");
  if (path == header.size() || label == labels)
    fail(file, records.front().line,
         text("the header has to be `path,label` or `path,label,split` (or `labels`: `cat|dog`), not `",
              join(header, ","), "`"));
  Manifest manifest{.rows = {}, .multi = labels < header.size()};
  for (std::size_t i = 1; i < records.size(); ++i) {
    std::vector<std::string>& fields = records[i].fields;
    const std::size_t line = records[i].line;
    if (fields.size() != header.size())
      fail(file, line, text("has ", fields.size(), " fields, the header has ", header.size()));
    Row row{.line = line,
            .path = std::move(fields[path]),
            .split = split < header.size() ? std::move(fields[split]) : "",
            .labels = {}};
    if (manifest.multi)
      row.labels = names_in(file, line, fields[labels]);
    else
      row.labels.push_back(std::move(fields[label]));
    manifest.rows.push_back(std::move(row));
  }
  return manifest;
}

/// The text under a key; empty where there is none.
std::string text_under(const nlohmann::json& json, const char* key, const fs::path& file, std::size_t line) {
  const auto value = json.find(key);
  if (value == json.end()) return "";
  if (!value->is_string()) fail(file, line, text("\"", key, "\" is not a string"));
  return value->get<std::string>();
}

Manifest read_jsonl(const fs::path& file, std::string_view content) {
  Manifest manifest;
  std::size_t line = 0;
  for (const std::string& part : split(content, '\n')) {
    ++line;
    if (part.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto json = nlohmann::json::parse(part, nullptr, false);
    if (!json.is_object()) fail(file, line, "is not a JSON object");
    Row row{.line = line,
            .path = text_under(json, "path", file, line),
            .split = text_under(json, "split", file, line),
            .labels = {}};
    const char* key = json.contains("labels") ? "labels" : "label";
    if (json.contains("labels") && json.contains("label"))
      fail(file, line, "has both \"label\" and \"labels\"; leave one of them out");
    const auto value = json.find(key);
    if (value != json.end() && value->is_array()) {
      manifest.multi = true;
      for (const auto& name : *value) {
        if (!name.is_string()) fail(file, line, text("\"", key, "\" is not a list of strings"));
        row.labels.push_back(name.get<std::string>());
      }
    } else if (key == std::string_view("labels")) {
      fail(file, line, "\"labels\" is not a list of strings");
    } else {
      row.labels.push_back(text_under(json, key, file, line));
    }
    manifest.rows.push_back(std::move(row));
  }
  return manifest;
}

void check_row(const fs::path& file, Row& row) {
  if (row.path.empty()) fail(file, row.line, "the path is empty");
  std::sort(row.labels.begin(), row.labels.end());
  if (!row.labels.empty() && row.labels.front().empty()) fail(file, row.line, "the label is empty");
  if (const auto twice = std::adjacent_find(row.labels.begin(), row.labels.end()); twice != row.labels.end())
    fail(file, row.line, text("the label \"", *twice, "\" is there twice"));
}

}  // namespace

Parts read_manifest(const fs::path& file) {
  const std::string content = read_text_file(file);
  std::string_view rest = content;
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  Manifest manifest =
      lower_case(file.extension().string()) == ".jsonl" ? read_jsonl(file, rest) : read_csv(file, rest);
  if (manifest.rows.empty()) throw Error(ErrorKind::not_found, text(file.string(), ": lists no pictures"));
  std::array<std::vector<LabelledFile>, 3> files;
  std::size_t missing = 0;
  std::string first_missing;
  for (Row& row : manifest.rows) {
    check_row(file, row);
    const auto name = row.split.empty() ? std::optional(train_split) : find_split_name(row.split);
    if (!name)
      fail(file, row.line, text("the split is \"", row.split, "\"; train, val or test was expected"));
    const fs::path full = file.parent_path() / row.path;
    std::error_code code;
    if (!fs::exists(full, code) && missing++ == 0)
      first_missing = text("line ", row.line, ": ", full.string(), " does not exist");
    files[static_cast<std::size_t>(*name)].push_back({full.string(), std::move(row.labels)});
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
    parts.splits[i] =
        make_file_part(text(file.string(), " (", names[i], ")"), std::move(files[i]), manifest.multi);
  }
  return parts;
}

}  // namespace enxerto
