/// Digests: 128 bits that stand for bytes. Equal digests mean equal bytes for all that a machine will ever
/// hold, unless somebody makes bytes so that they are equal: nothing here keeps secrets.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace enxerto {

using Digest = std::array<std::uint64_t, 2>;

/// Takes bytes part by part; where one part ends and the next begins counts too. The same on every machine of
/// one byte order.
class Digester {
 public:
  void add(std::span<const std::uint8_t> bytes);
  void add(std::string_view text);
  void add(std::span<const float> values);
  void add(std::uint64_t number);
  Digest digest() const;

 private:
  void mix(std::uint64_t word);
  Digest state_{0x243F6A8885A308D3ull, 0x13198A2E03707344ull};
};

Digest digest_of(std::span<const std::uint8_t> bytes);

/// 32 hexadecimal digits.
std::string format_digest(const Digest& digest);

}  // namespace enxerto
