/// The inner loops of our own kernels, compiled once for each instruction set (loops.inl) and chosen at
/// run time. A "tile" is a run of pixels of `width` channels that lie side by side: width is 16, 8 or 1,
/// the next pixel `stride` floats on.
#pragma once

#include <cstdint>
#include <type_traits>

#include "enxerto/kernels/spec.h"
#include "enxerto/tensor/bfloat16.h"

namespace enxerto::cpu {

/// What batch norm knows of `width` channels: y = f((x - mean) * factor + shift [+ residual]), where f is
/// none, relu, relu6 or, without a residual, hard_swish.
struct ChannelStats {
  const float *mean, *factor, *shift;
};

/// Batch norm over numbers of type T, float or Bf16; all arithmetic is in float.
template <class T>
struct NormLoops {
  /// Mean and sum of squared differences from it, over the tile.
  void (*moments)(const T* x, std::int64_t pixels, std::int64_t stride, int width, float* mean, float* m2);
  /// y from x; residual may be null.
  void (*normalize)(const T* x, const T* residual, T* y, std::int64_t pixels, std::int64_t stride, int width,
                    ChannelStats stats, Activation f);
  /// With g = dy * f': sums of g and of g * (x - mean). `y` tells where relu and relu6 let something through,
  /// where a residual had a part in that, and may be null elsewhere: then x tells.
  void (*gradient_sums)(const T* x, const T* y, const T* dy, std::int64_t pixels, std::int64_t stride,
                        int width, ChannelStats stats, Activation f, float* sum_g, float* sum_gx);
  /// dx = g * factor + (x - mean) * slope + offset; dresidual = g where it is not null.
  void (*gradient)(const T* x, const T* y, const T* dy, T* dx, T* dresidual, std::int64_t pixels,
                   std::int64_t stride, int width, ChannelStats stats, const float* slope,
                   const float* offset, Activation f);
};

/// One window's pixels of type T, float or Bf16: `rows` x `columns`, row_stride and column_stride numbers
/// apart.
template <class T>
struct WindowLoops {
  /// Maximum and, unless `index` is null, where it stood, counted from `first_index` by index_step per row.
  void (*max)(const T* x, int rows, int columns, std::int64_t row_stride, std::int64_t column_stride,
              int width, int first_index, int index_step, T* y, std::int32_t* index);
  void (*sum)(const T* x, int rows, int columns, std::int64_t row_stride, std::int64_t column_stride,
              int width, float factor, T* y);
  void (*sum_to_float)(const T* x, int rows, int columns, std::int64_t row_stride, std::int64_t column_stride,
                       int width, float factor, float* y);
  /// Adds g to the pixel where max() found the maximum.
  void (*route)(const T* g, const std::int32_t* index, int rows, int columns, std::int64_t row_stride,
                std::int64_t column_stride, int width, int first_index, int index_step, T* dx);
  /// Adds g * factor to each of the window's pixels.
  void (*spread)(const T* g, int rows, int columns, std::int64_t row_stride, std::int64_t column_stride,
                 int width, float factor, T* dx);
  void (*spread_from_float)(const float* g, int rows, int columns, std::int64_t row_stride,
                            std::int64_t column_stride, int width, float factor, T* dx);
};

/// Maps of type T, float or Bf16, with factors and sums in float.
template <class T>
struct ScaleLoops {
  /// y = a * (one number per channel of the tile).
  void (*scale)(const T* a, const float* factor, T* y, std::int64_t pixels, std::int64_t stride, int width);
  /// Sum over the tile of a * b.
  void (*dot)(const T* a, const T* b, std::int64_t pixels, std::int64_t stride, int width, float* sum);
};

/// Planes of floats to numbers of type T, float or Bf16.
template <class T>
struct PlaneLoops {
  /// The planes of red, green and blue to pixels: to[3 * i + c] = planes[c][i].
  void (*interleave)(const float* const planes[3], std::int64_t count, T* to);
};

template <template <class> class Kind>
struct ForBothTypes {
  Kind<float> floats;
  Kind<Bf16> halves;

  template <class T>
  const Kind<T>& of() const {
    if constexpr (std::is_same_v<T, float>)
      return floats;
    else
      return halves;
  }
};

struct Loops {
  const char* name;  ///< of the instruction set
  ForBothTypes<NormLoops> norm;
  ForBothTypes<WindowLoops> window;
  ForBothTypes<ScaleLoops> scale;
  ForBothTypes<PlaneLoops> planes;

  void (*activate)(const ActivationSpec& spec, const float* x, float* y, std::int64_t count);
  /// `kept` is the output, or for hard_swish and silu the input.
  void (*activate_gradient)(const ActivationSpec& spec, const float* kept, const float* dy, float* dx,
                            std::int64_t count);
  void (*activate_bf16)(const ActivationSpec& spec, const Bf16* x, Bf16* y, std::int64_t count);
  void (*activate_gradient_bf16)(const ActivationSpec& spec, const Bf16* kept, const Bf16* dy, Bf16* dx,
                                 std::int64_t count);
  void (*add)(const float* a, const float* b, float* y, std::int64_t count);
  void (*add_bf16)(const Bf16* a, const Bf16* b, Bf16* y, std::int64_t count);
  void (*multiply)(const float* a, const float* b, float* y, std::int64_t count);

  /// Some outputs of a small linear layer, for rows x_step floats apart: y = x W + b, weights
  /// [inputs][dense_lanes].
  int dense_lanes;
  void (*dense)(const float* x, std::int64_t x_step, std::int64_t rows, std::int64_t inputs,
                const float* weights, const float* bias, float* y, std::int64_t y_step);

  /// Floats of scratch that the two below need.
  std::int64_t (*depthwise_scratch)(const Window& window, const Shape& in, const Shape& out, int width);
  /// One picture's share of a depthwise convolution's weight gradient, for one block of `width` channels
  /// (8 or 16): sums of x * dy for each place of the window, then the sum of dy.
  void (*depthwise_gradient)(const Window& window, const Shape& in, const Shape& out, const float* x,
                             const float* dy, int width, float* sums, float* scratch);
  /// One picture's gradient by x of a depthwise convolution, for one block of `width` channels (8 or 16),
  /// with weights [kernel_h][kernel_w][width]; dilation_w is 1.
  void (*depthwise_data_gradient)(const Window& window, const Shape& in, const Shape& out, const float* dy,
                                  const float* weights, int width, float* dx, float* scratch);

  /// Up to 16 channels of pixels `stride` numbers apart, as floats in a tile of 16; what is left over is
  /// zero.
  void (*widen_tile)(const Bf16* from, std::int64_t pixels, std::int64_t stride, int channels, float* to);
  /// And back.
  void (*narrow_tile)(const float* from, std::int64_t pixels, std::int64_t stride, int channels, Bf16* to);
};

/// The table for this chip.
const Loops& loops();

/// The tables that were built, for tests: each that the chip can run.
const Loops* loops_generic();
const Loops* loops_avx2();    ///< null where not built
const Loops* loops_avx512();  ///< null where not built

}  // namespace enxerto::cpu
