#include "enxerto/layers/window.h"

#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

/// One axis of a window.
struct Axis {
  const char* name;
  std::int64_t in, kernel, stride, dilation, pad_before, pad_after;
  std::int64_t out = 0;
};

void place(Axis& axis, std::string_view kind, bool same, bool ceil_mode) {
  const auto values = [&] {
    return text(kind, ": kernel ", axis.kernel, ", stride ", axis.stride, ", dilation ", axis.dilation,
                ", padding ", same ? std::string("same") : text(axis.pad_before, " + ", axis.pad_after),
                " on ", axis.name, " ", axis.in);
  };
  if (axis.kernel < 1 || axis.stride < 1 || axis.dilation < 1)
    throw Error(ErrorKind::usage, values() + ": kernel, stride and dilation have to be at least 1");
  if (axis.pad_before < 0 || axis.pad_after < 0)
    throw Error(ErrorKind::usage, values() + ": padding cannot be negative");

  // Fields are 32-bit and an input is at most 2^31, so no sum or product below leaves 64 bits.
  const std::int64_t reach = axis.dilation * (axis.kernel - 1) + 1;
  if (same) {
    axis.out = (axis.in + axis.stride - 1) / axis.stride;
    const std::int64_t pad = std::max<std::int64_t>((axis.out - 1) * axis.stride + reach - axis.in, 0);
    axis.pad_before = pad / 2;
    axis.pad_after = pad - axis.pad_before;
    return;
  }
  const std::int64_t room = axis.in + axis.pad_before + axis.pad_after - reach;
  if (ceil_mode) {
    if (room > -axis.stride) axis.out = (room + axis.stride - 1) / axis.stride + 1;
    if ((axis.out - 1) * axis.stride >= axis.in + axis.pad_before) --axis.out;
  } else if (room >= 0) {
    axis.out = room / axis.stride + 1;
  }
  if (axis.out < 1)
    throw Error(ErrorKind::usage,
                text(values(), ": the window covers ", reach, " pixels, the padded picture has ",
                     room + reach, "; use a larger picture, a smaller kernel or more padding"));
}

}  // namespace

PlacedWindow place_window(std::string_view kind, const Shape& in, Size2 kernel, Size2 stride,
                          const Padding& pad, Size2 dilation, bool ceil_mode) {
  Axis h{"height", in.h, kernel.h, stride.h, dilation.h, pad.top, pad.bottom};
  Axis w{"width", in.w, kernel.w, stride.w, dilation.w, pad.left, pad.right};
  place(h, kind, pad.same, ceil_mode);
  place(w, kind, pad.same, ceil_mode);
  return {.window = {.kernel_h = h.kernel,
                     .kernel_w = w.kernel,
                     .stride_h = h.stride,
                     .stride_w = w.stride,
                     .dilation_h = h.dilation,
                     .dilation_w = w.dilation,
                     .pad_top = h.pad_before,
                     .pad_left = w.pad_before,
                     .pad_bottom = h.pad_after,
                     .pad_right = w.pad_after},
          .out_h = h.out,
          .out_w = w.out};
}

}  // namespace enxerto
