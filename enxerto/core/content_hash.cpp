#include "enxerto/core/content_hash.h"

#include <sys/stat.h>

#include <bit>
#include <cstdio>
#include <cstring>

namespace enxerto {
namespace {

constexpr std::uint64_t odd = 0x9FB21C651E98DF25u, other_odd = 0xD6E8FEB86659FD93u;

/// Both steps can be undone, so no content is lost in one of them.
std::uint64_t step(std::uint64_t state, std::uint64_t word, std::uint64_t factor) {
  state = (state ^ word) * factor;
  return state ^ state >> 32;
}

}  // namespace

ContentHash::ContentHash(std::uint64_t seed)
    : lanes_{seed + 0x243F6A8885A308D3u, seed + 0x13198A2E03707344u, seed + 0xA4093822299F31D0u,
             seed + 0x082EFA98EC4E6C89u} {}

void ContentHash::add(std::uint64_t word) {
  lanes_[0] = step(lanes_[0], word, odd);
  lanes_[1] = step(lanes_[1], std::rotl(word, 32), other_odd);
}

void ContentHash::add(std::span<const std::uint8_t> bytes) {
  add(bytes.size());
  // Four chains side by side: one alone would wait for each multiplication.
  std::array<std::uint64_t, 4> lanes = lanes_, words{};
  std::size_t i = 0;
  for (; i + sizeof words <= bytes.size(); i += sizeof words) {
    std::memcpy(words.data(), bytes.data() + i, sizeof words);
    for (std::size_t lane = 0; lane < 4; ++lane) lanes[lane] = step(lanes[lane], words[lane], odd);
  }
  if (i < bytes.size()) {
    words.fill(0);
    std::memcpy(words.data(), bytes.data() + i, bytes.size() - i);
    for (std::size_t lane = 0; lane < 4; ++lane) lanes[lane] = step(lanes[lane], words[lane], odd);
  }
  // What comes next must not fall into the lanes as if it were more of this.
  for (std::size_t lane = 0; lane < 4; ++lane)
    lanes_[lane] = step(lanes[lane], lanes[(lane + 1) % 4], other_odd);
}

void ContentHash::add(std::span<const float> values) {
  add(std::span(reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()));
}

void ContentHash::add(std::string_view text) {
  add(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

void ContentHash::add(const ContentKey& key) {
  add(key.high);
  add(key.low);
}

ContentKey ContentHash::key() const {
  ContentKey key{odd, other_odd};
  for (std::size_t lane = 0; lane < 4; ++lane) {
    key.high = step(key.high, lanes_[lane], odd);
    key.low = step(key.low, std::rotl(lanes_[3 - lane], 17), other_odd);
  }
  key.high = step(key.high, key.low >> 7, other_odd);
  key.low = step(key.low, key.high, odd);
  return key;
}

std::optional<ContentKey> file_key(const std::filesystem::path& file) {
  std::error_code code;
  const std::filesystem::path path = std::filesystem::absolute(file, code);
  struct stat info {};
  if (file.empty() || code || ::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  ContentHash hash;
  hash.add(std::string_view(path.native()));
  hash.add(static_cast<std::uint64_t>(info.st_size));
  hash.add(static_cast<std::uint64_t>(info.st_mtim.tv_sec));
  hash.add(static_cast<std::uint64_t>(info.st_mtim.tv_nsec));
  return hash.key();
}

std::string format_key(const ContentKey& key) {
  char digits[33];
  std::snprintf(digits, sizeof digits, "%016llx%016llx", static_cast<unsigned long long>(key.high),
                static_cast<unsigned long long>(key.low));
  return digits;
}

}  // namespace enxerto
