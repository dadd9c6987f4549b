/// What a kernel computes, as plain values: every size known, batch included. Shared by the fast
/// kernels and their reference twins.
#pragma once

#include <vector>

#include "enxerto/tensor/shape.h"

namespace enxerto {

enum class Activation { none, relu, relu6, leaky_relu, sigmoid, tanh, hard_sigmoid, hard_swish, silu, exp };

/// y = f(x). leaky_relu: x < 0 ? alpha * x : x. hard_sigmoid: clamp(x / 6 + 1 / 2, 0, 1) and
/// hard_swish: x * hard_sigmoid(x) as in PyTorch (Howard et al. 2019). silu: x * sigmoid(x).
/// exp: e^x (detectors decode sizes with it).
struct ActivationSpec {
  Activation kind = Activation::none;
  float alpha = 0.01f;
  friend bool operator==(const ActivationSpec&, const ActivationSpec&) = default;
};

/// A window that slides over height and width.
struct Window {
  std::int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  friend bool operator==(const Window&, const Window&) = default;
};

/// Cross-correlation, as every framework's "convolution". in {n,c,h,w}, weight {out.c, in.c/groups, kh, kw},
/// bias {out.c} where there is one. inputs: x, and where residual a tensor shaped like the output that is
/// added before the activation. Only what is not trained may have a residual or an activation.
struct ConvSpec {
  Shape in, out;
  Window window{};
  std::int64_t groups = 1;
  bool bias = true, residual = false;
  ActivationSpec activation{};
};

/// y = x W^T + b. x {n, c, h, w} is taken as n rows of c*h*w in that order; W {out, c*h*w}; y {n, out}.
struct LinearSpec {
  Shape in, out;
  bool bias = true;
  ActivationSpec activation{};
};

/// y = act(gamma * (x - mean) / sqrt(var + eps) + beta [+ residual]) (Ioffe & Szegedy 2015).
/// params: gamma, beta, running mean, running variance, each {c}.
/// With batch_statistics mean and (biased) variance are the batch's and the running ones move:
/// running = (1 - momentum) * running + momentum * batch, the variance there unbiased, as in PyTorch.
/// activation is none, relu, relu6 or, without a residual, hard_swish.
struct BatchNormSpec {
  Shape shape;
  float eps = 1e-5f, momentum = 0.1f;
  bool batch_statistics = false, residual = false;
  ActivationSpec activation{};
};

/// Whether BatchNormSpec has this activation.
constexpr bool can_end_in(Activation kind, bool residual) {
  return kind == Activation::none || kind == Activation::relu || kind == Activation::relu6 ||
         (kind == Activation::hard_swish && !residual);
}

/// Maximum or mean over windows; what lies outside the picture is never a maximum. A mean divides by the
/// window's pixels inside the picture, or with count_include_pad by those inside the padded picture
/// (PyTorch's rule, in ceil mode too: the pixels that only ceil mode added never count).
struct PoolSpec {
  Shape in, out;
  Window window{};
  bool maximum = true, count_include_pad = true;
};

/// Means over windows that share the picture out: window i of `out` has the pixels from floor(i * in / out)
/// to ceil((i + 1) * in / out), PyTorch's rule; where out is larger than in, pixels are repeated.
struct AdaptivePoolSpec {
  Shape in, out;
};

/// y = x / (k + alpha / size * sum of x^2 over `size` channels around)^beta (Krizhevsky et al. 2012;
/// alpha divided by size as in Caffe and PyTorch).
struct LrnSpec {
  Shape shape;
  std::int64_t size = 5;
  float alpha = 1e-4f, beta = 0.75f, k = 1.0f;
};

/// Inverted dropout: y = 0 with probability p, else x / (1 - p). Element i (in the order n,c,h,w) is
/// dropped where the upper 24 bits of rng.at(i), as a number in [0,1), are below p.
struct DropoutSpec {
  Shape shape;
  float p = 0.5f;
};

/// Over channels, for each n and pixel.
struct SoftmaxSpec {
  Shape shape;
};

/// Sum of two tensors of one shape.
struct AddSpec {
  Shape shape;
};

/// Product; b is shaped like a or is {n, c, 1, 1}, spread over a's pixels (squeeze-and-excitation).
struct MultiplySpec {
  Shape a, b;
};

/// Squeeze-and-excitation (Hu et al. 2018): y = x * excite(W2 squeeze(W1 m + b1) + b2), a factor for each
/// channel, where m are the means of x over its pixels. params: W1 {squeezed, c}, b1, W2 {c, squeezed}, b2.
/// Forward alone.
struct SqueezeExciteSpec {
  Shape shape;
  std::int64_t squeezed = 1;
  ActivationSpec squeeze{}, excite{};
};

/// y = x * weight + bias; weight and bias have one number per channel, or per element {c,h,w}.
struct AffineSpec {
  Shape shape;
  bool per_element = false;
};

/// A copy in another order, picture by picture: element i of the output, i written with one digit for each of
/// `sizes` (the last changes fastest), is element offset + sum of digit * stride of the input; both are
/// counted in the order c, h, w. With a stride of 0 elements are repeated.
struct RearrangeSpec {
  Shape in, out;
  std::vector<std::int64_t> sizes, strides;
  std::int64_t offset = 0;
};

/// Channels one after the other.
struct ConcatSpec {
  std::vector<Shape> in;
  Shape out;
};

/// Channels of zeros before and after.
struct ChannelPadSpec {
  Shape in, out;
  std::int64_t before = 0;
};

}  // namespace enxerto
