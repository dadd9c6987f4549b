/// Where buffers with known lifetimes lie in one block of memory.
#pragma once

#include <cstdint>
#include <vector>

namespace enxerto {

/// `size` floats that hold something from step `first` through step `last`.
struct Buffer {
  std::int64_t size = 0;
  int first = 0, last = 0;
  std::int64_t offset = 0;  ///< the answer
};

/// Sets the offsets, multiples of 16 floats, so that buffers alive at one step never overlap; returns the
/// size of the whole. Greedy by size (Pisarchyk & Lee 2020): within a few percent of the least possible.
std::int64_t place(std::vector<Buffer>& buffers);

}  // namespace enxerto
