// Operators that move data and compute nothing: they change how a value is seen.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/interop/onnx_import.h"

namespace enxerto::onnx {
namespace {

Constant list_of(const Sizes& values) {
  return {.dims = {static_cast<std::int64_t>(values.size())}, .whole = true, .ints = values};
}

void move_identity(Call& call) { call.give(call.in(0)); }

/// Between kinds of floats: ours are all float.
void move_cast(Call& call) {
  const std::int64_t to = call.whole("to", 0);
  if (to != TensorProto::FLOAT && to != TensorProto::FLOAT16 && to != TensorProto::DOUBLE &&
      to != TensorProto::BFLOAT16)
    call.refuse("what depends on the picture becomes integers");
  call.give(call.in(0));
}

void move_shape(Call& call) {
  const Sizes dims = call.in(0).dims();
  const auto rank = static_cast<std::int64_t>(dims.size());
  const auto place = [&](std::int64_t at) {
    return std::clamp(at < 0 ? at + rank : at, std::int64_t{0}, rank);
  };
  const std::int64_t start = place(call.whole("start", 0)), end = place(call.whole("end", rank));
  call.give(constant_value(list_of(start < end ? Sizes(dims.begin() + start, dims.begin() + end) : Sizes())));
}

void move_size(Call& call) {
  call.give(constant_value({.whole = true, .ints = {count_of(call.in(0).dims())}}));
}

void move_reshape(Call& call) {
  const Value& x = call.in(0);
  const Sizes from = x.dims();
  Sizes dims = call.opset() < 5 ? call.wholes("shape") : call.constant_wholes(1);
  const bool zero_is_zero = call.whole("allowzero", 0) != 0;
  constexpr std::int64_t most = std::int64_t{1} << 28;  // two of them multiplied do not overflow
  std::int64_t known = 1;
  std::size_t open = dims.size();
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && !zero_is_zero) {
      if (i >= from.size()) call.fail("copies a size that is not there");
      dims[i] = from[i];
    }
    if (dims[i] == -1 && open == dims.size())
      open = i;
    else if (dims[i] < 0)
      call.fail("has a negative size, or two open ones");
    else
      known = dims[i] > most ? dims[i] : known * dims[i];
    if (known > most) call.fail("makes a value of more than 2^28 numbers");
  }
  if (open < dims.size()) {
    const std::int64_t count = count_of(from);
    if (known == 0 || count % known != 0) call.fail("cannot work out the open size");
    dims[open] = count / known;
  }
  call.give(reshaped(call, x, dims));
}

void move_flatten(Call& call) {
  const Value& x = call.in(0);
  const Sizes dims = x.dims();
  const auto rank = static_cast<std::int64_t>(dims.size());
  std::int64_t axis = call.whole("axis", 1);
  if (axis < -rank || axis > rank) call.fail(text("axis ", axis, " of a value with ", rank, " axes"));
  if (axis < 0) axis += rank;
  const auto middle = dims.begin() + axis;
  call.give(reshaped(call, x, {count_of(Sizes(dims.begin(), middle)), count_of(Sizes(middle, dims.end()))}));
}

void move_transpose(Call& call) {
  const Value& x = call.in(0);
  const std::size_t rank = x.dims().size();
  std::vector<std::size_t> order(rank);
  std::iota(order.rbegin(), order.rend(), std::size_t{0});
  if (call.has_attribute("perm")) {
    order.clear();
    for (const std::int64_t axis : call.wholes("perm")) order.push_back(axis_of(call, axis, rank));
    std::vector<std::size_t> sorted = order;
    std::ranges::sort(sorted);
    for (std::size_t i = 0; i < sorted.size(); ++i)
      if (sorted[i] != i) call.fail("perm is no order of the axes");
    if (sorted.size() != rank) call.fail("perm is no order of the axes");
  }
  call.give(permuted(call, x, order));
}

void move_squeeze(Call& call) {
  const Value& x = call.in(0);
  const Sizes dims = x.dims();
  std::vector<bool> drop(dims.size(), false);
  if (const auto axes = call.axes("axes", 1, 13)) {
    for (const std::int64_t axis : *axes) {
      const std::size_t at = axis_of(call, axis, dims.size());
      if (dims[at] != 1) call.fail(text("axis ", axis, " is of size ", dims[at], ", not 1"));
      drop[at] = true;
    }
  } else {
    for (std::size_t i = 0; i < dims.size(); ++i) drop[i] = dims[i] == 1;
  }
  Sizes left;
  for (std::size_t i = 0; i < dims.size(); ++i)
    if (!drop[i]) left.push_back(dims[i]);
  call.give(reshaped(call, x, left));
}

