/// Crosses and circles: the pictures that the demo and the tests make themselves.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "enxerto/data/dataset.h"

namespace enxerto {

/// `count` pictures of size x size pixels, every other one a circle and a cross, with random place, size,
/// thickness, turn, colours and noise. Picture i is a function of seed, i, size and channels.
std::shared_ptr<const Dataset> make_crosses_and_circles(std::int64_t count, int size, std::uint64_t seed,
                                                        int channels = 1);

/// Writes folder/CLASS/000017.png for every picture. Throws Error{usage} where a class's name cannot be
/// that of a folder, Error{io} where it cannot be written.
void write_dataset_as_folder(const Dataset& data, const std::filesystem::path& folder);

}  // namespace enxerto
