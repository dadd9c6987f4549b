#include "enxerto/zoo/model_file.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/json.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/graph/split.h"
#include "enxerto/weights/safetensors.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

// A reader of version 1 would take the outputs of 2 for a softmax's, and would not know what to do with the
// tensors of 3 that are no layer's.
constexpr const char *one_label_version = "1", *multi_label_version = "2", *beyond_graph_version = "3";
constexpr const char *format_key = "enxerto.format", *graph_key = "enxerto.graph",
                     *preprocess_key = "enxerto.preprocess", *classes_key = "enxerto.classes",
                     *multi_label_key = "enxerto.multi_label", *training_key = "enxerto.training",
                     *trunk_key = "enxerto.trunk", *head_key = "enxerto.head",
                     *unknown_key = "enxerto.unknown";
constexpr std::string_view head_prefix = "enxerto.head/", unknown_prefix = "enxerto.unknown/";
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

Shape list_of(std::int64_t values) { return {.c = values}; }

/// Throws `kind` unless classes, network, head and novelty go together.
void check_parts(const ModelFile& model, ErrorKind kind, const std::string& file) {
  const Shape output = model.graph.output_shape();
  if (model.multi_label && (model.head || model.novelty))
    throw Error(kind, text(file, ": a head that is no layer, and an unknown answer, are for one label each"));
  if (model.head) {
    if (model.head->classes != model.classes)
      throw Error(kind, text(file, ": the classes of its head are others than its own"));
    if (output != list_of(model.head->columns()))
      throw Error(kind, text(file, ": its head takes ", model.head->columns(),
                             " features, its network gives ", format_shape(output)));
  }
  if (model.trunk && (model.head || !model.classes.empty()))
    throw Error(kind, text(file, ": a trunk has neither a head nor classes"));
  check_classes(model.classes, model.head ? list_of(std::ssize(model.classes)) : output, kind, file);
  if (!model.novelty) return;
  if (model.classes.empty()) throw Error(kind, text(file, ": it has an unknown answer and no classes"));
  Shape row;
  try {
    row = model.graph.node(features_node(model.graph, model.head.get())).out;
  } catch (const Error& error) {
    throw Error(kind, text(file, ": ", error.what()));
  }
  if (row != list_of(model.novelty->columns()))
    throw Error(kind, text(file, ": its unknown answer is for ", model.novelty->columns(),
                           " features, those that go into its head are ", format_shape(row)));
}

/// Moves the tensors whose names begin with the prefix, without it.
NamedTensors take(NamedTensors& from, std::string_view prefix) {
  NamedTensors taken;
  for (NamedTensor& tensor : from)
    if (tensor.name.starts_with(prefix))
      taken.push_back({tensor.name.substr(prefix.size()), tensor.dims, std::move(tensor.value)});
  std::erase_if(from, [&](const NamedTensor& tensor) { return tensor.name.starts_with(prefix); });
  return taken;
}

void append(NamedTensors& to, NamedTensors from, std::string_view prefix) {
  for (NamedTensor& tensor : from)
    to.push_back({text(prefix, tensor.name), std::move(tensor.dims), std::move(tensor.value)});
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

/// What a file of format 3 has beside the network: head, novelty or both.
void take_beyond_graph(SafetensorsFile& stored, const std::string& file, ModelFile& model) {
  const bool has_head = stored.metadata.contains(head_key),
             has_novelty = stored.metadata.contains(unknown_key);
  if (!has_head && !has_novelty)
    throw Error(ErrorKind::corrupt, text(file, ": ", head_key, " and ", unknown_key, " are both missing"));
  if (has_head) {
    try {
      model.head = std::make_shared<FittedHead>(
          head_from({take(stored.tensors, head_prefix), {{"enxerto_head", stored.metadata.at(head_key)}}}));
    } catch (const Error& error) {
      throw Error(error.kind(), text(file, ": ", head_key, ": ", error.what()));
    }
  }
  if (has_novelty) {
    const Json json = parse(stored.metadata, unknown_key, file);
    try {
      model.novelty = std::make_shared<Novelty>(novelty_from(take(stored.tensors, unknown_prefix), json));
    } catch (const Error& error) {
      throw Error(error.kind(), text(file, ": ", unknown_key, ": ", error.what()));
    }
  }
}

}  // namespace