void move_unsqueeze(Call& call) {
  const Value& x = call.in(0);
  const Sizes dims = x.dims();
  const auto axes = call.axes("axes", 1, 13);
  if (!axes || axes->size() > 32) call.fail("its axes are missing, or too many");
  std::vector<bool> is_new(dims.size() + axes->size(), false);
  for (const std::int64_t axis : *axes) {
    const std::size_t at = axis_of(call, axis, is_new.size());
    if (is_new[at]) call.fail("names an axis twice");
    is_new[at] = true;
  }
  Sizes made;
  std::size_t next = 0;
  for (const bool one : is_new) made.push_back(one ? 1 : dims[next++]);
  call.give(reshaped(call, x, made));
}

void move_slice(Call& call) {
  Value x = call.in(0);
  const Sizes dims = x.dims();
  const bool by_inputs = call.opset() >= 10;
  const Sizes starts = by_inputs ? call.constant_wholes(1) : call.wholes("starts");
  const Sizes ends = by_inputs ? call.constant_wholes(2) : call.wholes("ends");
  Sizes axes = by_inputs ? (call.has(3) ? call.constant_wholes(3) : Sizes()) : call.wholes("axes");
  Sizes steps = by_inputs && call.has(4) ? call.constant_wholes(4) : Sizes(starts.size(), 1);
  if (axes.empty())
    for (std::size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    call.fail("its starts, ends, axes and steps are not as many");
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::size_t axis = axis_of(call, axes[i], dims.size());
    const std::int64_t size = dims[axis], step = std::clamp<std::int64_t>(steps[i], -(1 << 28), 1 << 28);
    if (step == 0) call.fail("a step of zero");
    if (size == 0) continue;
    const auto place = [&](std::int64_t at, std::int64_t low, std::int64_t high) {
      // A start or an end of -2^63 must not overflow.
      return std::clamp(at < 0 ? std::max(at, -(std::int64_t{1} << 40)) + size : at, low, high);
    };
    std::int64_t start = 0, count = 0;
    if (step > 0) {
      start = place(starts[i], 0, size);
      count = std::max<std::int64_t>(0, (place(ends[i], 0, size) - start + step - 1) / step);
    } else {
      start = place(starts[i], 0, size - 1);
      count = std::max<std::int64_t>(0, (place(ends[i], -1, size - 1) - start + step + 1) / step);
    }
    x = sliced(call, x, axis, start, count, step);
  }
  call.give(std::move(x));
}

void move_split(Call& call) {
  const Value& x = call.in(0);
  const Sizes dims = x.dims();
  const std::size_t axis = axis_of(call, call.whole("axis", 0), dims.size());
  Sizes parts = call.opset() < 13 ? call.wholes("split") : call.has(1) ? call.constant_wholes(1) : Sizes();
  if (parts.empty()) {
    const std::int64_t count = call.outputs();
    const std::int64_t part = (dims[axis] + count - 1) / count;
    for (std::int64_t left = dims[axis]; left > 0 && part > 0; left -= part)
      parts.push_back(std::min(part, left));
  }
  if (static_cast<int>(parts.size()) != call.outputs()) call.fail("its outputs are not as many as its parts");
  std::int64_t start = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] < 0 || parts[i] > dims[axis] - start) call.fail("its parts are larger than the axis");
    call.give(static_cast<int>(i), sliced(call, x, axis, start, parts[i], 1));
    start += parts[i];
  }
  if (start != dims[axis]) call.fail("its parts are smaller than the axis");
}

void move_gather(Call& call) {
  const Value& x = call.in(0);
  const Sizes dims = x.dims();
  const std::size_t axis = axis_of(call, call.whole("axis", 0), dims.size());
  const Constant& given = call.constant(1);
  Sizes indices = call.constant_wholes(1);
  for (std::int64_t& index : indices)
    if (index < 0) index = std::max<std::int64_t>(index, -dims[axis] - 1) + dims[axis];
  const Value picked = indexed(call, x, axis, indices);
  Sizes made(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(axis));
  made.insert(made.end(), given.dims.begin(), given.dims.end());
  made.insert(made.end(), dims.begin() + static_cast<std::ptrdiff_t>(axis) + 1, dims.end());
  call.give(reshaped(call, picked, made));
}

