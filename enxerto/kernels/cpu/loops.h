/// The inner loops of our own kernels, compiled once for each instruction set (loops.inl) and chosen at
/// run time. A "tile" is a run of pixels of `width` channels that lie side by side: width is 16, 8 or 1,
/// the next pixel `stride` floats on.
#pragma once

#include <cstdint>

#include "enxerto/kernels/spec.h"

namespace enxerto::cpu {

/// What batch norm knows of `width` channels: y = (x - mean) * factor + shift [+ residual], then relu.
struct ChannelStats {
  const float *mean, *factor, *shift;
};

struct Loops {
  const char* name;  ///< of the instruction set
  /// Mean and sum of squared differences from it, over the tile.
  void (*moments)(const float* x, std::int64_t pixels, std::int64_t stride, int width, float* mean,
                  float* m2);
  /// y from x; residual may be null.
  void (*normalize)(const float* x, const float* residual, float* y, std::int64_t pixels, std::int64_t stride,
                    int width, ChannelStats stats, bool relu);
  /// With g = dy where relu let it through: sums of g and of g * (x - mean). `y` is read where the
  /// residual decides the sign, and may be null elsewhere.
  void (*gradient_sums)(const float* x, const float* y, const float* dy, std::int64_t pixels,
                        std::int64_t stride, int width, ChannelStats stats, bool relu, float* sum_g,
                        float* sum_gx);
  /// dx = g * factor + (x - mean) * slope + offset; dresidual = g where it is not null.
  void (*gradient)(const float* x, const float* y, const float* dy, float* dx, float* dresidual,
                   std::int64_t pixels, std::int64_t stride, int width, ChannelStats stats,
                   const float* slope, const float* offset, bool relu);

  void (*activate)(const ActivationSpec& spec, const float* x, float* y, std::int64_t count);
  /// `kept` is the output, or for hard_swish and silu the input.
  void (*activate_gradient)(const ActivationSpec& spec, const float* kept, const float* dy, float* dx,
                            std::int64_t count);
  void (*add)(const float* a, const float* b, float* y, std::int64_t count);
  void (*multiply)(const float* a, const float* b, float* y, std::int64_t count);
  /// y = a * (one number per channel of the tile).
  void (*scale)(const float* a, const float* factor, float* y, std::int64_t pixels, std::int64_t stride,
                int width);
  /// Sum over the tile of a * b.
  void (*dot)(const float* a, const float* b, std::int64_t pixels, std::int64_t stride, int width,
              float* sum);

  /// One window's pixels, `rows` x `columns`, row_stride and column_stride floats apart.
  /// Maximum with the index of where it stood, counted from `first_index` by index_step per row.
  void (*window_max)(const float* x, int rows, int columns, std::int64_t row_stride,
                     std::int64_t column_stride, int width, int first_index, int index_step, float* y,
                     std::int32_t* index);
  void (*window_sum)(const float* x, int rows, int columns, std::int64_t row_stride,
                     std::int64_t column_stride, int width, float factor, float* y);
  /// Adds g to the pixel where window_max() found the maximum.
  void (*window_route)(const float* g, const std::int32_t* index, int rows, int columns,
                       std::int64_t row_stride, std::int64_t column_stride, int width, int first_index,
                       int index_step, float* dx);
  /// Adds g * factor to each of the window's pixels.
  void (*window_spread)(const float* g, int rows, int columns, std::int64_t row_stride,
                        std::int64_t column_stride, int width, float factor, float* dx);
  /// One picture's share of a depthwise convolution's weight gradient, for one block of `width` channels
  /// (8 or 16): sums of x * dy for each place of the window, then the sum of dy.
  void (*depthwise_gradient)(const Window& window, const Shape& in, const Shape& out, const float* x,
                             const float* dy, int width, float* sums);
  /// One picture's gradient by x of a depthwise convolution, for one block of `width` channels (8 or 16),
  /// with weights [kernel_h][kernel_w][width]; dilation_w is 1.
  void (*depthwise_data_gradient)(const Window& window, const Shape& in, const Shape& out, const float* dy,
                                  const float* weights, int width, float* dx);
};

/// The table for this chip.
const Loops& loops();

/// The tables that were built, for tests: each that the chip can run.
const Loops* loops_generic();
const Loops* loops_avx2();    ///< null where not built
const Loops* loops_avx512();  ///< null where not built

}  // namespace enxerto::cpu
