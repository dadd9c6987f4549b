/// ContentHash: 128 bits that stand for content, to find again what was computed from it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace enxerto {

/// A hash of content. Equal content, equal key, on every machine of the same byte order.
struct ContentKey {
  std::uint64_t high = 0, low = 0;
  friend bool operator==(const ContentKey&, const ContentKey&) = default;
};

/// Not against forgers: against damage and accident, at about 15 GB/s. Each add() counts with its length, so
/// that "ab", "c" and "a", "bc" differ.
class ContentHash {
 public:
  explicit ContentHash(std::uint64_t seed = 0);
  void add(std::uint64_t word);
  void add(std::span<const std::uint8_t> bytes);
  void add(std::span<const float> values);
  void add(std::string_view text);
  void add(const ContentKey& key);
  ContentKey key() const;
  std::uint64_t checksum() const { return key().low; }

 private:
  std::array<std::uint64_t, 4> lanes_;
};

/// What a file is to caches: its absolute path, its length and its time of change, as the system tells them,
/// because reading all of it can cost what a cache is to save. Empty where it is no regular file.
std::optional<ContentKey> file_key(const std::filesystem::path& file);

/// 32 hexadecimal digits.
std::string format_key(const ContentKey& key);

}  // namespace enxerto