void move_concat(Call& call) {
  std::vector<Value> values;
  for (int i = 0; i < call.inputs(); ++i) values.push_back(call.in(i));
  if (values.empty()) call.fail("has no input");
  // The axis had a default before version 4.
  const std::size_t axis = axis_of(call, call.whole("axis", 1), values[0].dims().size());
  // Constants without elements add nothing.
  std::erase_if(values,
                [](const Value& value) { return value.constant != nullptr && value.constant->count() == 0; });
  if (values.empty()) values.push_back(call.in(0));
  call.give(concatenated(call, values, axis));
}

void move_expand(Call& call) {
  const Value& x = call.in(0);
  call.give(broadcast(call, x, broadcast_dims(call, x.dims(), call.constant_wholes(1))));
}

void move_tile(Call& call) {
  Value x = call.in(0);
  const Sizes repeats = call.constant_wholes(1), dims = x.dims();
  if (repeats.size() != dims.size()) call.fail("its repeats are not as many as the axes");
  Sizes split, wide, joined;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (repeats[i] < 1) call.refuse("repeats less than once");
    split.insert(split.end(), {1, dims[i]});
    wide.insert(wide.end(), {repeats[i], dims[i]});
    count_of({repeats[i], dims[i]});
    joined.push_back(repeats[i] * dims[i]);
  }
  count_of(joined);
  call.give(reshaped(call, broadcast(call, reshaped(call, x, split), wide), joined));
}

// ---- Nearest-neighbour resizing.

struct NearestRule {
  std::string coordinates = "asymmetric", rounding = "floor";
};

/// The pixel that output pixel `at` shows, by ONNX's formulas; `scale` is out / in.
std::int64_t nearest(const Call& call, const NearestRule& rule, std::int64_t at, float scale, std::int64_t in,
                     std::int64_t out) {
  // In float, as onnxruntime does it: 8 / 2.6666667f is 3 there, and just below it in double.
  const auto x = static_cast<float>(at);
  float place = 0;
  if (rule.coordinates == "asymmetric")
    place = x / scale;
  else if (rule.coordinates == "half_pixel" || (rule.coordinates == "pytorch_half_pixel" && out > 1))
    place = (x + 0.5f) / scale - 0.5f;
  else if (rule.coordinates == "tf_half_pixel_for_nn")
    place = (x + 0.5f) / scale;
  else if (rule.coordinates == "align_corners")
    place = out > 1 ? x * static_cast<float>(in - 1) / static_cast<float>(out - 1) : 0;
  else if (rule.coordinates != "pytorch_half_pixel")
    call.refuse(text("with coordinates \"", shown(rule.coordinates), "\""));
  float made = std::floor(place);
  if (rule.rounding == "ceil")
    made = std::ceil(place);
  else if (rule.rounding == "round_prefer_floor")
    made = std::ceil(place - 0.5f);
  else if (rule.rounding == "round_prefer_ceil")
    made = std::floor(place + 0.5f);
  else if (rule.rounding != "floor")
    call.refuse(text("rounds by \"", shown(rule.rounding), "\""));
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(made), 0, in - 1);
}

void resize_nearest(Call& call, const NearestRule& rule, const std::vector<float>& scales,
                    const Sizes& sizes) {
  Value x = call.traced(0);
  const Sizes dims = x.dims();
  if (scales.size() != dims.size()) call.fail("its scales are not as many as the axes");
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    const std::int64_t in = dims[axis], out = sizes[axis];
    if (out < 1) call.fail("a size below 1");
    count_of({out});
    Sizes indices;
    call.budget().charge(out);
    for (std::int64_t i = 0; i < out; ++i) indices.push_back(nearest(call, rule, i, scales[axis], in, out));
    x = indexed(call, x, axis, indices);
  }
  call.give(std::move(x));
}

