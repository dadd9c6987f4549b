/// The JSON in which Keras keeps a model's structure, as far as names and classes go.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace enxerto::keras {

using Json = nlohmann::json;

/// Parses text that may be hostile: Error{corrupt} naming `file` where it is no JSON or nested too deeply.
Json parse_json(const std::string& json, const std::string& file);

// Members that may be missing or of another type than expected.
const Json* find(const Json& object, std::string_view key);  ///< null where there is none, or JSON's null
std::string text_at(const Json& object, std::string_view key, std::string_view otherwise = "");
bool flag_at(const Json& object, std::string_view key, bool otherwise);

/// The "config" of a layer or model, an empty object where there is none.
const Json& config_of(const Json& layer);

/// "Conv2D"; the name inside a package ("keras.layers>Conv2D", "Custom>Conv2D") without the package.
std::string class_of(const Json& layer);

/// Layers hold their name in the config, and some beside it.
std::string name_of(const Json& layer);

/// A model inside a model: Functional (of old "Model") or Sequential.
bool is_model(const Json& layer);

/// The layers of a model, empty where there are none. Sequential models of Keras 2.1 and older have the list
/// where others have the config.
std::vector<const Json*> layers_of(const Json& model);

/// A layer that is no model, and the names of the models around it and its own: {"base", "conv1"}.
struct PlacedLayer {
  const Json* layer;
  std::vector<std::string> path;
};
/// All of them, in order. Error{corrupt} where models are nested more than a few deep or layers are too many.
std::vector<PlacedLayer> all_layers(const Json& model, const std::string& file);

/// Names of a layer's weights in the order in which Keras keeps them; empty for what has none or is unknown.
std::vector<std::string> weight_names(const Json& layer);

/// "separable_conv2d" of "SeparableConv2D", as Keras makes group names.
std::string snake_case(std::string_view name);

}  // namespace enxerto::keras
