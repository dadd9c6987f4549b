/// Values with `fields` (layers/field.h) to JSON and back, strictly: a key that is unknown, missing or of
/// the wrong type throws Error{corrupt}. Not installed.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "enxerto/train/names.h"

namespace enxerto {

using Json = nlohmann::json;

template <class T>
Json value_to_json(const T& value) {
  if constexpr (std::is_enum_v<T>)
    return format_name(value);
  else
    return value;
}

/// The kinds of a variant's alternatives.
template <class V, std::size_t... I>
std::vector<std::string> kinds_of(std::index_sequence<I...>) {
  return {std::string(std::variant_alternative_t<I, V>::kind)...};
}
template <class V>
std::vector<std::string> kinds_of() {
  return kinds_of<V>(std::make_index_sequence<std::variant_size_v<V>>());
}

[[noreturn]] inline void fail_json(const std::string& where, std::string_view wrong) {
  throw Error(ErrorKind::corrupt, text(where, ": ", wrong));
}

template <class T>
T value_from_json(const Json& json, const std::string& where) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) fail_json(where, "true or false was expected");
    return json.get<bool>();
  } else if constexpr (std::is_enum_v<T>) {
    if (!json.is_string()) fail_json(where, "a name was expected");
    try {
      return parse_name<T>(where, json.get<std::string>());
    } catch (const Error& error) {
      throw Error(ErrorKind::corrupt, error.what());
    }
  } else if constexpr (std::is_integral_v<T>) {
    bool fits = false;
    if (json.is_number_unsigned())
      fits = std::in_range<T>(json.get<std::uint64_t>());
    else if (json.is_number_integer())
      fits = std::in_range<T>(json.get<std::int64_t>());
    if (!fits) fail_json(where, "a whole number was expected, not too large");
    return json.get<T>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!json.is_number() || !std::isfinite(json.get<T>())) fail_json(where, "a number was expected");
    return json.get<T>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) fail_json(where, "a text was expected");
    return json.get<std::string>();
  } else {
    if (!json.is_array()) fail_json(where, "a list was expected");
    T list;
    for (const Json& each : json) list.push_back(value_from_json<typename T::value_type>(each, where));
    return list;
  }
}

/// An object whose keys are checked: each has to be read, none may be left over.
class ObjectReader {
 public:
  ObjectReader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object()) fail_json(where_, "an object was expected");
  }
  const Json& at(const std::string& key) {
    const auto found = json_.find(key);
    if (found == json_.end()) fail_json(where_, text("\"", key, "\" is missing"));
    read_.insert(key);
    return *found;
  }
  bool has(const std::string& key) const { return json_.contains(key); }
  template <class T>
  void read(const std::string& key, T& value) {
    value = value_from_json<T>(at(key), text(where_, ": ", key));
  }
  template <class T>
  void read_fields(T& value) {
    std::apply([&](const auto&... each) { (read(each.name, value.*(each.member)), ...); }, T::fields);
  }
  /// Nothing may be left over.
  void finish() const {
    for (const auto& [key, value] : json_.items())
      if (!read_.contains(key)) fail_json(where_, text("\"", key, "\" is not known"));
  }

 private:
  const Json& json_;
  std::string where_;
  std::set<std::string> read_;
};

template <class T>
Json fields_to_json(const T& value) {
  Json json = Json::object();
  std::apply([&](const auto&... each) { ((json[each.name] = value_to_json(value.*(each.member))), ...); },
             T::fields);
  return json;
}
template <class T>
T fields_from_json(const Json& json, const std::string& where) {
  T value;
  ObjectReader reader(json, where);
  reader.read_fields(value);
  reader.finish();
  return value;
}

/// {"kind": "adam", ...}.
template <class... T>
Json variant_to_json(const std::variant<T...>& value) {
  return std::visit(
      [](const auto& held) {
        Json json = fields_to_json(held);
        json["kind"] = held.kind;
        return json;
      },
      value);
}
/// The default of the alternative of this kind. Throws `error` with the list of kinds.
template <class V, std::size_t I = 0>
V variant_of_kind(std::string_view what, std::string_view kind, ErrorKind error) {
  if constexpr (I < std::variant_size_v<V>) {
    using T = std::variant_alternative_t<I, V>;
    return kind == T::kind ? V(T{}) : variant_of_kind<V, I + 1>(what, kind, error);
  } else {
    throw Error(error, text(what, " \"", kind, "\": there are ", join(kinds_of<V>(), ", ")));
  }
}
template <class V>
V variant_from_json(const Json& json, const std::string& where) {
  ObjectReader reader(json, where);
  std::string kind;
  reader.read("kind", kind);
  V value = variant_of_kind<V>(where, kind, ErrorKind::corrupt);
  std::visit([&](auto& held) { reader.read_fields(held); }, value);
  reader.finish();
  return value;
}

}  // namespace enxerto
