/// Small helpers on text: joining, splitting, figures for people.
#pragma once

#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace enxerto {

/// All arguments, streamed one after the other: text("n = ", 3) is "n = 3".
template <class... Args>
std::string text(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

/// The parts with `between` between them.
std::string join(const std::vector<std::string>& parts, std::string_view between);

/// The parts of `line` between the separators; one more than there are separators.
std::vector<std::string> split(std::string_view line, char separator);

/// `value` with `digits` digits after the point.
std::string fixed(double value, int digits);

/// 1234567 as "1,234,567".
std::string with_commas(std::int64_t value);

/// A number of bytes as people read it: "64.2 MiB".
std::string human_bytes(double bytes);

/// A time in seconds as people read it: "3m 07s", "1h 02m".
std::string human_seconds(double seconds);

}  // namespace enxerto
