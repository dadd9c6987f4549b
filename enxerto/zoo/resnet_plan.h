/// What the forms of the residual networks share.
#pragma once

#include <array>
#include <stdexcept>

namespace enxerto {

/// He et al. 2015, table 1: blocks in each of four stages; bottleneck: 1x1, 3x3, 1x1 with four times the
/// channels.
struct ResnetPlan {
  std::array<int, 4> blocks;
  bool bottleneck;
};
constexpr ResnetPlan resnet_plan(int depth) {
  switch (depth) {
    case 18:
      return {{2, 2, 2, 2}, false};
    case 34:
      return {{3, 4, 6, 3}, false};
    case 50:
      return {{3, 4, 6, 3}, true};
    case 101:
      return {{3, 4, 23, 3}, true};
    case 152:
      return {{3, 8, 36, 3}, true};
  }
  throw std::logic_error("a ResNet has 18, 34, 50, 101 or 152 layers");
}

}  // namespace enxerto
