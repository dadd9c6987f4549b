// Heads as tensors and texts, and back.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/heads/head.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;
constexpr int version = 1;
constexpr int most_classes = 1 << 20;

template <class T>
NamedTensor list_of(const char* name, const std::vector<T>& values) {
  NamedTensor made{name,
                   {static_cast<std::int64_t>(values.size())},
                   Tensor({.n = static_cast<std::int64_t>(values.size())})};
  std::ranges::transform(values, made.value.data().begin(), [](T each) { return static_cast<float>(each); });
  return made;
}

std::span<const float> take_list(const NamedTensors& tensors, const char* name, std::int64_t size) {
  const NamedTensor* const found = find_tensor(tensors, name);
  if (!found || found->dims != std::vector<std::int64_t>{size})
    throw Error(ErrorKind::corrupt, text("\"", name, "\" has to be there, of {", size, "}"));
  return found->value.data();
}

struct Writer {
  HeadFile& to;
  Json& settings;

  void operator()(const LinearHead& head) const { to.tensors = tensors_of(head); }
  void operator()(const Tree& head) const { append_tree(head, "tree.", to.tensors); }
  void operator()(const Forest& head) const { append_forest(head, to.tensors); }
  void operator()(const Knn& head) const {
    settings["k"] = head.k;
    settings["metric"] = head.metric == DistanceKind::cosine ? "cosine" : "euclidean";
    settings["vote"] = head.vote == Vote::distance ? "distance" : "uniform";
    to.tensors.push_back({"rows", {head.x.shape().n, head.x.shape().c}, head.x.clone()});
    to.tensors.push_back(list_of("labels", head.y));
    to.tensors.push_back(list_of("votes", head.votes));
    if (head.by.empty()) return;
    to.tensors.push_back(list_of("mean", head.by.mean));
    to.tensors.push_back(list_of("scale", head.by.scale));
  }
};

/// What the metadata say, of the types that they have to have.
struct Description {
  std::string kind;
  std::vector<std::string> classes;
  std::int64_t columns = 0;  ///< that the model itself takes
  double temperature = 1;
  Json settings;
};

Description describe(const HeadFile& file) {
  const auto found = file.metadata.find("enxerto_head");
  if (found == file.metadata.end())
    throw Error(ErrorKind::corrupt, "is no head: \"enxerto_head\" is missing in its metadata");
  // Nested lists would take the parser's stack; a head's description has two levels.
  int deepest = 0;
  const auto shallow = [&](int depth, Json::parse_event_t, Json&) {
    deepest = std::max(deepest, depth);
    return depth <= 4;
  };
  const Json json = Json::parse(found->second, shallow, false);
  const auto wrong = [](const char* what) {
    return Error(ErrorKind::corrupt, text("its description is wrong: ", what));
  };
  if (!json.is_object() || deepest > 4) throw wrong("it has to be a JSON object");
  if (!json.contains("version") || !json["version"].is_number_integer())
    throw wrong("\"version\" is missing");
  if (json["version"].get<std::int64_t>() != version)
    throw Error(ErrorKind::unsupported,
                "another version of Enxerto wrote this head; use that one, or fit it again");
  if (!json.contains("kind") || !json["kind"].is_string()) throw wrong("\"kind\" is missing");
  if (!json.contains("columns") || !json["columns"].is_number_integer() ||
      json["columns"].get<std::int64_t>() < 1)
    throw wrong("\"columns\" has to be at least 1");
  if (!json.contains("classes") || !json["classes"].is_array() || json["classes"].size() < 2 ||
      json["classes"].size() > most_classes)
    throw wrong("\"classes\" has to list at least two names");
  const Json temperature = json.value("temperature", Json(1));
  if (!temperature.is_number() || !(temperature.get<double>() > 0) ||
      !std::isfinite(temperature.get<double>()))
    throw wrong("\"temperature\" has to be above 0");
  Description made{json["kind"], {}, json["columns"], temperature, json.value("settings", Json::object())};
  for (const Json& each : json["classes"]) {
    if (!each.is_string()) throw wrong("\"classes\" has to list names");
    made.classes.push_back(each);
  }
  if (!made.settings.is_object()) throw wrong("\"settings\" has to be an object");
  return made;
}

