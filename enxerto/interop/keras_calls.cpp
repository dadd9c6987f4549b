#include "enxerto/interop/keras_calls.h"

#include <algorithm>
#include <array>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto::keras {
namespace {

constexpr std::size_t source_limit = 1000;  ///< inputs of one call

[[noreturn]] void fail(const std::string& where) {
  throw Error(ErrorKind::corrupt,
              text(where, ": its inputs are not as Keras writes them; the file is damaged"));
}

/// ["conv1", 0, 0], perhaps with more behind.
bool is_triple(const Json& json) {
  return json.is_array() && json.size() >= 3 && json[0].is_string() && json[1].is_number_integer();
}

Source from_triple(const Json& json, const std::string& where) {
  if (!is_triple(json)) fail(where);
  Source made{.layer = json[0].get<std::string>(), .node = json[1].get<std::int64_t>()};
  if (made.layer == "_CONSTANT_VALUE") {
    if (!json[2].is_number()) fail(where);
    made.constant = json[2].get<double>();
    return made;
  }
  if (!json[2].is_number_integer()) fail(where);
  made.tensor = json[2].get<std::int64_t>();
  return made;
}

void add(Call& call, Source source, const std::string& where) {
  if (call.size() == source_limit) fail(where);
  call.push_back(std::move(source));
}

// Arguments that may hold the other operand of a sum or a product. Others (training, mask, name, axis) are
// options; the layers read those that matter themselves.
bool is_operand(const std::string& key) {
  constexpr std::array<std::string_view, 8> keys = {"x", "y", "x1", "x2", "a", "b", "inputs", "features"};
  return std::ranges::find(keys, key) != keys.end();
}

/// Keras 2: [["conv1", 0, 0, {kwargs}], ...], or for functions one such entry without the outer list.
void add_entry(Call& call, const Json& entry, const std::string& where) {
  add(call, from_triple(entry, where), where);
  if (entry.size() < 4 || !entry[3].is_object()) return;
  for (const auto& [key, value] : entry[3].items()) {
    if (!is_operand(key)) continue;
    if (is_triple(value)) add(call, from_triple(value, where), where);
    if (value.is_number()) add(call, {.constant = value.get<double>()}, where);
  }
}

Call call_of_keras2(const Json& node, const std::string& where) {
  Call call;
  if (is_triple(node)) {
    add_entry(call, node, where);
    return call;
  }
  for (const Json& entry : node) add_entry(call, entry, where);
  return call;
}

/// Keras 3: tensors, numbers, and lists of them (the depth of the JSON is limited).
void add_argument(Call& call, const Json& argument, const std::string& where) {
  if (argument.is_number()) add(call, {.constant = argument.get<double>()}, where);
  if (argument.is_array())
    for (const Json& inner : argument) add_argument(call, inner, where);
  if (text_at(argument, "class_name") != "__keras_tensor__") return;
  const Json* history = find(config_of(argument), "keras_history");
  if (history == nullptr) fail(where);
  add(call, from_triple(*history, where), where);
}

Call call_of_keras3(const Json& node, const std::string& where) {
  Call call;
  if (const Json* arguments = find(node, "args")) add_argument(call, *arguments, where);
  if (const Json* named = find(node, "kwargs"))
    for (const auto& [key, value] : named->items())
      if (is_operand(key)) add_argument(call, value, where);
  return call;
}

/// Whether the argument of a function says what it does anyway.
bool is_usual(const std::string& key, const Json& value) {
  if (value.is_null() || is_operand(key) || key == "name" || key == "training") return true;
  if (value.is_boolean()) return !value.get<bool>();
  if (!value.is_number()) return false;
  const double number = value.get<double>();
  return key == "beta" ? number == 1
                       : number == 0 && (key == "alpha" || key == "negative_slope" || key == "threshold");
}

}  // namespace

std::string unusual_option(const Json& layer) {
  const auto of = [](const Json& named) -> std::string {
    if (named.is_object())
      for (const auto& [key, value] : named.items())
        if (!is_usual(key, value)) return key;
    return "";
  };
  const Json* nodes = find(layer, "inbound_nodes");
  if (nodes == nullptr || !nodes->is_array()) return "";
  for (const Json& node : *nodes) {
    std::string found;
    if (const Json* named = find(node, "kwargs")) found = of(*named);
    if (node.is_array() && is_triple(node) && node.size() > 3) found = of(node[3]);
    if (node.is_array() && !is_triple(node))
      for (const Json& entry : node)
        if (found.empty() && is_triple(entry) && entry.size() > 3) found = of(entry[3]);
    if (!found.empty()) return found;
  }
  return "";
}

std::vector<Call> calls_of(const Json& layer, const std::string& where) {
  std::vector<Call> calls;
  const Json* nodes = find(layer, "inbound_nodes");
  if (nodes == nullptr) return calls;
  if (!nodes->is_array()) fail(where);
  for (const Json& node : *nodes) {
    if (!node.is_object() && !node.is_array()) fail(where);
    calls.push_back(node.is_object() ? call_of_keras3(node, where) : call_of_keras2(node, where));
  }
  return calls;
}

std::vector<Source> sources_at(const Json& config, std::string_view key, const std::string& where) {
  std::vector<Source> sources;
  const Json* list = find(config, key);
  if (list == nullptr || !list->is_array()) fail(text(where, " ", key));
  if (is_triple(*list)) return {from_triple(*list, where)};
  for (const Json& entry : *list) sources.push_back(from_triple(entry, where));
  return sources;
}

}  // namespace enxerto::keras
