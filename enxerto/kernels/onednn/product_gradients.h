/// Gradients of convolutions in bfloat16 as matrix products over pixels.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "enxerto/kernels/onednn/api.h"

namespace enxerto::onednn {

/// Whether the weight gradient of this convolution is better made so: 1x1, and few output pixels a picture,
/// where oneDNN 2.6's own kernel has little to do at a time (docs/decisions/0018).
bool suits_product(const ConvSpec& spec);

/// With the pixels channels last, bfloat16, X' the pixels under the kernel at each place (im2col: Chellapilla
/// et al. 2006) and Y the output's: dW = X'^T dY, summed up in float; and for a 1x1 kernel dX = dY W^T, put
/// where the kernel stood.
class ProductGradients {
 public:
  ProductGradients(const ConvSpec& spec, bool wants_dx);

  /// The float weights and their gradient: oihw, in the order of memory that the product makes.
  Desc weights_desc() const;
  bool makes_dx() const { return dx_.has_value(); }
  std::int64_t scratch() const;
  void weights(const float* x, const float* dy, float* dw, float* scratch);
  void data(const float* dy, const float* weights, float* dx, float* scratch);

 private:
  struct Product {
    dnnl::matmul run;
    Memory a, b, c, pad;
    Args args;
    explicit Product(const dnnl::matmul::primitive_desc& desc);
    std::int64_t scratch() const { return floats(pad.desc()); }
    void operator()(const float* a_at, const float* b_at, float* c_at, float* pad_at);
  };
  bool is_dense() const;  ///< X' is X
  std::int64_t columns() const;
  std::int64_t pixels() const { return spec_.out.h * spec_.out.w; }
  std::int64_t gathered_size() const;  ///< floats: X' of the pictures that go together
  std::int64_t made_size() const;      ///< floats: dX where the kernel stood, before it is spread
  void gather(const std::uint16_t* x, std::int64_t first, std::uint16_t* to) const;

  ConvSpec spec_;
  bool output_rows_ = false;  ///< dW has a row for each output channel, else a column
  std::int64_t together_;     ///< pictures
  std::optional<Product> dw_, dx_;
  Bridge dx_weights_;
};

}  // namespace enxerto::onednn
