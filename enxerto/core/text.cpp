#include "enxerto/core/text.h"

#include <array>
#include <cmath>
#include <cstdio>

namespace enxerto {

std::string join(const std::vector<std::string>& parts, std::string_view between) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i) out += between;
    out += parts[i];
  }
  return out;
}

std::vector<std::string> split(std::string_view line, char separator) {
  std::vector<std::string> parts;
  for (std::size_t from = 0;;) {
    const std::size_t at = line.find(separator, from);
    parts.emplace_back(line.substr(from, at - from));
    if (at == std::string_view::npos) return parts;
    from = at + 1;
  }
}

std::string fixed(double value, int digits) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f", digits, value);
  return buffer.data();
}

std::string with_commas(std::int64_t value) {
  std::string digits = std::to_string(value);
  for (int at = static_cast<int>(digits.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

std::string human_bytes(double bytes) {
  static constexpr std::array<const char*, 5> units = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < units.size()) bytes /= 1024, ++unit;
  return fixed(bytes, unit == 0 ? 0 : 1) + " " + units[unit];
}

std::string human_seconds(double seconds) {
  std::array<char, 32> buffer{};
  const auto whole = static_cast<long>(std::lround(seconds));
  if (seconds < 10)
    std::snprintf(buffer.data(), buffer.size(), "%.1fs", seconds);
  else if (whole < 60)
    std::snprintf(buffer.data(), buffer.size(), "%lds", whole);
  else if (whole < 3600)
    std::snprintf(buffer.data(), buffer.size(), "%ldm %02lds", whole / 60, whole % 60);
  else
    std::snprintf(buffer.data(), buffer.size(), "%ldh %02ldm", whole / 3600, whole / 60 % 60);
  return buffer.data();
}

}  // namespace enxerto
