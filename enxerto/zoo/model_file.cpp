#include "enxerto/zoo/model_file.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/json.h"
#include "enxerto/weights/safetensors.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

// A reader of version 1 would take the outputs of the other for a softmax's.
constexpr const char *one_label_version = "1", *multi_label_version = "2";
constexpr const char *format_key = "enxerto.format", *graph_key = "enxerto.graph",
                     *preprocess_key = "enxerto.preprocess", *classes_key = "enxerto.classes",
                     *multi_label_key = "enxerto.multi_label", *training_key = "enxerto.training";
// Real ones are four deep; copying and printing JSON takes stack for each.
constexpr int deepest_json = 64;

/// Throws `kind` unless every class has a name of its own and there is one for each output.
void check_classes(const std::vector<std::string>& classes, const Shape& output, ErrorKind kind,
                   const std::string& file) {
  if (classes.empty()) return;
  std::set<std::string_view> seen;
  for (const std::string& name : classes)
    if (name.empty() || !seen.insert(name).second)
      throw Error(kind, text(file, ": the class \"", name, "\" is there twice or has no name"));
  if (output != Shape{.c = static_cast<std::int64_t>(classes.size())})
    throw Error(kind, text(file, ": there are ", classes.size(), " classes, the network's output is ",
                           format_shape(output)));
}

Json parse(const std::map<std::string, std::string>& metadata, const char* key, const std::string& file) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) throw Error(ErrorKind::corrupt, text(file, ": ", key, " is missing"));
  try {
    return Json::parse(found->second, [](int depth, Json::parse_event_t, Json&) {
      if (depth > deepest_json) throw Error(ErrorKind::corrupt, "it is nested too deeply");
      return true;
    });
  } catch (const std::exception& error) {
    throw Error(ErrorKind::corrupt, text(file, ": ", key, " is damaged: ", error.what()));
  }
}

std::string dump(const Json& json, const std::string& file) {
  try {
    return json.dump();
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::usage, text(file, ": a name cannot be saved: ", error.what()));
  }
}

}  // namespace

void save_model(const std::filesystem::path& path, const ModelFile& model) {
  const std::string file = path.string();
  check_classes(model.classes, model.graph.output_shape(), ErrorKind::usage, file);
  std::map<std::string, std::string> metadata{{format_key, one_label_version},
                                              {graph_key, dump(graph_to_json(model.graph), file)},
                                              {preprocess_key, dump(model.preprocess, file)},
                                              {classes_key, dump(model.classes, file)},
                                              {training_key, dump(model.training, file)}};
  if (model.multi_label) {
    metadata[format_key] = multi_label_version;
    metadata[multi_label_key] = "true";
  }
  save_safetensors(path, model.graph.state(), metadata);
}

ModelFile load_model(const std::filesystem::path& path) {
  const auto place = std::filesystem::is_directory(path) ? path / "model.safetensors" : path;
  const std::string file = place.string();
  const SafetensorsFile stored = load_safetensors(place);
  const auto format = stored.metadata.find(format_key);
  if (format == stored.metadata.end())
    throw Error(ErrorKind::unsupported,
                text(file, ": it holds weights but no network; give it as --weights and name a net"));
  if (format->second != one_label_version && format->second != multi_label_version)
    throw Error(ErrorKind::unsupported,
                text(file, ": it has the format \"", format->second, "\", this program reads ",
                     one_label_version, " and ", multi_label_version, "; use a newer enxerto"));

  ModelFile model;
  std::int64_t floats = 0;
  for (const NamedTensor& tensor : stored.tensors) floats += tensor.value.shape().size();
  try {
    // The network may have no more parameters than the file, so a lie costs no memory.
    model.graph = graph_from_json(parse(stored.metadata, graph_key, file), floats);
  } catch (const Error& error) {
    throw Error(error.kind(), text(file, ": ", error.what()));
  }
  model.graph.load_state(stored.tensors, file);
  model.preprocess = parse(stored.metadata, preprocess_key, file);
  model.training = parse(stored.metadata, training_key, file);
  const Json classes = parse(stored.metadata, classes_key, file);
  const auto is_text = [](const Json& each) { return each.is_string(); };
  if (!classes.is_array() || !std::ranges::all_of(classes, is_text))
    throw Error(ErrorKind::corrupt, text(file, ": ", classes_key, " is not a list of names"));
  model.classes = classes.get<std::vector<std::string>>();
  check_classes(model.classes, model.graph.output_shape(), ErrorKind::corrupt, file);
  if (format->second == multi_label_version) {
    const Json multi_label = parse(stored.metadata, multi_label_key, file);
    if (!multi_label.is_boolean())
      throw Error(ErrorKind::corrupt, text(file, ": ", multi_label_key, " is not true or false"));
    model.multi_label = multi_label.get<bool>();
  }
  return model;
}

}  // namespace enxerto