void move_resize(Call& call) {
  const Sizes dims = call.traced(0).dims();
  const bool first_form = call.op() == "Upsample" || call.opset() < 11;
  const int scales_at = first_form ? 1 : 2;
  std::vector<float> scales;
  Sizes sizes;
  if (call.op() == "Upsample" && call.opset() < 9)
    scales = call.numbers("scales");
  else if (call.has(scales_at))
    scales = call.constant_floats(scales_at);
  if (!first_form && call.has(3)) sizes = call.constant_wholes(3);
  if (call.has_attribute("axes") || call.string("keep_aspect_ratio_policy", "stretch") != "stretch")
    call.refuse("with the options of version 18");
  if (!sizes.empty()) {
    if (sizes.size() != dims.size()) call.fail("its sizes are not as many as the axes");
    scales.clear();
    for (std::size_t i = 0; i < dims.size(); ++i)
      scales.push_back(static_cast<float>(sizes[i]) / static_cast<float>(dims[i]));
  } else {
    if (scales.size() != dims.size()) call.fail("its scales are not as many as the axes");
    for (std::size_t i = 0; i < dims.size(); ++i) {
      // In float, as onnxruntime does it: 10 * 0.7f is 7 there, and just below it in double.
      const float size = std::floor(static_cast<float>(dims[i]) * scales[i]);
      if (!(size >= 1 && size < 1 << 28)) call.fail("a scale that makes no sense");
      sizes.push_back(static_cast<std::int64_t>(size));
    }
  }
  if (sizes == dims) return call.give(call.traced(0));
  if (const std::string mode = call.string("mode", "nearest"); mode != "nearest")
    call.refuse(text("mode \"", shown(mode), "\"; only nearest is taken"));
  NearestRule rule;
  if (!first_form)
    rule = {call.string("coordinate_transformation_mode", "half_pixel"),
            call.string("nearest_mode", "round_prefer_floor")};
  resize_nearest(call, rule, scales, sizes);
}

// ---- Blocks of pixels and channels.

void move_depth_to_space(Call& call) {
  const Value& x = call.traced(0);
  const Sizes dims = x.dims();
  const std::int64_t block = call.whole("blocksize", 0);
  if (dims.size() != 4 || block < 1 || block > 1024) call.fail("needs 4 axes and a block size");
  const std::int64_t squares = block * block;
  if (call.op() == "SpaceToDepth") {
    if (dims[2] % block != 0 || dims[3] % block != 0) call.fail("the block size does not divide the picture");
    const Value split = reshaped(call, x, {dims[0], dims[1], dims[2] / block, block, dims[3] / block, block});
    return call.give(reshaped(call, permuted(call, split, {0, 3, 5, 1, 2, 4}),
                              {dims[0], dims[1] * squares, dims[2] / block, dims[3] / block}));
  }
  if (dims[1] % squares != 0) call.fail("the block size does not divide the channels");
  const std::int64_t channels = dims[1] / squares;
  const Sizes made = {dims[0], channels, dims[2] * block, dims[3] * block};
  if (call.string("mode", "DCR") == "DCR") {
    const Value split = reshaped(call, x, {dims[0], block, block, channels, dims[2], dims[3]});
    return call.give(reshaped(call, permuted(call, split, {0, 3, 4, 1, 5, 2}), made));
  }
  const Value split = reshaped(call, x, {dims[0], channels, block, block, dims[2], dims[3]});
  call.give(reshaped(call, permuted(call, split, {0, 1, 4, 2, 5, 3}), made));
}

}  // namespace

Operator find_move(std::string_view op) {
  static const std::unordered_map<std::string_view, Operator> operators = {
      {"Cast", move_cast},
      {"Concat", move_concat},
      {"DepthToSpace", move_depth_to_space},
      {"Expand", move_expand},
      {"Flatten", move_flatten},
      {"Gather", move_gather},
      {"Identity", move_identity},
      {"Reshape", move_reshape},
      {"Resize", move_resize},
      {"Shape", move_shape},
      {"Size", move_size},
      {"Slice", move_slice},
      {"SpaceToDepth", move_depth_to_space},
      {"Split", move_split},
      {"Squeeze", move_squeeze},
      {"Tile", move_tile},
      {"Transpose", move_transpose},
      {"Unsqueeze", move_unsqueeze},
      {"Upsample", move_resize},
  };
  const auto found = operators.find(op);
  return found == operators.end() ? nullptr : found->second;
}

}  // namespace enxerto::onnx
