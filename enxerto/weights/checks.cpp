#include "enxerto/weights/checks.h"

#include <cstddef>
#include <nlohmann/json.hpp>

namespace enxerto {

std::string shown(const std::string& name) {
  using Json = nlohmann::json;
  std::string made = Json(name).dump(-1, ' ', true, Json::error_handler_t::replace);
  constexpr std::size_t longest = 120;
  if (made.size() > longest) made = made.substr(0, longest) + "...\"";
  return made;
}

bool is_utf8(const std::string& bytes) {
  try {
    nlohmann::json(bytes).dump();
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

std::int64_t count(const std::vector<std::int64_t>& dims) {
  std::int64_t product = 1;
  bool empty = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0) return -1;
    if (dim == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(product, dim, &product)) {
      return -1;
    }
  }
  return empty ? 0 : product;
}

}  // namespace enxerto
