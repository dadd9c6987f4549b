// Operators with windows, matrices and statistics.
#include <algorithm>
#include <cmath>
#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/interop/onnx_import.h"

namespace enxerto::onnx {
namespace {

constexpr std::int64_t side_limit = 1 << 16;  // of pictures, windows, steps and padding, in pixels

Numbers numbers_of(const ConstantPtr& constant) {
  if (constant->whole) return std::make_shared<const std::vector<float>>(constant->as_floats());
  return {constant, &constant->floats};
}

/// An input of sizes {1, c, h, w}, or {1, c, w}: a picture of one row.
struct Picture {
  const Value* value = nullptr;
  std::size_t rank = 0;
  Shape shape{};
};

Picture picture(const Call& call, int i) {
  const Value& value = call.traced(i);
  const Sizes dims = value.dims();
  if (dims.size() != 3 && dims.size() != 4)
    call.refuse(text("on ", dims.size(), " axes; 4 (a picture) and 3 (a row) are taken"));
  if (dims[0] != 1) call.refuse("on several pictures made out of one");
  const Shape shape{.c = dims[1], .h = dims.size() == 4 ? dims[2] : 1, .w = dims.back()};
  if (shape.h > side_limit || shape.w > side_limit) call.refuse("on more than 65,536 pixels in a row");
  return {&value, dims.size(), shape};
}

int picture_node(const Call& call, const Picture& picture) {
  return arranged(call, *picture.value, picture.shape);
}

/// An attribute with one number for each axis of the picture, a row's height filled up.
Size2 size2(const Call& call, std::string_view name, std::size_t rank, std::optional<Size2> otherwise) {
  const Sizes given = call.wholes(name);
  if (given.empty() && otherwise) return *otherwise;
  if (given.size() != rank - 2) call.fail(text("its ", name, " should be ", rank - 2, " numbers"));
  for (const std::int64_t size : given)
    if (size < 1 || size > side_limit) call.fail(text("its ", name, " of ", size, " makes no sense"));
  return {rank == 4 ? static_cast<int>(given[0]) : 1, static_cast<int>(given.back())};
}

struct Windows {
  Size2 kernel, stride, dilation;
  Padding pad;
};

/// SAME, worked out: half of what is missing on each side, the odd pixel at the end or, SAME_LOWER, before.
void same_padding(bool lower, std::int64_t in, int kernel, int stride, int dilation, int& before,
                  int& after) {
  const std::int64_t out = (in + stride - 1) / stride;
  const std::int64_t reach = std::int64_t{dilation} * (kernel - 1) + 1;
  const auto missing = static_cast<int>(std::max<std::int64_t>((out - 1) * stride + reach - in, 0));
  before = lower ? missing - missing / 2 : missing / 2;
  after = missing - before;
}

Windows windows(const Call& call, const Picture& in, Size2 kernel) {
  Windows made{
      kernel, size2(call, "strides", in.rank, Size2(1)), size2(call, "dilations", in.rank, Size2(1)), {}};
  const std::string rule = call.string("auto_pad", "NOTSET");
  if (rule == "SAME_UPPER" || rule == "SAME_LOWER") {
    const bool lower = rule == "SAME_LOWER";
    same_padding(lower, in.shape.h, kernel.h, made.stride.h, made.dilation.h, made.pad.top, made.pad.bottom);
    same_padding(lower, in.shape.w, kernel.w, made.stride.w, made.dilation.w, made.pad.left, made.pad.right);
  } else if (rule == "NOTSET" || rule.empty()) {
    const Sizes pads = call.wholes("pads");
    if (pads.empty()) return made;
    if (pads.size() != 2 * (in.rank - 2))
      call.fail(text("its pads should be ", 2 * (in.rank - 2), " numbers"));
    for (const std::int64_t pad : pads) {
      if (pad < 0) call.refuse("negative padding");
      if (pad > side_limit) call.fail(text("a padding of ", pad, " makes no sense"));
    }
    const auto side = [&](std::size_t i) { return static_cast<int>(pads[i]); };
    made.pad = in.rank == 4 ? Padding(side(0), side(1), side(2), side(3)) : Padding(0, side(0), 0, side(1));
  } else if (rule != "VALID") {
    call.fail(text("its auto_pad \"", shown(rule), "\" does not exist"));
  }
  return made;
}

// ---- Convolution.

/// A picture that was only padded with zeros before: its padding becomes the convolution's.
int without_padding(const Call& call, int node, Padding& pad) {
  const Draft& draft = call.builder().draft(node);
  const auto* pool = std::get_if<AvgPool2d>(&draft.layer);
  if (pool == nullptr || pool->kernel != Size2(1) || pool->stride != Size2(1)) return node;
  pad.top += pool->pad.top;
  pad.left += pool->pad.left;
  pad.bottom += pool->pad.bottom;
  pad.right += pool->pad.right;
  return draft.inputs[0];
}

void layer_conv(Call& call) {
  const Picture in = picture(call, 0);
  const Constant& weight = call.constant(1);
  call.call_after(call.in(1));
  if (weight.dims.size() != in.rank) call.fail("its weight has another number of axes than its input");
  for (const std::int64_t size : weight.dims)
    if (size < 1 || size > std::numeric_limits<int>::max()) call.fail("a size of its weight makes no sense");
  const Size2 kernel{in.rank == 4 ? static_cast<int>(std::min(weight.dims[2], side_limit)) : 1,
                     static_cast<int>(std::min(weight.dims.back(), side_limit))};
  if (size2(call, "kernel_shape", in.rank, kernel) != kernel)
    call.fail("its kernel_shape is not its weight's");
  const Windows window = windows(call, in, kernel);
  const std::int64_t groups = call.whole("group", 1);
  if (groups < 1 || groups > in.shape.c || weight.dims[1] * groups != in.shape.c)
    call.fail(text("its weight is for ", weight.dims[1], " channels in each of ", groups,
                   " groups, its input has ", in.shape.c));
  Conv2d layer{.out = static_cast<int>(weight.dims[0]),
               .kernel = window.kernel,
               .stride = window.stride,
               .dilation = window.dilation,
               .pad = window.pad,
               .groups = static_cast<int>(groups),
               .bias = call.has(2)};
  std::vector<Numbers> params{numbers_of(call.in(1).constant)};
  if (layer.bias) {
    call.constant(2);
    params.push_back(numbers_of(call.in(2).constant));
  }
  const int from = without_padding(call, picture_node(call, in), layer.pad);
  call.give_node(call.builder().add(call.name(), layer, {from}, std::move(params)), in.rank);
}

// ---- Matrices.

struct Matrix {
  Numbers numbers;  ///< {out, in}, as our layers have it
  std::int64_t out = 0, in = 0;
};

Matrix matrix(const Call& call, int i, bool is_out_in, float factor) {
  const Constant& given = call.constant(i);
  if (given.dims.size() != 2) call.refuse(text("a matrix with ", given.dims.size(), " axes"));
  const std::int64_t rows = given.dims[0], columns = given.dims[1];
  if (rows < 1 || columns < 1) call.fail("an empty matrix");
  if (is_out_in && factor == 1) return {numbers_of(call.in(i).constant), rows, columns};
  call.budget().charge(given.count());
  std::vector<float> made = given.as_floats();
  if (!is_out_in) {
    const std::vector<float> from = made;
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t column = 0; column < columns; ++column)
        made[static_cast<std::size_t>(column * rows + row)] =
            from[static_cast<std::size_t>(row * columns + column)];
  }
  for (float& x : made) x *= factor;
  const Numbers numbers = std::make_shared<const std::vector<float>>(std::move(made));
  return is_out_in ? Matrix{numbers, rows, columns} : Matrix{numbers, columns, rows};
}

/// x's last axis times the matrix: a Linear where there is one row, else a 1x1 convolution over the rows.
void give_product(Call& call, const Value& x, const Matrix& by, std::vector<Numbers> bias) {
  Sizes dims = x.dims();
  if (dims.empty() || dims.back() != by.in)
    call.fail(text("a matrix for ", by.in, " numbers, and ", dims.empty() ? 1 : dims.back(), " given"));
  if (by.out > std::numeric_limits<int>::max()) call.fail("a matrix that is too large");
  const std::int64_t rows = count_of(dims) / by.in;
  std::vector<Numbers> params{by.numbers};
  const bool has_bias = !bias.empty();
  for (Numbers& numbers : bias) params.push_back(std::move(numbers));
  const auto out = static_cast<int>(by.out);
  dims.back() = by.out;
  count_of(dims);
  int node = -1;
  if (rows == 1) {
    // Linear takes what it is given in order, so that a plain value needs no Flatten.
    const bool plainly = is_plain(x.view, call.builder().size(x.node));
    const int from = plainly ? x.node : arranged(call, x, {.c = by.in});
    node = call.builder().add(call.name(), Linear{.out = out, .bias = has_bias}, {from}, std::move(params));
    call.builder().draft(node).output = call.output_name(0);
    return call.give({.node = node, .view = plain(dims)});
  }
  const Value columns = reshaped(call, x, {rows, by.in});
  const int from = arranged(call, permuted(call, columns, {1, 0}), {.c = by.in, .w = rows});
  node = call.builder().add(call.name(), Conv2d{.out = out, .bias = has_bias}, {from}, std::move(params));
  call.builder().draft(node).output = call.output_name(0);
  const Value turned{.node = node, .view = permuted(plain({by.out, rows}), {1, 0})};
  call.give(reshaped(call, turned, dims));
}

void layer_gemm(Call& call) {
  const Value& x = call.traced(0);
  if (call.whole("transA", 0) != 0) call.refuse("turns what depends on the picture (transA)");
  if (x.dims().size() != 2) call.fail("its first input should have 2 axes");
  const Matrix by = matrix(call, 1, call.whole("transB", 0) != 0, call.number("alpha", 1));
  call.call_after(call.in(1));
  std::vector<Numbers> bias;
  if (call.has(2)) {
    const float beta = call.number("beta", 1);
    const Constant& given = call.constant(2);
    const bool fits =
        given.count() == 1 || (given.count() == by.out && !given.dims.empty() && given.dims.back() == by.out);
    if (!fits) call.refuse("a bias that is not one number for each output");
    std::vector<float> numbers = given.as_floats();
    if (given.count() == 1) {
      call.budget().charge(by.out);
      numbers.assign(static_cast<std::size_t>(by.out), numbers[0]);
    }
    for (float& number : numbers) number *= beta;
    bias.push_back(std::make_shared<const std::vector<float>>(std::move(numbers)));
  }
  give_product(call, x, by, std::move(bias));
}

void layer_matmul(Call& call) {
  const Value& x = call.traced(0);
  const Matrix by = matrix(call, 1, false, 1);
  call.call_after(call.in(1));
  give_product(call, x, by, {});
}

// ---- Normalisation.

void layer_batch_norm(Call& call) {
  const Value& x = call.traced(0);
  const Sizes dims = x.dims();
  if (call.whole("training_mode", 0) != 0)
    call.refuse("in training mode; export the model in evaluation mode");
  if (call.whole("spatial", 1) != 1) call.refuse("with statistics for each pixel");
  call.refuse_other_outputs();
  if (dims.size() < 2 || dims[0] != 1) call.refuse("on a value whose channels are not the second axis");
  call.call_after(call.in(1));
  const std::int64_t channels = dims[1];
  std::vector<Numbers> params;
  for (int i = 1; i <= 4; ++i) {
    if (call.constant(i).count() != channels)
      call.fail(text("its input ", i, " is not one number a channel"));
    params.push_back(numbers_of(call.in(i).constant));
  }
  const float momentum = std::clamp(call.number("momentum", 0.9f), 0.0f, 1.0f);
  const BatchNorm layer{.eps = call.number("epsilon", 1e-5f), .momentum = 1 - momentum};
  if (!(layer.eps >= 0)) call.fail("its epsilon is negative");
  const Shape target = picture_shape(dims);
  const int node = call.builder().add(call.name(), layer, {arranged(call, x, target)}, std::move(params));
  call.builder().draft(node).output = call.output_name(0);
  call.give({.node = node, .view = plain(dims)});
}

void layer_lrn(Call& call) {
  const Picture in = picture(call, 0);
  const std::int64_t size = call.whole("size", 0);
  if (size < 1 || size > side_limit) call.fail("its size makes no sense");
  if (size % 2 == 0) call.refuse("an even number of channels");
  const LocalResponseNorm layer{.size = static_cast<int>(size),
                                .alpha = call.number("alpha", 1e-4f),
                                .beta = call.number("beta", 0.75f),
                                .k = call.number("bias", 1.0f)};
  call.give_node(call.builder().add(call.name(), layer, {picture_node(call, in)}), in.rank);
}

// ---- Pooling.

void layer_pool(Call& call) {
  const Picture in = picture(call, 0);
  call.refuse_other_outputs();
  const Windows window = windows(call, in, size2(call, "kernel_shape", in.rank, std::nullopt));
  const bool ceil_mode = call.whole("ceil_mode", 0) != 0;
  AnyLayer layer;
  if (call.op() == "MaxPool") {
    layer = MaxPool2d{.kernel = window.kernel,
                      .stride = window.stride,
                      .pad = window.pad,
                      .dilation = window.dilation,
                      .ceil_mode = ceil_mode};
  } else {
    if (window.dilation != Size2(1)) call.refuse("with dilation");
    layer = AvgPool2d{.kernel = window.kernel,
                      .stride = window.stride,
                      .pad = window.pad,
                      .ceil_mode = ceil_mode,
                      .count_include_pad = call.whole("count_include_pad", 0) != 0};
  }
  call.give_node(call.builder().add(call.name(), std::move(layer), {picture_node(call, in)}), in.rank);
}

AnyLayer over_all(const Call& call, const Shape& shape) {
  if (call.op() != "GlobalMaxPool" && call.op() != "ReduceMax") return GlobalAvgPool{};
  if (shape.h > side_limit || shape.w > side_limit) call.refuse("over more than 65,536 numbers in a row");
  return MaxPool2d{.kernel = {static_cast<int>(shape.h), static_cast<int>(shape.w)},
                   .stride = {static_cast<int>(shape.h), static_cast<int>(shape.w)}};
}

void layer_global_pool(Call& call) {
  const Picture in = picture(call, 0);
  call.give_node(call.builder().add(call.name(), over_all(call, in.shape), {picture_node(call, in)}),
                 in.rank);
}

/// The kept axes become channels, the others height and width.
void layer_reduce(Call& call) {
  const Value& x = call.traced(0);
  const Sizes dims = x.dims();
  const auto axes = call.axes("axes", 1, call.op() == "ReduceSum" ? 13 : 18);
  const bool all = !axes || axes->empty();
  if (all && call.whole("noop_with_empty_axes", 0) != 0) return call.give(x);
  std::vector<bool> gone(dims.size(), all);
  if (axes)
    for (const std::int64_t axis : *axes) gone[axis_of(call, axis, dims.size())] = true;
  std::vector<std::size_t> order;
  Sizes result, kept, reduced;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (!gone[i]) order.push_back(i);
    (gone[i] ? reduced : kept).push_back(dims[i]);
    if (!gone[i] || call.whole("keepdims", 1) != 0) result.push_back(gone[i] ? 1 : dims[i]);
  }
  for (std::size_t i = 0; i < dims.size(); ++i)
    if (gone[i]) order.push_back(i);
  Shape shape{.c = count_of(kept)};
  if (!reduced.empty()) shape.w = reduced.back();
  shape.h = count_of(reduced) / shape.w;
  const int from = arranged(call, permuted(call, x, order), shape);
  int node = call.builder().add(call.name(), over_all(call, shape), {from});
  if (call.op() == "ReduceSum") node = scaled(call, node, static_cast<float>(count_of(reduced)), 0, "/sum");
  call.give({.node = node, .view = plain(result)});
}

