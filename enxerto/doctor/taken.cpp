#include "enxerto/doctor/taken.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

#include "enxerto/image/exif.h"

namespace enxerto {

std::optional<std::int64_t> parse_exif_time(std::string_view text) {
  constexpr std::string_view form = "0000:00:00 00:00:00";
  if (text.size() != form.size()) return std::nullopt;
  std::array<int, 6> parts{};
  std::size_t part = 0;
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] != '0') {
      if (text[i] != form[i]) return std::nullopt;
      ++part;
    } else {
      if (text[i] < '0' || text[i] > '9') return std::nullopt;
      parts[part] = 10 * parts[part] + (text[i] - '0');
    }
  }
  const std::chrono::year_month_day day{std::chrono::year(parts[0]),
                                        std::chrono::month(static_cast<unsigned>(parts[1])),
                                        std::chrono::day(static_cast<unsigned>(parts[2]))};
  // Cameras without a clock write zeros.
  if (!day.ok() || parts[0] < 1900 || parts[3] > 23 || parts[4] > 59 || parts[5] > 60) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
  return ((days * 24 + parts[3]) * 60 + parts[4]) * 60 + parts[5];
}

std::optional<Taken> find_taken(std::span<const std::uint8_t> file) {
  const Exif exif(find_exif(file));
  constexpr std::uint32_t maker_tag = 0x010F, model_tag = 0x0110, exif_tag = 0x8769, original_tag = 0x9003;
  const std::size_t directory = exif.first_directory();
  const auto second = parse_exif_time(exif.text(exif.directory(directory, exif_tag), original_tag));
  if (!second) return std::nullopt;
  return Taken{*second, exif.text(directory, maker_tag) + " " + exif.text(directory, model_tag)};
}

}  // namespace enxerto
