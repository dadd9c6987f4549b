/// The gradients of a depthwise convolution, where oneDNN has only slow loops.
#pragma once

#include <cstdint>

#include "enxerto/kernels/layout.h"
#include "enxerto/kernels/spec.h"

namespace enxerto::cpu {

/// x and dout in layouts of one block (8 or 16 channels), dweights in blocks [c/block][kh][kw][c%block],
/// dbias {c, padded} or null. `scratch` holds depthwise_scratch() floats. Pictures are added up in their
/// order, so the bits do not depend on the threads.
void depthwise_weight_gradient(const ConvSpec& spec, const Layout& in, const Layout& out, const float* x,
                               const float* dout, float* dweights, float* dbias, float* scratch);
/// The gradient by x, for windows of which has_depthwise_data_gradient() is true; weights as dweights.
void depthwise_data_gradient(const ConvSpec& spec, const Layout& in, const Layout& out, const float* dout,
                             const float* weights, float* dx);
bool has_depthwise_data_gradient(const Window& window);
std::int64_t depthwise_scratch(const ConvSpec& spec, const Layout& in);

}  // namespace enxerto::cpu
