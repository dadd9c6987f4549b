/// Text from files made safe to show, and figures as people read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "enxerto/report/run_record.h"
#include "enxerto/report/texts.h"

namespace enxerto {

/// At most `most` characters, an ellipsis for the rest. Bytes that are no UTF-8, control characters and
/// those that turn the direction of writing become U+FFFD: neither a terminal nor a page obeys a name.
std::string clean(std::string_view from, std::size_t most = 60);

/// For HTML, in an element as well as in an attribute in quotes. Cleaned first.
std::string escape(std::string_view from, std::size_t most = 60);

/// The text with each "{}" replaced by the next value.
std::string fill(std::string_view pattern, const std::vector<std::string>& values);

/// The last two parts of a path: the folder of a class, as a rule, and the file.
std::string short_path(const std::string& path);

/// For a <script> of JSON: no tag can begin in it, and what is no UTF-8 is replaced.
std::string json_in_page(const nlohmann::json& json);

inline constexpr const char* no_figure = "–";

// Figures: with a decimal point and groups of three digits between commas, in Portuguese with a decimal comma
// and groups between spaces that do not break.

/// A figure that is written as English has it, "1,234.5".
std::string localized(const std::string& figure, const Texts& t);
/// 0.9312 as "93.1 %".
std::string percent(Figure proportion, const Texts& t, int digits = 1);
/// "91.0 to 94.8 %".
std::string percent(const Bounds& bounds, const Texts& t);
/// Three significant digits or more: 0.000123 as "0.000123", 1234.5 as "1,235", 3e-7 as "3e-07".
std::string short_number(Figure value, const Texts& t);
/// 1234567 as "1,234,567".
std::string grouped(std::int64_t value, const Texts& t);
/// A time in seconds: "9.5s", "3m 07s".
std::string duration(double seconds, const Texts& t);
/// "64.2 MiB".
std::string size_in_bytes(double bytes, const Texts& t);

}  // namespace enxerto
