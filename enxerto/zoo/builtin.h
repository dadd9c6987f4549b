/// The backbone in the box: a small network that we trained ourselves, inside the library (docs/backbone.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "enxerto/zoo/cache.h"

namespace enxerto {

/// What it is called where a model is asked for.
inline constexpr std::string_view builtin_name = "builtin";

/// The bytes of its model file (docs/formats/model-file.md): features and no head, in half precision.
std::span<const std::uint8_t> builtin_model();

/// The same as a file, builtin-DIGITS.safetensors by a hash of its bytes; written where it is not there or
/// holds something else. Throws Error{usage} where nobody says where the cache is, and Error{io}.
std::filesystem::path builtin_file(const std::filesystem::path& folder = cache_folder());

}  // namespace enxerto
