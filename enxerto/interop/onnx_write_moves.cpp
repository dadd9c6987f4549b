// Layers that move elements, or average over windows of several sizes.
#include <algorithm>
#include <numeric>
#include <optional>

#include "enxerto/core/error.h"
#include "enxerto/interop/onnx_write_layers.h"

namespace enxerto::onnx {
namespace {

struct Digit {
  std::int64_t size, stride;
};

/// The same movement in as few digits as do it.
std::vector<Digit> merged(const Rearrange& layer) {
  std::vector<Digit> digits;
  for (std::size_t i = 0; i < layer.sizes.size(); ++i) {
    const Digit digit{layer.sizes[i], layer.strides[i]};
    if (digit.size == 1) continue;
    if (!digits.empty() && digits.back().stride == digit.stride * digit.size)
      digits.back() = {digits.back().size * digit.size, digit.stride};
    else
      digits.push_back(digit);
  }
  return digits;
}

Written reshaped(Emitter& emit, const Written& x, const Ints& dims, const Shape& shape) {
  Ints all{0};  // 0 keeps the batch as it is
  all.insert(all.end(), dims.begin(), dims.end());
  return emit.add("Reshape", {x.name, emit.constant("shape", all)}, shape, 4);
}

Ints sizes_of(const Shape& shape) { return {shape.c, shape.h, shape.w}; }

/// Where the digits that move, in some order, count every element of the input once: the place of each in
/// that order, which is the order of the input.
std::optional<Ints> as_permutation(const std::vector<Digit>& digits, std::int64_t elements) {
  Ints order(digits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto stride = [&](std::int64_t i) { return digits[static_cast<std::size_t>(i)].stride; };
  std::ranges::sort(order, [&](std::int64_t a, std::int64_t b) { return stride(a) > stride(b); });
  std::int64_t wanted = 1;
  for (auto i = order.rbegin(); i != order.rend(); ++i) {
    if (stride(*i) != wanted) return std::nullopt;
    wanted *= digits[static_cast<std::size_t>(*i)].size;
  }
  return wanted == elements ? std::optional(order) : std::nullopt;
}

/// Reshape, Transpose, Expand and Reshape, as far as they are needed. Empty where it takes more.
std::optional<Written> as_permutation(Emitter& emit, const Rearrange& layer, const Written& x,
                                      const Shape& out) {
  const std::vector<Digit> digits = merged(layer);
  std::vector<Digit> moving;
  std::ranges::copy_if(digits, std::back_inserter(moving),
                       [](const Digit& digit) { return digit.stride > 0; });
  const std::optional<Ints> order = as_permutation(moving, x.shape.c * x.shape.h * x.shape.w);
  if (layer.offset != 0 || !order) return std::nullopt;

  Written made = x;
  if (!std::ranges::is_sorted(*order)) {
    Ints sizes, perm{0};
    for (const std::int64_t i : *order) sizes.push_back(moving[static_cast<std::size_t>(i)].size);
    for (std::size_t i = 0; i < order->size(); ++i)
      perm.push_back(1 + (std::ranges::find(*order, static_cast<std::int64_t>(i)) - order->begin()));
    made = reshaped(emit, made, sizes, x.shape);
    made = emit.add("Transpose", {made.name}, x.shape, 4);
    emit.with_ints("perm", perm);
  }
  if (moving.size() < digits.size()) {
    Ints once, repeated{1};
    for (const Digit& digit : digits) {
      once.push_back(digit.stride > 0 ? digit.size : 1);
      repeated.push_back(digit.size);
    }
    made = reshaped(emit, made, once, x.shape);
    made = emit.add("Expand", {made.name, emit.constant("repeated", repeated)}, out, 4);
  }
  if (made.name == x.name && x.rank == 4 && sizes_of(x.shape) == sizes_of(out)) return x;
  return reshaped(emit, made, sizes_of(out), out);
}

/// Which element of the input each one of the output is.
Ints indices_of(const Rearrange& layer, std::int64_t count) {
  Ints indices(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i, from = layer.offset;
    for (std::size_t digit = layer.sizes.size(); digit-- > 0;) {
      from += rest % layer.sizes[digit] * layer.strides[digit];
      rest /= layer.sizes[digit];
    }
    indices[static_cast<std::size_t>(i)] = from;
  }
  return indices;
}

/// One Slice with steps over channels, height and width. Empty where it takes more.
std::optional<Written> as_slice(Emitter& emit, const Ints& indices, const Written& x, const Shape& out) {
  const Ints weights{x.shape.h * x.shape.w, x.shape.w, 1}, size_in = sizes_of(x.shape),
                                                           size_out = sizes_of(out);
  const Ints apart{out.h * out.w, out.w, 1};  // neighbours of one axis, in the output
  Ints starts, ends, steps;
  std::int64_t rest = indices[0];
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::int64_t step =
        size_out[axis] == 1 ? weights[axis] : indices[static_cast<std::size_t>(apart[axis])] - indices[0];
    starts.push_back(rest / weights[axis]);
    rest %= weights[axis];
    if (step <= 0 || step % weights[axis] != 0) return std::nullopt;
    steps.push_back(step / weights[axis]);
    ends.push_back(starts.back() + (size_out[axis] - 1) * steps.back() + 1);
    if (ends.back() > size_in[axis]) return std::nullopt;
  }
  std::size_t i = 0;
  for (std::int64_t c = 0; c < out.c; ++c)
    for (std::int64_t h = 0; h < out.h; ++h)
      for (std::int64_t w = 0; w < out.w; ++w)
        if (indices[i++] != (starts[0] + c * steps[0]) * weights[0] +
                                (starts[1] + h * steps[1]) * weights[1] + starts[2] + w * steps[2])
          return std::nullopt;
  const Written whole = emit.as_rank(x, 4);
  const std::string from = emit.constant("starts", starts), to = emit.constant("ends", ends),
                    axes = emit.constant("axes", {1, 2, 3}), by = emit.constant("steps", steps);
  return emit.add("Slice", {whole.name, from, to, axes, by}, out, 4);
}

// ---- Adaptive pooling.

/// One axis of PyTorch's rule (spec.h's AdaptivePoolSpec).
struct Parts {
  std::int64_t in, out;
  std::int64_t begin(std::int64_t i) const { return i * in / out; }
  std::int64_t end(std::int64_t i) const { return ((i + 1) * in + out - 1) / out; }
  std::int64_t kernel() const { return end(0); }
  std::int64_t stride() const { return out == 1 ? 1 : begin(1); }

