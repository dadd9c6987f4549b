/// The gradients of a depthwise convolution, where oneDNN has only slow loops.
#pragma once

#include <cstdint>

#include "enxerto/kernels/layout.h"
#include "enxerto/kernels/spec.h"

namespace enxerto::cpu {

/// Made for fixed shapes and as many threads as `scratch` is for. x and dout in layouts of one block: floats
/// blocked by `lanes` (8 or 16), or bfloat16, blocked by 16 or channels last, and 16 lanes. Weights in blocks
/// [c/lanes][kh][kw][c%lanes].
class DepthwiseGradients {
 public:
  DepthwiseGradients(const ConvSpec& spec, const Layout& in, const Layout& out, std::int64_t lanes);

  /// Whether data() takes such windows.
  static bool has_data(const Window& window);
  std::int64_t scratch() const;  ///< floats, of either gradient

  /// dbias {c} or null. Pictures are added up in their order, so the bits do not depend on the threads.
  void weights(const float* x, const float* dout, float* dweights, float* dbias, float* scratch) const;
  /// The gradient by x.
  void data(const float* dout, const float* weights, float* dx, float* scratch) const;

 private:
  ConvSpec spec_;
  Layout in_, out_;
  std::int64_t lanes_;
  int threads_;
};

}  // namespace enxerto::cpu
