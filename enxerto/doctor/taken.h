/// When and by what a photograph was taken, as its EXIF data say.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace enxerto {

struct Taken {
  std::int64_t second = 0;  ///< counted from any fixed moment, by the camera's clock
  std::string camera;       ///< its maker and model; may be empty
  friend bool operator==(const Taken&, const Taken&) = default;
};

/// Of a JPEG, PNG, WebP or TIFF file; empty where it is another, has no such time or makes no sense. Never
/// throws.
std::optional<Taken> find_taken(std::span<const std::uint8_t> file);

/// "2019:05:04 10:20:30" as seconds; empty where it is none.
std::optional<std::int64_t> parse_exif_time(std::string_view text);

}  // namespace enxerto
