/// Bytes as text.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace enxerto {

/// RFC 4648, padded, on one line.
std::string base64(std::span<const std::uint8_t> bytes);

}  // namespace enxerto
