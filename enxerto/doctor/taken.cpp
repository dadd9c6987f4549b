#include "enxerto/doctor/taken.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

namespace enxerto {
namespace {

using Bytes = std::span<const std::uint8_t>;

std::string_view text_at(Bytes bytes, std::size_t at, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes.data()) + at, size};
}

/// The TIFF block in the APP1 segment of a JPEG file that holds EXIF data; empty where there is none.
Bytes find_exif(Bytes jpeg) {
  constexpr std::string_view opening("Exif\0\0", 6);
  constexpr std::uint8_t app1 = 0xE1, start_of_scan = 0xDA;
  std::size_t at = 2;  // behind the marker that opens the file
  while (at + 4 <= jpeg.size() && jpeg[at] == 0xFF && jpeg[at + 1] != start_of_scan) {
    if (jpeg[at + 1] == 0xFF) {  // bytes that fill
      ++at;
      continue;
    }
    const std::size_t size = std::size_t{jpeg[at + 2]} << 8 | jpeg[at + 3];
    if (size < 2 || at + 2 + size > jpeg.size()) return {};
    const Bytes segment = jpeg.subspan(at + 4, size - 2);
    if (jpeg[at + 1] == app1 && segment.size() > opening.size() &&
        text_at(segment, 0, opening.size()) == opening)
      return segment.subspan(opening.size());
    at += 2 + size;
  }
  return {};
}

/// A TIFF block: numbers in either order of bytes, and directories of entries.
class Tiff {
 public:
  explicit Tiff(Bytes bytes) : bytes_(bytes), little_(!bytes.empty() && bytes[0] == 'I') {}

  bool is_sound() const {
    return bytes_.size() >= 8 &&
           text_at(bytes_, 0, 4) == (little_ ? std::string_view("II*\0", 4) : std::string_view("MM\0*", 4));
  }
  std::uint32_t first_directory() const { return number(4, 4); }

  /// Where the entry with this tag lies; empty where the directory has none.
  std::optional<std::size_t> find(std::size_t directory, std::uint32_t tag) const {
    if (directory > bytes_.size() || bytes_.size() - directory < 2) return std::nullopt;
    const std::size_t count = number(directory, 2);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = directory + 2 + entry_bytes * i;
      if (at + entry_bytes > bytes_.size()) return std::nullopt;
      if (number(at, 2) == tag) return at;
    }
    return std::nullopt;
  }
  std::uint32_t value(std::size_t entry) const { return number(entry + 8, 4); }

  /// The text of an entry up to its zero; empty where it is no text.
  std::string text(std::size_t entry) const {
    constexpr std::uint32_t ascii = 2, most = 64;
    const std::uint32_t count = number(entry + 4, 4);
    if (number(entry + 2, 2) != ascii || count > most) return "";
    const std::size_t at = count <= 4 ? entry + 8 : value(entry);
    if (at > bytes_.size() || bytes_.size() - at < count) return "";
    const std::string_view all = text_at(bytes_, at, count);
    return std::string(all.substr(0, all.find('\0')));
  }
  std::string text(std::size_t directory, std::uint32_t tag) const {
    const auto entry = find(directory, tag);
    return entry ? text(*entry) : "";
  }

 private:
  static constexpr std::size_t entry_bytes = 12;
  std::uint32_t number(std::size_t at, std::size_t size) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value |= std::uint32_t{bytes_[at + i]} << (8 * (little_ ? i : size - 1 - i));
    return value;
  }
  Bytes bytes_;
  bool little_;
};

}  // namespace

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

std::optional<Taken> find_taken(Bytes jpeg) {
  const Tiff tiff(find_exif(jpeg));
  if (!tiff.is_sound()) return std::nullopt;
  constexpr std::uint32_t maker_tag = 0x010F, model_tag = 0x0110, exif_tag = 0x8769, original_tag = 0x9003;
  const std::size_t directory = tiff.first_directory();
  const auto exif = tiff.find(directory, exif_tag);
  if (!exif) return std::nullopt;
  const auto second = parse_exif_time(tiff.text(tiff.value(*exif), original_tag));
  if (!second) return std::nullopt;
  return Taken{*second, tiff.text(directory, maker_tag) + " " + tiff.text(directory, model_tag)};
}

}  // namespace enxerto