/// Before version 13 over all axes from `axis` on; since then over that axis alone.
void layer_softmax(Call& call) {
  Value x = call.traced(0);
  const Sizes dims = x.dims();
  const std::size_t axis = axis_of(call, call.whole("axis", call.opset() < 13 ? 1 : -1), dims.size());
  if (call.opset() < 13) {
    const auto middle = dims.begin() + static_cast<std::ptrdiff_t>(axis);
    const Sizes rows = {count_of(Sizes(dims.begin(), middle)), count_of(Sizes(middle, dims.end()))};
    x = permuted(call, reshaped(call, x, rows), {1, 0});
    const int from = arranged(call, x, {.c = rows[1], .w = rows[0]});
    const int node = call.builder().add(call.name(), Softmax{}, {from});
    const Value made{.node = node, .view = permuted(plain({rows[1], rows[0]}), {1, 0})};
    return call.give(reshaped(call, made, dims));
  }
  const ChannelsFirst way = channels_first(dims, axis);
  const Value turned = permuted(call, x, way.order);
  Sizes sizes = turned.dims();
  const Sizes first = sizes;
  if (way.order[0] == axis) sizes.insert(sizes.begin(), 1);
  const int node = call.builder().add(call.name(), Softmax{}, {arranged(call, turned, picture_shape(sizes))});
  call.give({.node = node, .view = permuted(plain(first), way.back)});
}