Knn knn_from(const NamedTensors& tensors, const Description& its) {
  const NamedTensor* const rows = find_tensor(tensors, "rows");
  if (!rows || rows->dims.size() != 2 || rows->dims[0] < 1 || rows->dims[1] != its.columns)
    throw Error(ErrorKind::corrupt, text("\"rows\" has to be there, of {rows, ", its.columns, "}"));
  const std::int64_t n = rows->dims[0];
  const auto word = [&](const char* key, const char* one, const char* other) {
    if (its.settings.value(key, Json()) == one) return false;
    if (its.settings.value(key, Json()) == other) return true;
    throw Error(ErrorKind::corrupt, text("\"", key, "\" has to be ", one, " or ", other));
  };
  Knn made;
  made.classes = static_cast<int>(its.classes.size());
  const Json k = its.settings.value("k", Json());
  if (!k.is_number_integer() || k.get<std::int64_t>() < 1 || k.get<std::int64_t>() > n)
    throw Error(ErrorKind::corrupt, text("\"k\" has to be from 1 to ", n, ", the number of rows"));
  made.k = k.get<int>();
  made.metric = word("metric", "euclidean", "cosine") ? DistanceKind::cosine : DistanceKind::euclidean;
  made.vote = word("vote", "uniform", "distance") ? Vote::distance : Vote::uniform;
  for (const float each : rows->value.data())
    if (!std::isfinite(each)) throw Error(ErrorKind::corrupt, "\"rows\" holds a number that is not finite");
  made.x = rows->value.clone();
  for (const float each : take_list(tensors, "labels", n)) {
    if (!(each >= 0 && each < static_cast<float>(made.classes)) || each != std::floor(each))
      throw Error(ErrorKind::corrupt,
                  text("\"labels\" holds ", each, ", which is none of ", made.classes, " classes"));
    made.y.push_back(static_cast<std::int32_t>(each));
  }
  for (const float each : take_list(tensors, "votes", n)) {
    if (!(each > 0) || !std::isfinite(each)) throw Error(ErrorKind::corrupt, "\"votes\" have to be above 0");
    made.votes.push_back(each);
  }
  if (!find_tensor(tensors, "mean")) return made;
  const auto mean = take_list(tensors, "mean", its.columns), scale = take_list(tensors, "scale", its.columns);
  made.by.mean.assign(mean.begin(), mean.end());
  made.by.scale.assign(scale.begin(), scale.end());
  if (!std::ranges::all_of(mean, [](float each) { return std::isfinite(each); }))
    throw Error(ErrorKind::corrupt, "\"mean\" holds a number that is not finite");
  if (!std::ranges::all_of(scale, [](float each) { return each > 0; }))
    throw Error(ErrorKind::corrupt, "\"scale\" has a number that is not above 0");
  return made;
}

/// How many tensors a head of this kind is written as, without principal components.
struct Count {
  std::size_t operator()(const LinearHead&) const { return 2; }
  std::size_t operator()(const Tree&) const { return 4; }
  std::size_t operator()(const Forest& head) const { return 4 * head.trees.size(); }
  std::size_t operator()(const Knn& head) const { return head.by.empty() ? 3 : 5; }
};

AnyHead model_from(const NamedTensors& tensors, const Description& its) {
  const auto classes = static_cast<int>(its.classes.size());
  if (its.kind == "knn") return knn_from(tensors, its);
  if (its.kind == "tree") return tree_from(tensors, "tree.", classes, its.columns);
  if (its.kind == "forest") return forest_from(tensors, classes, its.columns);
  if (its.kind != "logistic" && its.kind != "svm" && its.kind != "ridge")
    throw Error(ErrorKind::unsupported, "the head is of a kind that is not known here");
  LinearHead made = linear_head_from(tensors);
  if (made.classes() != classes || made.w.shape().c != its.columns)
    throw Error(ErrorKind::corrupt, text("\"weight\" has to be of {", classes, ", ", its.columns, "}"));
  return made;
}

}  // namespace

HeadFile head_file_of(const FittedHead& head) {
  HeadFile made;
  Json settings = Json::object();
  std::visit(Writer{made, settings}, head.model);
  if (head.pca) append_pca(*head.pca, made.tensors);
  Json json{{"version", version},
            {"kind", head.kind},
            {"classes", head.classes},
            {"columns", head.pca ? head.pca->size() : head.columns()},
            {"settings", settings}};
  if (head.temperature != 1) json["temperature"] = head.temperature;
  made.metadata["enxerto_head"] = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return made;
}

FittedHead head_from(const HeadFile& file) {
  Description its = describe(file);
  FittedHead made{its.kind, its.classes, model_from(file.tensors, its), {}};
  made.temperature = its.temperature;
  if (find_tensor(file.tensors, "pca.components")) {
    if (std::holds_alternative<LinearHead>(made.model))
      throw Error(ErrorKind::corrupt, "a linear head has its principal components in its weights already");
    made.pca = pca_from(file.tensors);
    if (made.pca->size() != its.columns)
      throw Error(ErrorKind::corrupt, text("there are ", made.pca->size(),
                                           " principal components for a head of ", its.columns, " columns"));
  }
  const std::size_t wanted = std::visit(Count{}, made.model) + (made.pca ? 4 : 0);
  if (file.tensors.size() != wanted)
    throw Error(ErrorKind::corrupt,
                text("there are ", file.tensors.size(), " tensors, a head like this has ", wanted));
  return made;
}

}  // namespace enxerto
