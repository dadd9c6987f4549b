#include "enxerto/graph/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace enxerto {

std::int64_t place(std::vector<Buffer>& buffers) {
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order,
                           [&](std::size_t a, std::size_t b) { return buffers[a].size > buffers[b].size; });
  std::vector<const Buffer*> placed;  // by offset
  std::int64_t total = 0;
  for (const std::size_t i : order) {
    Buffer& buffer = buffers[i];
    buffer.size = (buffer.size + 15) / 16 * 16;
    // The smallest gap between those alive at the same time that takes it, else behind them all.
    std::int64_t end = 0, best = -1, best_gap = 0;
    for (const Buffer* other : placed) {
      if (other->last < buffer.first || other->first > buffer.last) continue;
      const std::int64_t gap = other->offset - end;
      if (gap >= buffer.size && (best < 0 || gap < best_gap)) best = end, best_gap = gap;
      end = std::max(end, other->offset + other->size);
    }
    buffer.offset = best < 0 ? end : best;
    total = std::max(total, buffer.offset + buffer.size);
    placed.insert(std::ranges::upper_bound(placed, buffer.offset, {}, &Buffer::offset), &buffer);
  }
  return total;
}

}  // namespace enxerto
