#include "enxerto/kernels/cpu/depthwise.h"

#include <algorithm>
#include <cstring>

#include "enxerto/kernels/cpu/loops.h"
#include "enxerto/kernels/cpu/tiles.h"

namespace enxerto::cpu {
namespace {

/// Floats that one picture adds for one block: all weights, then the bias.
std::int64_t share(const ConvSpec& spec, const Layout& in) {
  return (spec.window.kernel_h * spec.window.kernel_w + 1) * in.block;
}

}  // namespace

std::int64_t depthwise_scratch(const ConvSpec& spec, const Layout& in) {
  return in.shape.n * in.blocks() * share(spec, in);
}

void depthwise_weight_gradient(const ConvSpec& spec, const Layout& in, const Layout& out, const float* x,
                               const float* dout, float* dweights, float* dbias, float* scratch) {
  const std::int64_t blocks = in.blocks(), items = in.shape.n * blocks, size = share(spec, in);
#pragma omp parallel for schedule(static)
  for (std::int64_t item = 0; item < items; ++item)
    loops().depthwise_gradient(spec.window, in.shape, out.shape, x + item * in.pixels() * in.block,
                               dout + item * out.pixels() * out.block, static_cast<int>(in.block),
                               scratch + item * size);
  const std::int64_t weights = size - in.block;
#pragma omp parallel for schedule(static)
  for (std::int64_t b = 0; b < blocks; ++b) {
    float* const sum = scratch + b * size;
    for (std::int64_t n = 1; n < in.shape.n; ++n)
      loops().add(sum, scratch + (n * blocks + b) * size, sum, size);
    std::copy_n(sum, weights, dweights + b * weights);
    if (dbias)
      std::copy_n(sum + weights, std::min(in.block, in.shape.c - b * in.block), dbias + b * in.block);
  }
}

bool has_depthwise_data_gradient(const Window& window) {
  return window.dilation_w == 1 && window.kernel_h <= 16 && window.kernel_w <= 5 * window.stride_w;
}

void depthwise_data_gradient(const ConvSpec& spec, const Layout& in, const Layout& out, const float* dout,
                             const float* weights, float* dx) {
  const std::int64_t blocks = in.blocks(), items = in.shape.n * blocks;
  const std::int64_t size = spec.window.kernel_h * spec.window.kernel_w * in.block;
#pragma omp parallel for schedule(static)
  for (std::int64_t item = 0; item < items; ++item)
    loops().depthwise_data_gradient(spec.window, in.shape, out.shape, dout + item * out.pixels() * out.block,
                                    weights + item % blocks * size, static_cast<int>(in.block),
                                    dx + item * in.pixels() * in.block);
}

}  // namespace enxerto::cpu
