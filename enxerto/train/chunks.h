/// Work on all parameters at once, cut into pieces that do not depend on the threads. Not installed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "enxerto/graph/executor.h"

namespace enxerto {

/// Elements [begin, end) of an update.
struct Chunk {
  std::size_t update, begin, end;
};

/// Small enough to share work out evenly, large enough that starting one costs nothing.
inline std::vector<Chunk> chunks_of(std::span<const Update> updates) {
  constexpr std::size_t most = 16384;
  std::vector<Chunk> chunks;
  for (std::size_t update = 0; update < updates.size(); ++update) {
    const std::size_t size = updates[update].value.size();
    for (std::size_t begin = 0; begin < size; begin += most)
      chunks.push_back({update, begin, std::min(begin + most, size)});
  }
  return chunks;
}

/// Whether they are enough to wake other threads for: a small network's step is over before these are awake.
inline bool worth_threads(std::span<const Chunk> chunks) {
  constexpr std::size_t enough = 32768;
  std::size_t elements = 0;
  for (const Chunk& chunk : chunks) elements += chunk.end - chunk.begin;
  return elements > enough;
}

/// The sum over all chunks of part(chunk), the parts added in order: the same bits for any number of threads.
template <class F>
double sum_over_chunks(std::span<const Update> updates, const F& part) {
  const std::vector<Chunk> chunks = chunks_of(updates);
  std::vector<double> parts(chunks.size());
#pragma omp parallel for schedule(static) if (worth_threads(chunks))
  for (std::size_t i = 0; i < chunks.size(); ++i) parts[i] = part(chunks[i]);
  double sum = 0;
  for (const double each : parts) sum += each;
  return sum;
}

}  // namespace enxerto
