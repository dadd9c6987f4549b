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

  static std::int64_t scratch_of_thread(const ConvSpec& spec, const Layout& in, std::int64_t lanes) {
    const std::int64_t tiles = in.bf16 ? (in.pixels() + spec.out.h * spec.out.w) * lanes : 0;
    return tiles + loops().depthwise_scratch(spec.window, spec.in, spec.out, static_cast<int>(lanes));
  }
  std::int64_t blocks() const { return blocks_; }
  std::int64_t count() const { return in_.shape.n * blocks_; }  ///< block innermost
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

DepthwiseGradients::DepthwiseGradients(const ConvSpec& spec, const Layout& in, const Layout& out,
                                       std::int64_t lanes)
    : spec_(spec), in_(in), out_(out), lanes_(lanes), threads_(threads()) {}

bool DepthwiseGradients::has_data(const Window& window) {
  return window.dilation_w == 1 && window.kernel_h <= 16 && window.kernel_w <= 5 * window.stride_w;
}

std::int64_t DepthwiseGradients::scratch() const {
  const std::int64_t shares = spec_.in.n * ((spec_.in.c + lanes_ - 1) / lanes_) * share(spec_, lanes_);
  return threads_ * Tiles::scratch_of_thread(spec_, in_, lanes_) + shares;
}

void DepthwiseGradients::weights(const float* x, const float* dout, float* dweights, float* dbias,
                                 float* scratch) const {
  const Tiles tiles(spec_, in_, out_, lanes_, scratch);
  float* const shares = scratch + threads_ * Tiles::scratch_of_thread(spec_, in_, lanes_);
  const std::int64_t items = tiles.count(), blocks = tiles.blocks(), size = share(spec_, lanes_);
#pragma omp parallel for schedule(static) num_threads(threads_)
  for (std::int64_t item = 0; item < items; ++item)
    loops().depthwise_gradient(spec_.window, in_.shape, out_.shape, tiles.in(item, x), tiles.out(item, dout),
                               static_cast<int>(lanes_), shares + item * size, tiles.third());
  const std::int64_t weights = size - lanes_;
#pragma omp parallel for schedule(static) num_threads(threads_)
  for (std::int64_t b = 0; b < blocks; ++b) {
    float* const sum = shares + b * size;
    for (std::int64_t n = 1; n < in_.shape.n; ++n)
      loops().add(sum, shares + (n * blocks + b) * size, sum, size);
    std::copy_n(sum, weights, dweights + b * weights);
    if (dbias) std::copy_n(sum + weights, std::min(lanes_, in_.shape.c - b * lanes_), dbias + b * lanes_);
  }
}

void DepthwiseGradients::data(const float* dout, const float* weights, float* dx, float* scratch) const {
  const Tiles tiles(spec_, in_, out_, lanes_, scratch);
  const std::int64_t items = tiles.count(), size = weights_of_block(spec_, lanes_);
#pragma omp parallel for schedule(static) num_threads(threads_)
  for (std::int64_t item = 0; item < items; ++item) {
    loops().depthwise_data_gradient(spec_.window, in_.shape, out_.shape, tiles.out(item, dout),
                                    weights + item % tiles.blocks() * size, static_cast<int>(lanes_),
                                    tiles.to_write(item, dx), tiles.third());
    tiles.written(item, dx);
  }
}

}  // namespace enxerto::cpu
