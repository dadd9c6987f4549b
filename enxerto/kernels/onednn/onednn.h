/// The fast kernels that oneDNN has: convolution and the inner product.
#pragma once

#include <memory>

#include "enxerto/kernels/op.h"
#include "enxerto/kernels/spec.h"

namespace enxerto::onednn {

std::unique_ptr<Op> conv(const ConvSpec& spec, const PlanArgs& args);
std::unique_ptr<Op> linear(const LinearSpec& spec, const PlanArgs& args);

/// out {rows, columns} = a {rows, depth} times b {columns, depth} transposed, on all threads; with `add` it
/// is added.
struct Product {
  std::int64_t rows = 0, columns = 0, depth = 0, out_stride = 0;
};
void multiply_transposed(const float* a, const float* b, float* out, const Product& sizes, bool add);

/// Whether this chip multiplies bfloat16 (AVX-512 BF16, AMX); elsewhere it would crawl.
bool has_bf16();

/// Whether conv() and linear() can run this activation as their last step.
bool can_fuse(Activation kind);

}  // namespace enxerto::onednn
