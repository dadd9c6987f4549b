#include "enxerto/interop/names.h"

#include <algorithm>

#include "enxerto/core/text.h"

namespace enxerto {
namespace {

constexpr std::size_t longest = 200;

/// Bytes of the UTF-8 character that starts here; 0 where none does.
std::size_t character_bytes(std::string_view rest) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
  const std::size_t size = byte(0) < 0x80                       ? 1
                           : byte(0) >= 0xC2 && byte(0) <= 0xDF ? 2
                           : (byte(0) & 0xF0) == 0xE0           ? 3
                           : byte(0) >= 0xF0 && byte(0) <= 0xF4 ? 4
                                                                : 0;
  if (size == 0 || size > rest.size()) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  if (size == 1) return byte(0) >= 0x20 && byte(0) != 0x7F ? 1 : 0;
  // Overlong forms, surrogates and what lies beyond U+10FFFF.
  if ((byte(0) == 0xE0 && byte(1) < 0xA0) || (byte(0) == 0xED && byte(1) >= 0xA0)) return 0;
  if ((byte(0) == 0xF0 && byte(1) < 0x90) || (byte(0) == 0xF4 && byte(1) >= 0x90)) return 0;
  return size;
}

std::string printable(std::string_view wanted) {
  std::string name;
  while (!wanted.empty()) {
    const std::size_t size = character_bytes(wanted);
    if (name.size() + std::max<std::size_t>(size, 1) > longest) break;
    name += size == 0 ? std::string_view("_") : wanted.substr(0, size);
    wanted.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return name.empty() ? "layer" : name;
}

}  // namespace

std::string NameGiver::give(std::string_view wanted) {
  const std::string name = printable(wanted);
  std::string tried = name;
  for (int& number = next_[name]; !taken_.insert(tried).second;) tried = text(name, "_", ++number + 1);
  return tried;
}

}  // namespace enxerto
