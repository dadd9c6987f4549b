/// Image -> bytes of a picture file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "enxerto/image/image.h"

namespace enxerto {

/// Lossless; grey or RGB as the picture is.
std::vector<std::uint8_t> encode_png(const Image& image);

/// The same into a file, whole or not at all. Error{io} that names it.
void save_png(const std::filesystem::path& path, const Image& image);

/// `quality` from 1 to 100, as libjpeg counts it.
std::vector<std::uint8_t> encode_jpeg(const Image& image, int quality = 90);

}  // namespace enxerto
