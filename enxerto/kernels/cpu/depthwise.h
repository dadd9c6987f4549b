/// The gradients of a depthwise convolution, where oneDNN has only slow loops.
#pragma once

#include <cstdint>

#include "enxerto/kernels/layout.h"
#include "enxerto/kernels/spec.h"

namespace enxerto::cpu {

/// x and dout in layouts of one block: floats blocked by `lanes` (8 or 16), or bfloat16, blocked by 16 or
/// channels last, and 16 lanes. dweights in blocks [c/lanes][kh][kw][c%lanes], dbias {c} or null. `scratch`
/// holds depthwise_scratch() floats. Pictures are added up in their order, so the bits do not depend on the
/// threads.
void depthwise_weight_gradient(const ConvSpec& spec, const Layout& in, const Layout& out, std::int64_t lanes,
                               const float* x, const float* dout, float* dweights, float* dbias,
                               float* scratch);
/// The gradient by x, for windows of which has_depthwise_data_gradient() is true; weights as dweights.
void depthwise_data_gradient(const ConvSpec& spec, const Layout& in, const Layout& out, std::int64_t lanes,
                             const float* dout, const float* weights, float* dx, float* scratch);
bool has_depthwise_data_gradient(const Window& window);
/// Of either gradient.
std::int64_t depthwise_scratch(const ConvSpec& spec, const Layout& in, std::int64_t lanes);

}  // namespace enxerto::cpu
