/// Winograd's minimal filtering F(4x4, 3x3) (Lavin & Gray 2016): a 3x3 convolution of stride 1 with four
/// times fewer multiplications, in blocked layouts, a chunk of tiles at a time so that what lies between
/// the transforms stays in the cache. Its gradient by the filters is F(3x3, 4x4) over the same tiles: the six
/// points are the same, so are the tiles of x.
#pragma once

#include <cstdint>
#include <memory>

#include "enxerto/kernels/op.h"
#include "enxerto/kernels/spec.h"

namespace enxerto::winograd {

/// Whether conv() can run this on this chip, and is expected to be faster than direct convolution there.
/// A function of sizes and chip alone, so the same run gives the same bits.
bool suits(const ConvSpec& spec, const PlanArgs& args);

/// Forward and both gradients.
std::unique_ptr<Op> conv(const ConvSpec& spec, const PlanArgs& args);

/// How the blocks of `lanes` channels lie: floats from a pixel to the next, and from a block to the next.
struct Steps {
  std::int64_t pixel = 0, block = 0;
};

/// Sizes of a convolution of x {n, c, h, w} to y {n, k, out_h, out_w}, channels counted in blocks of the
/// kernel's lanes that lie one after the other or, channels last, side by side.
struct Geometry {
  std::int64_t n = 0, c_blocks = 0, k_blocks = 0, h = 0, w = 0, out_h = 0, out_w = 0;
  std::int64_t pad_top = 0, pad_left = 0;
  Steps x_steps, y_steps;  ///< y's of the residual too
};

/// Of a convolution, and of its gradient by x: the full correlation of dy with the turned filters.
Geometry geometry_of(const ConvSpec& spec, int lanes, const Steps& x_steps, const Steps& y_steps);
Geometry turned(const Geometry& geometry);

/// y = convolution of x [+ bias] [+ residual], then relu where asked for.
struct Call {
  Geometry geometry;
  const float* x = nullptr;
  const float* filters = nullptr;   ///< as transform_filters() or its turned twin made them
  const float* bias = nullptr;      ///< null: none
  const float* residual = nullptr;  ///< null: none; may be y itself
  float* y = nullptr;
  float* scratch = nullptr;  ///< scratch_size() floats
  bool relu = false;
};

/// The gradient by the filters, and by the bias where it is wanted.
struct GradientCall {
  Geometry geometry;
  const float* x = nullptr;
  const float* dy = nullptr;
  float* dfilters = nullptr;  ///< in blocks as transform_filters() takes them
  float* dbias = nullptr;     ///< {k}, or null
  float* scratch = nullptr;   ///< gradient_scratch_size() floats
};

/// The kernels of one instruction set. The bits of no answer depend on the number of threads.
struct Kernels {
  int lanes;  ///< channels of a block
  /// Filters in blocks [out/L][in/L][3][3][in%L][out%L] to [36][panel][in][lanes of the panel].
  void (*transform_filters)(const float* filters, std::int64_t out_blocks, std::int64_t in_blocks, float* to);
  /// The same for the data gradient: turned by 180 degrees, in and out exchanged.
  void (*transform_turned_filters)(const float* filters, std::int64_t out_blocks, std::int64_t in_blocks,
                                   float* to);
  void (*convolve)(const Call& call, int threads);
  void (*filter_gradient)(const GradientCall& call, int threads);
  /// Floats of scratch that convolve() and filter_gradient() need with so many threads.
  std::int64_t (*scratch_size)(const Geometry& geometry, int threads);
  std::int64_t (*gradient_scratch_size)(const Geometry& geometry, int threads);
  /// Floats of transformed filters.
  std::int64_t (*filters_size)(std::int64_t out_blocks, std::int64_t in_blocks);
};

/// The steps of a layout that is blocked by `lanes` or channels last.
Steps steps_of(const Layout& layout, int lanes);

/// Null where this chip has none.
const Kernels* kernels();
const Kernels* kernels_avx2();    ///< null where not built
const Kernels* kernels_avx512();  ///< null where not built

}  // namespace enxerto::winograd
