/// The slow, obvious twins: plain loops in double, one function a formula.
#pragma once

#include <memory>
#include <vector>

#include "enxerto/kernels/op.h"
#include "enxerto/kernels/spec.h"

namespace enxerto::reference {

/// Doubles in the order n, c, h, w.
using Block = std::vector<double>;

/// Where the element n, c, h, w of a Block of this shape lies.
inline std::size_t place(const Shape& shape, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  return static_cast<std::size_t>(((n * shape.c + c) * shape.h + h) * shape.w + w);
}
inline Block zeros(std::int64_t size) { return Block(static_cast<std::size_t>(size), 0.0); }

/// One layer in double. Backward gets what forward got and made, and fills every element of din and
/// dparams (all of them, wanted or not; those of running statistics stay empty).
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual void forward(const std::vector<Block>& in, std::vector<Block>& params, Block& out,
                       Rng rng) const = 0;
  virtual void backward(const std::vector<Block>& in, const std::vector<Block>& params, const Block& out,
                        const Block& dout, std::vector<Block>& din, std::vector<Block>& dparams,
                        Rng rng) const = 0;
};

std::unique_ptr<Kernel> conv(const ConvSpec& spec);
std::unique_ptr<Kernel> linear(const LinearSpec& spec);
std::unique_ptr<Kernel> batch_norm(const BatchNormSpec& spec);
std::unique_ptr<Kernel> activation(const ActivationSpec& spec);
std::unique_ptr<Kernel> pool(const PoolSpec& spec);
std::unique_ptr<Kernel> adaptive_pool(const AdaptivePoolSpec& spec);
std::unique_ptr<Kernel> lrn(const LrnSpec& spec);
std::unique_ptr<Kernel> dropout(const DropoutSpec& spec);
std::unique_ptr<Kernel> softmax(const SoftmaxSpec& spec);
std::unique_ptr<Kernel> add(const AddSpec& spec);
std::unique_ptr<Kernel> multiply(const MultiplySpec& spec);
std::unique_ptr<Kernel> affine(const AffineSpec& spec);
std::unique_ptr<Kernel> rearrange(const RearrangeSpec& spec);
std::unique_ptr<Kernel> concat(const ConcatSpec& spec);
std::unique_ptr<Kernel> channel_pad(const ChannelPadSpec& spec);
std::unique_ptr<Kernel> flatten(const Shape& in);

/// The kernel as an Op: plain layouts, floats widened before and rounded after. `params` are the
/// parameters' sizes. Keeps every input and the output for backward.
std::unique_ptr<Op> as_op(std::unique_ptr<Kernel> kernel, const PlanArgs& args, const Shape& out,
                          std::vector<std::int64_t> params);

/// f(x) and f'(x) of an activation, for the kernels that have one built in.
double activate(const ActivationSpec& spec, double x);
double activate_slope(const ActivationSpec& spec, double x);

}  // namespace enxerto::reference
