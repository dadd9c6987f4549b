/// Sizes and padding of windows, as layers spell them.
#pragma once

#include <string_view>

#include "enxerto/kernels/spec.h"

namespace enxerto {

/// Height and width; one number means both.
struct Size2 {
  int h = 1, w = 1;
  constexpr Size2() = default;
  constexpr Size2(int both) : h(both), w(both) {}
  constexpr Size2(int h_, int w_) : h(h_), w(w_) {}
  friend bool operator==(const Size2&, const Size2&) = default;
};

/// Zeros added around, in pixels; one number means all four sides. `same` is TensorFlow's SAME: as much
/// as makes the output ceil(in / stride), the odd pixel at the bottom and on the right.
struct Padding {
  int top = 0, left = 0, bottom = 0, right = 0;
  bool same = false;
  constexpr Padding() = default;
  constexpr Padding(int all) : top(all), left(all), bottom(all), right(all) {}
  constexpr Padding(int top_, int left_, int bottom_, int right_)
      : top(top_), left(left_), bottom(bottom_), right(right_) {}
  static constexpr Padding same_as_tensorflow() {
    Padding made;
    made.same = true;
    return made;
  }
  friend bool operator==(const Padding&, const Padding&) = default;
};

/// The window for an input of this size, SAME resolved. out = (in + pads - dilation*(kernel-1) - 1) /
/// stride + 1, rounded down, or in ceil mode up with the last window starting inside the picture or its
/// left padding (PyTorch's rule, so there a window may hang over a picture that is too small for it).
/// Throws Error{usage} that opens with `kind` where the window is larger than the padded picture or a
/// number makes no sense.
struct PlacedWindow {
  Window window;
  std::int64_t out_h = 0, out_w = 0;
};
PlacedWindow place_window(std::string_view kind, const Shape& in, Size2 kernel, Size2 stride,
                          const Padding& pad, Size2 dilation, bool ceil_mode);

}  // namespace enxerto