NodeId features_node(const Graph& graph, const FittedHead* head) {
  return head ? graph.last() : head_of(graph).inputs.front();
}

Graph with_linear_head(const ModelFile& model) {
  Graph graph = model.graph.clone();
  if (!model.head && !model.trunk) return graph;
  const auto add = [&](const char* name, AnyLayer layer) {
    graph.add(free_name(graph, name), std::move(layer), {graph.last()});
  };
  if (is_map(graph.output_shape())) add("pool", GlobalAvgPool{});
  add("head", Linear{.out = model.trunk ? 1 : static_cast<int>(model.classes.size())});
  return graph;
}

void save_model(const std::filesystem::path& path, const ModelFile& model, bool half) {
  const std::string file = path.string();
  check_parts(model, ErrorKind::usage, file);
  std::map<std::string, std::string> metadata{{format_key, one_label_version},
                                              {graph_key, dump(graph_to_json(model.graph), file)},
                                              {preprocess_key, dump(model.preprocess, file)},
                                              {classes_key, dump(model.classes, file)},
                                              {training_key, dump(model.training, file)}};
  if (model.multi_label) {
    metadata[format_key] = multi_label_version;
    metadata[multi_label_key] = "true";
  }
  if (model.trunk) metadata[trunk_key] = "true";
  NamedTensors tensors = model.graph.state();
  for (const NamedTensor& tensor : tensors)
    if (tensor.name.starts_with(head_prefix) || tensor.name.starts_with(unknown_prefix))
      throw Error(ErrorKind::usage, text(file, ": no layer may be called ", tensor.name));
  if (model.head || model.novelty) metadata[format_key] = beyond_graph_version;
  if (model.head) {
    HeadFile head = head_file_of(*model.head);
    metadata[head_key] = head.metadata.at("enxerto_head");
    append(tensors, std::move(head.tensors), head_prefix);
  }
  if (model.novelty) {
    metadata[unknown_key] = dump(model.novelty->to_json(), file);
    append(tensors, tensors_of(*model.novelty), unknown_prefix);
  }
  save_safetensors(path, tensors, metadata, half);
}

ModelFile load_model(const std::filesystem::path& path) {
  const auto place = std::filesystem::is_directory(path) ? path / "model.safetensors" : path;
  const std::string file = place.string();
  SafetensorsFile stored = load_safetensors(place);
  const auto format = stored.metadata.find(format_key);
  if (format == stored.metadata.end())
    throw Error(ErrorKind::unsupported,
                text(file, ": it holds weights but no network; give it as --weights and name a net"));
  if (format->second != one_label_version && format->second != multi_label_version &&
      format->second != beyond_graph_version)
    throw Error(ErrorKind::unsupported,
                text(file, ": it has the format \"", format->second, "\", this program reads ",
                     one_label_version, " to ", beyond_graph_version, "; use a newer enxerto"));

  ModelFile model;
  if (format->second == beyond_graph_version) take_beyond_graph(stored, file, model);
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
  if (format->second == multi_label_version) {
    const Json multi_label = parse(stored.metadata, multi_label_key, file);
    if (!multi_label.is_boolean())
      throw Error(ErrorKind::corrupt, text(file, ": ", multi_label_key, " is not true or false"));
    model.multi_label = multi_label.get<bool>();
  }
  model.trunk = stored.metadata.contains(trunk_key);
  check_parts(model, ErrorKind::corrupt, file);
  return model;
}

}  // namespace enxerto
