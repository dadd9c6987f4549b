/// JsonFields: the fields of one JSON object with their types checked. What Preprocess and Augment are read
/// with; not installed.
#pragma once

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {

/// Throws Error{usage}: for check(), whose text JsonFields::checked() takes over.
inline void require(bool kept, const std::string& wrong) {
  if (!kept) throw Error(ErrorKind::usage, wrong);
}

/// `names` is an array of pairs, enumerator and name.
template <class Names, class Value>
const char* name_of(const Names& names, Value value) {
  for (const auto& [named, name] : names)
    if (named == value) return name;
  throw std::logic_error("an enumerator without a name");
}

/// Every error is Error{corrupt} and opens with `what`; a key that is not known is one.
class JsonFields {
 public:
  using Json = nlohmann::json;

  JsonFields(const Json& json, const char* what, const std::vector<std::string_view>& known)
      : json_(json), what_(what) {
    if (!json.is_object()) fail("is not an object");
    for (const auto& [key, value] : json.items())
      if (std::find(known.begin(), known.end(), key) == known.end())
        fail(text("has an unknown key, \"", key, "\""));
  }
  [[noreturn]] void fail(const std::string& wrong) const {
    throw Error(ErrorKind::corrupt, text(what_, ": ", wrong));
  }
  bool has(const char* key) const { return json_.contains(key); }
  const Json& at(const char* key) const {
    if (!has(key)) fail(text("has no key \"", key, "\""));
    return json_.at(key);
  }
  double number(const char* key) const {
    if (!at(key).is_number()) fail(text("\"", key, "\" is not a number"));
    return at(key).get<double>();
  }
  int integer(const char* key) const {
    const double value = number(key);
    if (!at(key).is_number_integer() || std::abs(value) > 1e6) fail(text("\"", key, "\" makes no sense"));
    return static_cast<int>(value);
  }
  std::vector<double> numbers(const char* key) const {
    const Json& list = at(key);
    if (!list.is_array() || list.size() > 4) fail(text("\"", key, "\" is not a list of numbers"));
    std::vector<double> out;
    for (const Json& value : list) {
      if (!value.is_number()) fail(text("\"", key, "\" is not a list of numbers"));
      out.push_back(value.get<double>());
    }
    return out;
  }
  template <class Names>
  auto choice(const char* key, const Names& names) const {
    for (const auto& [value, name] : names)
      if (at(key) == name) return value;
    fail(text("\"", key, "\" is ", at(key).dump(), ", which we do not know"));
  }
  /// The value's own check, as an error in a file.
  template <class Value>
  Value checked(Value value) const {
    try {
      value.check();
    } catch (const Error& error) {
      fail(error.what());
    }
    return value;
  }

 private:
  const Json& json_;
  const char* what_;
};

}  // namespace enxerto
