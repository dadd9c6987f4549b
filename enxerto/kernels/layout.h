/// How one activation lies in memory.
#pragma once

#include <cstdint>
#include <string>

#include "enxerto/tensor/tensor.h"

namespace enxerto {

/// Floats in the order [n][channel / block][h][w][channel % block]. block == 1 is plain (n, c, h, w),
/// block == shape.c is channels-last (n, h, w, c), 8 and 16 are the blocks of AVX2 and AVX-512 kernels.
/// The last block is filled up with channels that hold zero, always. Or bfloat16 in the same order: the upper
/// half of a float, rounded to the nearest, ties to even. A plain value: kernels say which one they want, the
/// executor reorders where two disagree.
struct Layout {
  Shape shape{.n = 0};  ///< with the batch in n
  std::int64_t block = 1;
  bool bf16 = false;

  std::int64_t blocks() const { return (shape.c + block - 1) / block; }
  std::int64_t pixels() const { return shape.h * shape.w; }
  /// Numbers, padding included.
  std::int64_t elements() const { return shape.n * blocks() * pixels() * block; }
  /// Floats of memory that they take.
  std::int64_t size() const { return bf16 ? (elements() + 1) / 2 : elements(); }
  bool padded() const { return shape.c % block != 0; }
  friend bool operator==(const Layout&, const Layout&) = default;
};

/// The Layout of this block, in its one canonical spelling: where two blocks mean the same order in
/// memory (one channel; one pixel) the answer is plain.
Layout make_layout(const Shape& shape, std::int64_t block);
inline Layout plain(const Shape& shape) { return {shape, 1}; }
inline Layout channels_last(const Shape& shape) { return make_layout(shape, shape.c); }
/// The same order of the one number format or the other.
inline Layout in_format(Layout layout, bool bf16) {
  layout.bf16 = bf16;
  return layout;
}

/// "32x64x56x56 blocked by 16".
std::string format_layout(const Layout& layout);

/// Copies from one layout into another of the same shape, and from one number format into the other; writes
/// the padding too. `source` and `target` point to bf16 where their layouts say so.
void reorder(const Layout& from, const float* source, const Layout& to, float* target);

/// Adds `from` to `into`, both of this layout.
void accumulate(const Layout& layout, const float* from, float* into);

/// Channels of the widest block that this chip's kernels like: 16 on AVX-512, else 8.
std::int64_t preferred_block();

}  // namespace enxerto
