#include "enxerto/core/json_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace enxerto {
namespace {

using Json = nlohmann::json;

bool stays_on_a_line(const Json& json) {
  return json.is_primitive() || json.empty() ||
         (json.is_array() && std::ranges::all_of(json, [](const Json& each) { return each.is_primitive(); }));
}

void append(const Json& json, std::size_t depth, std::string& out) {
  if (stays_on_a_line(json)) {
    out += json.dump();
    return;
  }
  const bool is_object = json.is_object();
  out += is_object ? '{' : '[';
  const char* separator = "\n";
  for (const auto& [key, value] : json.items()) {
    out += separator;
    out.append(2 * depth + 2, ' ');
    if (is_object) out += Json(key).dump() + ": ";
    append(value, depth + 1, out);
    separator = ",\n";
  }
  out += '\n';
  out.append(2 * depth, ' ');
  out += is_object ? '}' : ']';
}

}  // namespace

std::string format_json(const Json& json) {
  std::string out;
  append(json, 0, out);
  return out + "\n";
}

}  // namespace enxerto