// ---- Padding with zeros.

void layer_pad(Call& call) {
  Value x = call.traced(0);
  const Sizes dims = x.dims();
  const bool by_inputs = call.opset() >= 11;
  Sizes pads = by_inputs ? call.constant_wholes(1) : call.wholes("pads");
  if (by_inputs && call.has(3)) {
    const Sizes axes = call.constant_wholes(3);
    if (pads.size() != 2 * axes.size()) call.fail("its pads are not as many as its axes need");
    Sizes all(2 * dims.size(), 0);
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const std::size_t axis = axis_of(call, axes[i], dims.size());
      all[axis] = pads[i];
      all[dims.size() + axis] = pads[axes.size() + i];
    }
    pads = all;
  }
  if (pads.size() != 2 * dims.size()) call.fail("its pads are not two for each axis");
  if (std::ranges::all_of(pads, [](std::int64_t pad) { return pad == 0; })) return call.give(x);
  if (const std::string mode = call.string("mode", "constant"); mode != "constant")
    call.refuse(text("mode \"", shown(mode), "\"; only zeros are taken"));
  float value = by_inputs ? 0 : call.number("value", 0);
  if (by_inputs && call.has(2)) {
    const std::vector<float> given = call.constant_floats(2);
    if (given.size() == 1) value = given[0];
  }
  if (value != 0) call.refuse(text("with ", value, "; only zeros are taken"));
  // What is cut off goes first; then the zeros.
  for (std::size_t i = 0; i < dims.size(); ++i) {
    for (const std::int64_t pad : {pads[i], pads[dims.size() + i]})
      if (pad > side_limit || pad < -dims[i]) call.fail(text("a padding of ", pad, " makes no sense"));
    std::int64_t& before = pads[i];
    std::int64_t& after = pads[dims.size() + i];
    const std::int64_t start = std::max<std::int64_t>(-before, 0);
    const std::int64_t count = dims[i] - start - std::max<std::int64_t>(-after, 0);
    if (count < 1) call.fail("cuts everything off");
    x = sliced(call, x, i, start, count, 1);
    before = std::max<std::int64_t>(before, 0);
    after = std::max<std::int64_t>(after, 0);
  }
  if (std::ranges::all_of(pads, [](std::int64_t pad) { return pad == 0; })) return call.give(x);
  if ((dims.size() != 3 && dims.size() != 4) || dims[0] != 1 || pads[0] != 0 || pads[dims.size()] != 0)
    call.refuse("other axes than those of a picture");
  const Sizes cut = x.dims();
  const std::size_t rank = dims.size();
  const auto pad = [&](std::size_t i) { return static_cast<int>(pads[i]); };
  int node = arranged(call, x, {.c = cut[1], .h = rank == 4 ? cut[2] : 1, .w = cut.back()});
  if (pads[1] != 0 || pads[rank + 1] != 0)
    node = call.builder().add(call.name() + "/channels", ChannelPad{pad(1), pad(rank + 1)}, {node});
  const Padding around = rank == 4 ? Padding(pad(2), pad(3), pad(6), pad(7)) : Padding(0, pad(2), 0, pad(5));
  if (around != Padding(0))
    node = call.builder().add(call.name(), AvgPool2d{.kernel = 1, .stride = 1, .pad = around}, {node});
  call.give_node(node, rank);
}

