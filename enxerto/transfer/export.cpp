#include "enxerto/transfer/export.h"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/weights/npy.h"
#include "enxerto/weights/safetensors.h"

namespace enxerto {
namespace {

enum class Format { npy, csv, safetensors, libsvm };

Format format_of(const std::filesystem::path& path) {
  const std::string ending = path.extension().string();
  if (ending == ".npy") return Format::npy;
  if (ending == ".csv") return Format::csv;
  if (ending == ".safetensors") return Format::safetensors;
  if (ending == ".svm" || ending == ".libsvm") return Format::libsvm;
  throw Error(ErrorKind::usage,
              text(path.string(), ": features are written as .npy, .csv, .safetensors, .svm or .libsvm"));
}

/// The shortest digits that read back as the same float.
void append(std::string& line, float value) {
  std::array<char, 32> digits{};
  const auto [end, code] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  line.append(digits.data(), end);
}

/// As RFC 4180 wants a field.
std::string csv_field(const std::string& value) {
  if (value.find_first_of(",\"\r\n") == std::string::npos) return value;
  std::string quoted = "\"";
  for (const char c : value) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string csv_of(ConstView rows, const Dataset& data) {
  std::string out = "path,label";
  for (std::int64_t k = 0; k < rows.shape.c; ++k) out += text(",f", k);
  out += '\n';
  const auto c = static_cast<std::size_t>(rows.shape.c);
  for (std::int64_t i = 0; i < rows.shape.n; ++i) {
    std::vector<std::string> names;
    for (const std::int32_t label : data.labels(i))
      names.push_back(data.classes()[static_cast<std::size_t>(label)]);
    out += csv_field(data.name(i)) + "," + csv_field(join(names, "|"));
    for (const float value : rows.data.subspan(static_cast<std::size_t>(i) * c, c)) append(out += ',', value);
    out += '\n';
  }
  return out;
}

std::string libsvm_of(ConstView rows, const Dataset& data) {
  std::string out;
  const auto c = static_cast<std::size_t>(rows.shape.c);
  for (std::int64_t i = 0; i < rows.shape.n; ++i) {
    std::vector<std::string> labels;
    for (const std::int32_t label : data.labels(i)) labels.push_back(text(label));
    // LIBSVM has no way to say that there is no label; -1 is what its tools give unknown ones.
    out += labels.empty() && !data.multi_label() ? "-1" : join(labels, ",");
    for (std::size_t k = 0; k < c; ++k)
      if (const float value = rows.data[static_cast<std::size_t>(i) * c + k]; value != 0) {
        out += text(' ', k + 1, ':');
        append(out, value);
      }
    out += '\n';
  }
  return out;
}

void save_as_safetensors(const std::filesystem::path& path, ConstView rows, const Dataset& data) {
  NamedTensors tensors;
  Tensor features({.n = rows.shape.n, .c = rows.shape.c});
  std::copy(rows.data.begin(), rows.data.end(), features.data().begin());
  tensors.push_back({"features", {rows.shape.n, rows.shape.c}, std::move(features)});
  const auto classes = std::ssize(data.classes());
  Tensor labels({.n = rows.shape.n, .c = data.multi_label() ? classes : 1});
  for (std::int64_t i = 0; i < rows.shape.n; ++i) {
    if (!data.multi_label()) labels.data()[static_cast<std::size_t>(i)] = static_cast<float>(data.label(i));
    if (data.multi_label())
      for (const std::int32_t label : data.labels(i))
        labels.data()[static_cast<std::size_t>(i * classes + label)] = 1;
  }
  std::vector<std::int64_t> dims{rows.shape.n};
  if (data.multi_label()) dims.push_back(classes);
  tensors.push_back({"labels", dims, std::move(labels)});
  std::vector<std::string> names, paths;
  for (const std::string& name : data.classes()) names.push_back(name);
  for (std::int64_t i = 0; i < rows.shape.n; ++i) paths.push_back(data.name(i));
  save_safetensors(path, tensors, {{"classes", dump(names)}, {"paths", dump(paths)}});
}

}  // namespace

void check_feature_ending(const std::filesystem::path& path) { format_of(path); }

void save_features(const std::filesystem::path& path, ConstView rows, const Dataset& data) {
  ensure(rows.shape.n == data.size(), "there is a row for each picture");
  switch (format_of(path)) {
    case Format::npy:
      return save_npy(path, {rows.shape.n, rows.shape.c}, rows.data);
    case Format::csv:
      return write_file(path, csv_of(rows, data));
    case Format::safetensors:
      return save_as_safetensors(path, rows, data);
    case Format::libsvm:
      return write_file(path, libsvm_of(rows, data));
  }
}

void save_label_file(const std::filesystem::path& path, const Dataset& data) {
  std::vector<std::int64_t> dims{data.size()}, values;
  if (!data.multi_label()) {
    for (std::int64_t i = 0; i < data.size(); ++i) values.push_back(data.label(i));
  } else {
    const auto classes = std::ssize(data.classes());
    dims.push_back(classes);
    values.resize(static_cast<std::size_t>(data.size() * classes));
    for (std::int64_t i = 0; i < data.size(); ++i)
      for (const std::int32_t label : data.labels(i))
        values[static_cast<std::size_t>(i * classes + label)] = 1;
  }
  save_npy(path, dims, std::span<const std::int64_t>(values));
}

}  // namespace enxerto
