/// JSON as people read it in a file.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace enxerto {

/// Objects and lists of them take lines of their own, indented by two; a list of numbers, texts and the like
/// stays on one, so that a row of a matrix is a row. Ends with a line feed. Throws nlohmann::json::type_error
/// where a text is not UTF-8.
std::string format_json(const nlohmann::json& json);

}  // namespace enxerto