void layer_dropout(Call& call) {
  const Value& x = call.traced(0);
  call.refuse_other_outputs();
  float p = call.number("ratio", 0.5f);
  if (call.opset() >= 12 && call.has(1)) {
    const std::vector<float> given = call.constant_floats(1);
    if (given.size() == 1) p = given[0];
  }
  if (!(p >= 0 && p < 1)) call.fail(text("a share of ", p));
  const Value from = for_elements(call, x);
  call.give({.node = call.builder().add(call.name(), Dropout{p}, {from.node}), .view = from.view});
}

}  // namespace

Operator find_layer(std::string_view op) {
  static const std::unordered_map<std::string_view, Operator> operators = {
      {"AveragePool", layer_pool},
      {"BatchNormalization", layer_batch_norm},
      {"Conv", layer_conv},
      {"Dropout", layer_dropout},
      {"Gemm", layer_gemm},
      {"GlobalAveragePool", layer_global_pool},
      {"GlobalMaxPool", layer_global_pool},
      {"LRN", layer_lrn},
      {"MatMul", layer_matmul},
      {"MaxPool", layer_pool},
      {"Pad", layer_pad},
      {"ReduceMax", layer_reduce},
      {"ReduceMean", layer_reduce},
      {"ReduceSum", layer_reduce},
      {"Softmax", layer_softmax},
  };
  const auto found = operators.find(op);
  return found == operators.end() ? nullptr : found->second;
}

}  // namespace enxerto::onnx
