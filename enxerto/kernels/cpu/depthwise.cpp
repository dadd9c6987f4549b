#include "enxerto/kernels/cpu/depthwise.h"

#include <omp.h>

#include <algorithm>
#include <cstring>

#include "enxerto/core/system.h"
#include "enxerto/kernels/cpu/loops.h"
#include "enxerto/kernels/cpu/tiles.h"

namespace enxerto::cpu {
namespace {

/// The maps of both sides as tiles: one picture's pixels of `lanes` channels, in float. Those of float maps
/// are where they are; those of bfloat16 are copied, since a window reads each pixel many times.
class Tiles {
 public:
  Tiles(const ConvSpec& spec, const Layout& in, const Layout& out, std::int64_t lanes, float* scratch)
      : in_(in),
        out_(out),
        lanes_(lanes),
        blocks_((spec.in.c + lanes - 1) / lanes),
        of_thread_(scratch_of_thread(spec, in, lanes)),
        scratch_(scratch) {}

  std::int64_t blocks() const { return blocks_; }
  std::int64_t count() const { return in_.shape.n * blocks_; }  ///< block innermost
  static std::int64_t scratch(const ConvSpec& spec, const Layout& in, std::int64_t lanes) {
    return threads() * scratch_of_thread(spec, in, lanes);
  }
  /// For the loops.
  float* third() const { return mine() + (in_.bf16 ? (in_.pixels() + out_.pixels()) * lanes_ : 0); }

  const float* in(std::int64_t item, const float* x) const { return read(in_, item, x, mine()); }
  const float* out(std::int64_t item, const float* y) const { return read(out_, item, y, second()); }
  /// Where to write a tile of the input's side, and what brings it to its place then.
  float* to_write(std::int64_t item, float* x) const { return in_.bf16 ? mine() : x + offset(in_, item); }
  void written(std::int64_t item, float* x) const {
    if (in_.bf16)
      loops().narrow_tile(mine(), in_.pixels(), in_.block, channels(item),
                          numbers<Bf16>(x) + offset(in_, item));
  }

 private:
  const float* read(const Layout& layout, std::int64_t item, const float* from, float* tile) const {
    if (!layout.bf16) return from + offset(layout, item);
    loops().widen_tile(numbers<Bf16>(from) + offset(layout, item), layout.pixels(), layout.block,
                       channels(item), tile);
    return tile;
  }
  std::int64_t offset(const Layout& layout, std::int64_t item) const {
    const std::int64_t channel = item % blocks_ * lanes_;
    return item / blocks_ * layout.blocks() * layout.pixels() * layout.block +
           channel / layout.block * layout.pixels() * layout.block + channel % layout.block;
  }
  /// Of the tile, those that the layout has.
  int channels(std::int64_t item) const {
    return static_cast<int>(std::min(lanes_, in_.blocks() * in_.block - item % blocks_ * lanes_));
  }
  static std::int64_t scratch_of_thread(const ConvSpec& spec, const Layout& in, std::int64_t lanes) {
    const std::int64_t tiles = in.bf16 ? (in.pixels() + spec.out.h * spec.out.w) * lanes : 0;
    return tiles + loops().depthwise_scratch(spec.window, spec.in, spec.out, static_cast<int>(lanes));
  }
  float* mine() const { return scratch_ + omp_get_thread_num() * of_thread_; }
  float* second() const { return mine() + in_.pixels() * lanes_; }

  Layout in_, out_;
  std::int64_t lanes_, blocks_, of_thread_;
  float* scratch_;
};

std::int64_t weights_of_block(const ConvSpec& spec, std::int64_t lanes) {
  return spec.window.kernel_h * spec.window.kernel_w * lanes;
}
/// What one picture adds for one block: all weights, then the bias.
std::int64_t share(const ConvSpec& spec, std::int64_t lanes) { return weights_of_block(spec, lanes) + lanes; }

}  // namespace

std::int64_t depthwise_scratch(const ConvSpec& spec, const Layout& in, std::int64_t lanes) {
  return spec.in.n * ((spec.in.c + lanes - 1) / lanes) * share(spec, lanes) + Tiles::scratch(spec, in, lanes);
}

void depthwise_weight_gradient(const ConvSpec& spec, const Layout& in, const Layout& out, std::int64_t lanes,
                               const float* x, const float* dout, float* dweights, float* dbias,
                               float* scratch) {
  const Tiles tiles(spec, in, out, lanes, scratch);
  float* const shares = scratch + Tiles::scratch(spec, in, lanes);
  const std::int64_t items = tiles.count(), blocks = tiles.blocks(), size = share(spec, lanes);
#pragma omp parallel for schedule(static)
  for (std::int64_t item = 0; item < items; ++item)
    loops().depthwise_gradient(spec.window, in.shape, out.shape, tiles.in(item, x), tiles.out(item, dout),
                               static_cast<int>(lanes), shares + item * size, tiles.third());
  const std::int64_t weights = size - lanes;
#pragma omp parallel for schedule(static)
  for (std::int64_t b = 0; b < blocks; ++b) {
    float* const sum = shares + b * size;
    for (std::int64_t n = 1; n < in.shape.n; ++n)
      loops().add(sum, shares + (n * blocks + b) * size, sum, size);
    std::copy_n(sum, weights, dweights + b * weights);
    if (dbias) std::copy_n(sum + weights, std::min(lanes, in.shape.c - b * lanes), dbias + b * lanes);
  }
}

bool has_depthwise_data_gradient(const Window& window) {
  return window.dilation_w == 1 && window.kernel_h <= 16 && window.kernel_w <= 5 * window.stride_w;
}

void depthwise_data_gradient(const ConvSpec& spec, const Layout& in, const Layout& out, std::int64_t lanes,
                             const float* dout, const float* weights, float* dx, float* scratch) {
  const Tiles tiles(spec, in, out, lanes, scratch);
  const std::int64_t items = tiles.count(), size = weights_of_block(spec, lanes);
#pragma omp parallel for schedule(static)
  for (std::int64_t item = 0; item < items; ++item) {
    loops().depthwise_data_gradient(spec.window, in.shape, out.shape, tiles.out(item, dout),
                                    weights + item % tiles.blocks() * size, static_cast<int>(lanes),
                                    tiles.to_write(item, dx), tiles.third());
    tiles.written(item, dx);
  }
}

}  // namespace enxerto::cpu
