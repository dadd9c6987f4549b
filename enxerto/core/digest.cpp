#include "enxerto/core/digest.h"

#include <cstring>

#include "enxerto/core/random.h"

namespace enxerto {

void Digester::mix(std::uint64_t word) {
  state_[0] = (state_[0] ^ word) * 0x9E3779B97F4A7C15ull;
  state_[0] ^= state_[0] >> 32;
  state_[1] = (state_[1] + word) * 0xD6E8FEB86659FD93ull;
  state_[1] ^= state_[1] >> 29;
}

void Digester::add(std::span<const std::uint8_t> bytes) {
  mix(mix64(bytes.size()));
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    mix(word);
  }
  std::uint64_t last = 0;
  for (; at < bytes.size(); ++at) last = last << 8 | bytes[at];
  mix(last);
}

void Digester::add(std::string_view text) {
  add(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

void Digester::add(std::span<const float> values) {
  add(std::span(reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()));
}

void Digester::add(std::uint64_t number) { mix(mix64(number)); }

Digest Digester::digest() const { return {mix64(state_[0]), mix64(state_[1] ^ state_[0])}; }

Digest digest_of(std::span<const std::uint8_t> bytes) {
  Digester digester;
  digester.add(bytes);
  return digester.digest();
}

std::string format_digest(const Digest& digest) {
  std::string digits;
  for (const std::uint64_t word : digest)
    for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[word >> shift & 15];
  return digits;
}

}  // namespace enxerto
