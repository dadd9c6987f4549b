/// The fast kernels that oneDNN has: convolution and the inner product.
#pragma once

#include <memory>

#include "enxerto/kernels/op.h"
#include "enxerto/kernels/spec.h"

namespace enxerto::onednn {

std::unique_ptr<Op> conv(const ConvSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> linear(const LinearSpec& spec, const PlanArgs& args);

/// Whether conv() and linear() can run this activation as their last step.
bool can_fuse(Activation kind);

}  // namespace enxerto::onednn
