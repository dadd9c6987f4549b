#include "enxerto/image/exif.h"

#include <algorithm>
#include <string_view>

#include "enxerto/image/format.h"

namespace enxerto {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::string_view opening("Exif\0\0", 6);
constexpr std::uint32_t ascii_type = 2, short_type = 3, long_type = 4;
constexpr std::size_t entry_bytes = 12;

std::string_view text_at(Bytes bytes, std::size_t at, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes.data()) + at, size};
}

bool opens_with(Bytes bytes, std::string_view with) {
  return bytes.size() >= with.size() && text_at(bytes, 0, with.size()) == with;
}

std::uint32_t read_number(Bytes bytes, std::size_t at, std::size_t size, bool little) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= std::uint32_t{bytes[at + i]} << (8 * (little ? i : size - 1 - i));
  return value;
}

/// In the first segment APP1 that opens as EXIF does.
Bytes find_in_jpeg(Bytes file) {
  constexpr std::uint8_t app1 = 0xE1, start_of_scan = 0xDA;
  std::size_t at = 2;  // behind the marker that opens the file
  while (at + 4 <= file.size() && file[at] == 0xFF && file[at + 1] != start_of_scan) {
    if (file[at + 1] == 0xFF) {  // bytes that fill
      ++at;
      continue;
    }
    const std::size_t size = read_number(file, at + 2, 2, false);
    if (size < 2 || at + 2 + size > file.size()) return {};
    const Bytes segment = file.subspan(at + 4, size - 2);
    if (file[at + 1] == app1 && opens_with(segment, opening)) return segment;
    at += 2 + size;
  }
  return {};
}

/// In files of chunks, PNG's and WebP's: a name of four letters and a length of four bytes, which one is
/// first and how many bytes follow the chunk as the format has it.
Bytes find_chunk(Bytes file, std::size_t at, std::string_view name, bool is_png) {
  while (at + 8 <= file.size()) {
    const std::size_t size = read_number(file, is_png ? at : at + 4, 4, !is_png);
    if (size > file.size() - at - 8) return {};
    if (text_at(file, is_png ? at + 4 : at, 4) == name) return file.subspan(at + 8, size);
    at += 8 + size + (is_png ? 4 : size % 2);
  }
  return {};
}

}  // namespace

Bytes find_exif(Bytes file) {
  const auto format = picture_format(file);
  Bytes block;
  if (format == PictureFormat::jpeg) block = find_in_jpeg(file);
  if (format == PictureFormat::png) block = find_chunk(file, 8, "eXIf", true);
  if (format == PictureFormat::webp) block = find_chunk(file, 12, "EXIF", false);
  if (format == PictureFormat::tiff) block = file;
  return Exif(block).is_sound() ? block : Bytes{};
}

Exif::Exif(Bytes block) : bytes_(opens_with(block, opening) ? block.subspan(opening.size()) : block) {
  little_ = opens_with(bytes_, std::string_view("II*\0", 4));
  sound_ = bytes_.size() >= 8 && (little_ || opens_with(bytes_, std::string_view("MM\0*", 4)));
}

std::uint32_t Exif::read(std::size_t at, std::size_t size) const {
  return read_number(bytes_, at, size, little_);
}

std::optional<std::size_t> Exif::find(std::size_t directory, std::uint32_t tag, std::uint32_t type) const {
  if (!sound_ || directory == 0 || directory > bytes_.size() - 2) return std::nullopt;
  const std::size_t count = read(directory, 2);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = directory + 2 + entry_bytes * i;
    if (at + entry_bytes > bytes_.size()) return std::nullopt;
    if (read(at, 2) == tag && read(at + 2, 2) == type) return at;
  }
  return std::nullopt;
}

std::size_t Exif::first_directory() const { return sound_ ? read(4, 4) : 0; }

std::size_t Exif::directory(std::size_t parent, std::uint32_t tag) const {
  const auto entry = find(parent, tag, long_type);
  return entry ? read(*entry + 8, 4) : 0;
}

std::optional<std::uint32_t> Exif::number(std::size_t directory, std::uint32_t tag) const {
  const auto entry = find(directory, tag, short_type);
  if (!entry) return std::nullopt;
  return read(*entry + 8, 2);
}

std::string Exif::text(std::size_t directory, std::uint32_t tag) const {
  constexpr std::uint32_t most = 64;
  const auto entry = find(directory, tag, ascii_type);
  if (!entry) return "";
  const std::uint32_t count = read(*entry + 4, 4);
  if (count > most) return "";
  const std::size_t at = count <= 4 ? *entry + 8 : read(*entry + 8, 4);
  if (at > bytes_.size() || bytes_.size() - at < count) return "";
  const std::string_view all = text_at(bytes_, at, count);
  return std::string(all.substr(0, all.find('\0')));
}

int Exif::orientation() const {
  constexpr std::uint32_t orientation_tag = 0x0112;
  const std::uint32_t value = number(first_directory(), orientation_tag).value_or(1);
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

}  // namespace enxerto