  /// Whether all windows have one size and one distance.
  bool are_even() const {
    for (std::int64_t i = 0; i < out; ++i)
      if (begin(i) != i * stride() || end(i) - begin(i) != kernel()) return false;
    return stride() > 0;
  }
  /// {in, out}: means by multiplication from the right.
  std::vector<float> matrix() const {
    std::vector<float> shares(static_cast<std::size_t>(in * out));
    for (std::int64_t i = 0; i < out; ++i)
      for (std::int64_t pixel = begin(i); pixel < end(i); ++pixel)
        shares[static_cast<std::size_t>(pixel * out + i)] = 1.0f / static_cast<float>(end(i) - begin(i));
    return shares;
  }
};

Written transposed(Emitter& emit, const Written& x) {
  const Written made = emit.add("Transpose", {x.name}, {.c = x.shape.c, .h = x.shape.w, .w = x.shape.h}, 4);
  emit.with_ints("perm", {0, 1, 3, 2});
  return made;
}

Written averaged_width(Emitter& emit, const Written& x, std::int64_t out) {
  const Parts parts{x.shape.w, out};
  if (parts.in == out) return x;
  const std::string matrix = emit.constant("shares", {parts.in, out}, parts.matrix());
  return emit.add("MatMul", {x.name, matrix}, {.c = x.shape.c, .h = x.shape.h, .w = out}, 4);
}

}  // namespace

Written write_rearrange(Emitter& emit, const Rearrange& layer, const Written& in) {
  const Shape out{.c = layer.c, .h = layer.h, .w = layer.w};
  if (const auto made = as_permutation(emit, layer, in, out)) return *made;
  const Ints indices = indices_of(layer, out.c * out.h * out.w);
  if (const auto made = as_slice(emit, indices, in, out)) return *made;
  Written flat = in;
  if (in.rank == 4) {
    flat = emit.add("Flatten", {in.name}, in.shape, 2);
    emit.with_int("axis", 1);
  }
  const Written taken = emit.add("Gather", {flat.name, emit.constant("indices", indices)}, out, 2);
  emit.with_int("axis", 1);
  return reshaped(emit, taken, sizes_of(out), out);
}

Written write_adaptive_pool(Emitter& emit, const AdaptiveAvgPool2d& layer, const Written& in) {
  const Parts h{in.shape.h, layer.out.h}, w{in.shape.w, layer.out.w};
  const Shape out{.c = in.shape.c, .h = h.out, .w = w.out};
  if (h.in == h.out && w.in == w.out) return in;
  const Written x = emit.as_rank(in, 4);
  if (h.out == 1 && w.out == 1) return emit.add("GlobalAveragePool", {x.name}, out, 4);
  if (h.are_even() && w.are_even()) {
    const Written made = emit.add("AveragePool", {x.name}, out, 4);
    emit.with_int("count_include_pad", 0)
        .with_ints("kernel_shape", {h.kernel(), w.kernel()})
        .with_ints("pads", {0, 0, 0, 0})
        .with_ints("strides", {h.stride(), w.stride()});
    return made;
  }
  const Written narrow = averaged_width(emit, x, w.out);
  if (h.in == h.out) return narrow;
  return transposed(emit, averaged_width(emit, transposed(emit, narrow), h.out));
}

}  // namespace enxerto::onnx
