#include "enxerto/weights/keras_config.h"

#include <algorithm>
#include <cctype>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto::keras {
namespace {

constexpr int json_depth_limit = 200, model_depth_limit = 16;
constexpr std::size_t layer_limit = 20'000;

bool upper(char letter) { return std::isupper(static_cast<unsigned char>(letter)) != 0; }
bool lower(char letter) { return std::islower(static_cast<unsigned char>(letter)) != 0; }

void collect(const Json& model, std::vector<std::string>& path, std::vector<PlacedLayer>& found,
             const std::string& file) {
  if (path.size() > model_depth_limit)
    throw Error(ErrorKind::corrupt, text(file, ": models are nested more than ", model_depth_limit, " deep"));
  for (const Json* layer : layers_of(model)) {
    path.push_back(name_of(*layer));
    if (is_model(*layer))
      collect(*layer, path, found, file);
    else
      found.push_back({layer, path});
    path.pop_back();
    if (found.size() > layer_limit)
      throw Error(ErrorKind::corrupt, text(file, ": more than ", layer_limit, " layers"));
  }
}

}  // namespace

Json parse_json(const std::string& json, const std::string& file) {
  const auto shallow = [](int depth, Json::parse_event_t event, Json&) {
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start)
      if (depth > json_depth_limit) throw Error(ErrorKind::corrupt, "");
    return true;
  };
  try {
    return Json::parse(json, shallow);
  } catch (const Error&) {
    throw Error(ErrorKind::corrupt,
                text(file, ": the model's JSON is nested more than ", json_depth_limit, " deep"));
  } catch (const Json::exception&) {
    throw Error(ErrorKind::corrupt, text(file, ": the model's structure is not JSON; the file is damaged"));
  }
}

const Json* find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(std::string(key));
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_at(const Json& object, std::string_view key, std::string_view otherwise) {
  const Json* found = find(object, key);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string(otherwise);
}

bool flag_at(const Json& object, std::string_view key, bool otherwise) {
  const Json* found = find(object, key);
  return found != nullptr && found->is_boolean() ? found->get<bool>() : otherwise;
}

const Json& config_of(const Json& layer) {
  static const Json empty = Json::object();
  const Json* found = find(layer, "config");
  return found == nullptr ? empty : *found;
}

std::string class_of(const Json& layer) {
  const std::string name = text_at(layer, "class_name");
  return name.substr(name.rfind('>') + 1);
}

std::string name_of(const Json& layer) {
  const std::string beside = text_at(layer, "name");
  return beside.empty() ? text_at(config_of(layer), "name") : beside;
}

bool is_model(const Json& layer) {
  const std::string name = class_of(layer);
  return name == "Functional" || name == "Model" || name == "Sequential";
}

std::vector<const Json*> layers_of(const Json& model) {
  const Json& config = config_of(model);
  const Json* list = config.is_array() ? &config : find(config, "layers");
  std::vector<const Json*> layers;
  if (list == nullptr || !list->is_array()) return layers;
  for (const Json& layer : *list) layers.push_back(&layer);
  return layers;
}

std::vector<PlacedLayer> all_layers(const Json& model, const std::string& file) {
  std::vector<std::string> path;
  std::vector<PlacedLayer> found;
  collect(model, path, found, file);
  return found;
}

std::vector<std::string> weight_names(const Json& layer) {
  const std::string kind = class_of(layer);
  const Json& config = config_of(layer);
  std::vector<std::string> names;
  if (kind == "Conv2D" || kind == "Dense") names = {"kernel"};
  if (kind == "DepthwiseConv2D") names = {"depthwise_kernel"};
  if (kind == "SeparableConv2D") names = {"depthwise_kernel", "pointwise_kernel"};
  if (!names.empty()) {
    if (flag_at(config, "use_bias", true)) names.push_back("bias");
    return names;
  }
  if (kind == "BatchNormalization") {
    if (flag_at(config, "scale", true)) names.push_back("gamma");
    if (flag_at(config, "center", true)) names.push_back("beta");
    names.insert(names.end(), {"moving_mean", "moving_variance"});
  }
  // Given in the config, the mean and the variance are no weights.
  if (kind == "Normalization" && find(config, "mean") == nullptr) names = {"mean", "variance", "count"};
  return names;
}

std::string snake_case(std::string_view name) {
  std::string words;
  for (const char letter : name)
    if (std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_') words += letter;
  // Keras's two substitutions: before a capital that small letters follow, and between small and capital.
  std::string once;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0 && upper(words[i]) && i + 1 < words.size() && lower(words[i + 1])) once += '_';
    once += words[i];
  }
  std::string made;
  for (std::size_t i = 0; i < once.size(); ++i) {
    if (i > 0 && upper(once[i]) && lower(once[i - 1])) made += '_';
    made += static_cast<char>(std::tolower(static_cast<unsigned char>(once[i])));
  }
  return made;
}

}  // namespace enxerto::keras
