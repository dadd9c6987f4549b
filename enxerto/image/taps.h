/// The weights of a resize along one axis, as Pillow computes them. Not installed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "enxerto/image/resize.h"

namespace enxerto {

/// 8 bits of pixel and 2 bits of room above, so that no sum of products leaves 32 bits.
inline constexpr int weight_bits = 32 - 8 - 2;

/// For each output position the input positions it is made of, and their weights as fixed point.
struct Taps {
  struct Run {
    int first = 0, count = 0;
  };
  std::vector<Run> runs;
  std::vector<std::int32_t> weights;  ///< `stride` for each run, zero behind its last
  std::size_t stride = 0;             ///< a multiple of 4
};

/// One axis: positions [begin, begin + count) of `out` that are spread over [from, to) of `in` positions.
struct Axis {
  int in = 0;
  double from = 0, to = 0;
  std::int64_t out = 0, begin = 0;
  int count = 0;

  /// Every position is one of the input's, as it is.
  bool is_copy() const { return from == 0 && to == in && out == in; }
};

/// The input positions that the axis reads.
Taps::Run reach_of(const Axis& axis, Filter filter);

/// `origin`: the input position that the runs count from.
Taps make_taps(const Axis& axis, Filter filter, int origin);

}  // namespace enxerto
