// What operators do with values: views changed, put in order, broadcast and joined.
#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/interop/onnx_import.h"

namespace enxerto::onnx {
namespace {

Strided view_of(const Value& value) {
  return value.constant != nullptr ? plain(value.constant->dims) : value.view;
}

/// The constant joined with others of its kind; the axes before `axis` are walked together.
Constant joined(const Call& call, const std::vector<Value>& values, std::size_t axis, const Sizes& dims) {
  Constant made{.dims = dims, .whole = values[0].constant->whole};
  call.budget().charge(count_of(dims) + 1);
  std::int64_t before = 1;
  for (std::size_t i = 0; i < axis; ++i) before *= dims[i];
  if (before == 0) return made;
  const auto copy = [&](const auto& from, auto& to, std::int64_t block) {
    const auto size = static_cast<std::int64_t>(from.size()) / before;
    to.insert(to.end(), from.begin() + block * size, from.begin() + (block + 1) * size);
  };
  if (count_of(dims) == 0) return made;
  for (std::int64_t block = 0; block < before; ++block)
    for (const Value& value : values)
      if (made.whole)
        copy(value.constant->ints, made.ints, block);
      else
        copy(value.constant->floats, made.floats, block);
  return made;
}

/// Where along the axis each run of evenly spaced indices ends; the runs are as long as they can be.
std::vector<Sizes> even_runs(const Sizes& indices) {
  std::vector<Sizes> runs;
  for (const std::int64_t index : indices) {
    const bool fits =
        !runs.empty() && index >= runs.back().back() &&
        (runs.back().size() == 1 || index - runs.back().back() == runs.back()[1] - runs.back()[0]);
    if (fits)
      runs.back().push_back(index);
    else
      runs.push_back({index});
  }
  return runs;
}

/// The numbers of a broadcast constant in the order of dims.
Numbers spread(const Call& call, const Constant& constant, const Strided& view) {
  const std::vector<float> from = constant.as_floats();
  std::vector<float> made;
  made.reserve(static_cast<std::size_t>(count_of(dims_of(view))));
  call.budget().charge(count_of(dims_of(view)));
  for_each_place(view, [&](std::int64_t place) { made.push_back(from[static_cast<std::size_t>(place)]); });
  return std::make_shared<const std::vector<float>>(std::move(made));
}

Numbers repeated(std::int64_t count, float value) {
  return std::make_shared<const std::vector<float>>(static_cast<std::size_t>(count), value);
}

/// One number for each channel of a node whose other axes the constant does not depend on; empty where it
/// does.
std::optional<std::vector<float>> per_channel(const std::vector<float>& all, const Shape& shape) {
  std::vector<float> made;
  const auto pixels = static_cast<std::ptrdiff_t>(shape.h * shape.w);
  for (auto at = all.begin(); at != all.end(); at += pixels) {
    if (std::any_of(at, at + pixels, [&](float x) { return x != *at; })) return std::nullopt;
    made.push_back(*at);
  }
  return made;
}

/// A broadcast view of a constant as the node's channels see it, where it changes along them alone.
std::optional<Strided> along_channels(const Strided& constant, const Strided& view, const Shape& shape) {
  const std::vector<Digit> channels =
      shape.c == 1 ? std::vector<Digit>() : std::vector<Digit>{{shape.c, shape.h * shape.w}};
  for (std::size_t i = 0; i < view.axes.size(); ++i) {
    const bool varies =
        std::ranges::any_of(constant.axes[i], [](const Digit& digit) { return digit.stride != 0; });
    if (!varies) continue;
    if (view.axes[i] != channels) return std::nullopt;
    for (std::size_t k = i + 1; k < view.axes.size(); ++k)
      if (std::ranges::any_of(constant.axes[k], [](const Digit& digit) { return digit.stride != 0; }))
        return std::nullopt;
    return Strided{{constant.axes[i]}, constant.offset};
  }
  return Strided{{shape.c == 1 ? std::vector<Digit>() : std::vector<Digit>{{shape.c, 0}}}, constant.offset};
}

/// Puts numbers into an affine layer that has none of its own there yet: a scale and its shift are one layer.
bool joins_affine(const Call& call, const Value& x, const Shape& shape, bool per_element, const Numbers& bias,
                  bool frozen) {
  Draft& draft = call.builder().draft(x.node);
  const auto* layer = std::get_if<Affine>(&draft.layer);
  if (layer == nullptr || layer->per_element != per_element || draft.out != shape) return false;
  if (std::ranges::any_of(*draft.params[1], [](float shift) { return shift != 0; })) return false;
  draft.params[1] = bias;
  draft.frozen = draft.frozen && frozen;
  draft.output = call.output_name(0);
  return true;
}

}  // namespace

std::size_t axis_of(const Call& call, std::int64_t axis, std::size_t rank) {
  const auto size = static_cast<std::int64_t>(rank);
  if (axis < -size || axis >= size) call.fail(text("axis ", axis, " of a value with ", size, " axes"));
  return static_cast<std::size_t>(axis < 0 ? axis + size : axis);
}

int arranged(const Call& call, const Value& value, const Shape& target) {
  return call.builder().arrange(value.node, value.view, target, call.name());
}

Value for_elements(const Call& call, const Value& value) {
  if (covers(value.view, call.builder().size(value.node))) return value;
  return in_order(call, value);
}

Value moved(const Call& call, const Value& value, const Strided& view) {
  if (value.constant == nullptr) {
    count_of(dims_of(view));
    return {.node = value.node, .view = view};
  }
  return constant_value(gathered(*value.constant, view, call.budget()), value.origin);
}

Value in_order(const Call& call, const Value& value) {
  const Sizes dims = value.dims();
  return {.node = arranged(call, value, picture_shape(dims)), .view = plain(dims)};
}

Value reshaped(const Call& call, const Value& value, const Sizes& dims) {
  const auto shown_dims = [](const Sizes& sizes) {
    std::vector<std::string> parts;
    for (const std::int64_t size : sizes) parts.push_back(text(size));
    return text("{", join(parts, ","), "}");
  };
  if (dims.size() > 32) call.refuse("a value of more than 32 axes");
  if (count_of(dims) != count_of(value.dims()))
    call.fail(text("a value of sizes ", shown_dims(value.dims()), " cannot become ", shown_dims(dims)));
  if (value.constant != nullptr) {
    call.budget().charge(value.constant->count() + 1);
    Constant made = *value.constant;
    made.dims = dims;
    return constant_value(std::move(made), value.origin);
  }
  if (std::optional<Strided> view = reshaped(value.view, dims)) return {.node = value.node, .view = *view};
  return {.node = in_order(call, value).node, .view = plain(dims)};
}

Value permuted(const Call& call, const Value& value, const std::vector<std::size_t>& order) {
  return moved(call, value, permuted(view_of(value), order));
}

Value indexed(const Call& call, const Value& value, std::size_t axis, const Sizes& indices) {
  call.budget().charge(static_cast<std::int64_t>(indices.size()) + 1);
  const std::int64_t size = value.dims()[axis];
  for (const std::int64_t index : indices)
    if (index < 0 || index >= size) call.fail(text("index ", index, " of an axis of ", size));
  if (indices.empty()) return sliced(call, value, axis, 0, 0, 1);
  if (std::optional<Strided> view = indexed(view_of(value), axis, indices)) return moved(call, value, *view);
  const std::vector<Sizes> runs = even_runs(indices);
  constexpr std::size_t most = 64;
  if (value.is_traced() && runs.size() > most) call.refuse("picks elements in an order without a pattern");
  std::vector<Value> parts;
  for (const Sizes& run : runs) {
    std::optional<Strided> view = indexed(view_of(value), axis, run);
    if (!view) return indexed(call, in_order(call, value), axis, indices);
    parts.push_back(moved(call, value, *view));
  }
  return concatenated(call, parts, axis);
}

Value sliced(const Call& call, const Value& value, std::size_t axis, std::int64_t start, std::int64_t count,
             std::int64_t step) {
  if (count == 0) {
    if (value.is_traced()) call.refuse("a slice without elements");
    Constant made{.dims = value.constant->dims, .whole = value.constant->whole};
    made.dims[axis] = 0;
    return constant_value(std::move(made));
  }
  call.budget().charge(count + 1);
  if (std::optional<Strided> view = sliced(view_of(value), axis, start, count, count == 1 ? 1 : step))
    return moved(call, value, *view);
  Sizes indices;
  for (std::int64_t i = 0; i < count; ++i) indices.push_back(start + i * step);
  return indexed(call, value, axis, indices);
}

ChannelsFirst channels_first(const Sizes& dims, std::size_t axis) {
  ChannelsFirst made;
  const bool batch = axis != 0 && dims[0] == 1;
  if (batch) made.order.push_back(0);
  made.order.push_back(axis);
  for (std::size_t i = 0; i < dims.size(); ++i)
    if (i != axis && !(batch && i == 0)) made.order.push_back(i);
  made.back.resize(dims.size());
  for (std::size_t i = 0; i < dims.size(); ++i) made.back[made.order[i]] = i;
  return made;
}

Value concatenated(const Call& call, const std::vector<Value>& values, std::size_t axis) {
  if (values.size() == 1) return values[0];
  Sizes dims = values[0].dims();
  if (axis >= dims.size()) call.fail("its inputs have different numbers of axes");
  bool traced = values[0].is_traced();
  for (std::size_t i = 1; i < values.size(); ++i) {
    Sizes next = values[i].dims();
    if (next.size() != dims.size()) call.fail("its inputs have different numbers of axes");
    for (std::size_t k = 0; k < dims.size(); ++k)
      if (k != axis && next[k] != dims[k]) call.fail("its inputs have sizes that do not fit");
    dims[axis] += next[axis];
    if (values[i].is_traced() != traced) call.refuse("a constant beside what depends on the picture");
    if (!traced && values[i].constant->whole != values[0].constant->whole) call.fail("mixes types");
    count_of(dims);
  }
  if (!traced) return constant_value(joined(call, values, axis, dims));
  const ChannelsFirst way = channels_first(dims, axis);
  std::vector<int> inputs;
  Sizes first(dims.size());
  for (std::size_t i = 0; i < dims.size(); ++i) first[i] = dims[way.order[i]];
  for (const Value& value : values) {
    const Value turned = permuted(call, value, way.order);
    // As in picture_shape(), but the axis is the channels whatever its size is.
    const Sizes sizes = turned.dims();
    const std::size_t at = way.order[0] == axis ? 0 : 1;
    Sizes with_batch(sizes.begin() + static_cast<std::ptrdiff_t>(at), sizes.end());
    with_batch.insert(with_batch.begin(), 1);
    inputs.push_back(arranged(call, turned, picture_shape(with_batch)));
  }
  const int node = call.builder().add(call.name(), Concat{}, std::move(inputs));
  return {.node = node, .view = permuted(plain(first), way.back)};
}

Sizes broadcast_dims(const Call& call, const Sizes& a, const Sizes& b) {
  Sizes dims(std::max(a.size(), b.size()), 1);
  const auto size = [&](const Sizes& from, std::size_t i) {
    const std::size_t missing = dims.size() - from.size();
    return i < missing ? 1 : from[i - missing];
  };
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const std::int64_t x = size(a, i), y = size(b, i);
    if (x != y && x != 1 && y != 1) call.fail(text("sizes ", x, " and ", y, " do not fit"));
    dims[i] = x == 1 ? y : x;
  }
  count_of(dims);
  return dims;
}

namespace {

Strided broadcast_view(const Call& call, const Value& value, const Sizes& dims) {
  Strided view = view_of(value);
  if (view.axes.size() > dims.size()) call.fail("a value has more axes than it is spread over");
  view.axes.insert(view.axes.begin(), dims.size() - view.axes.size(), {});
  const Sizes own = dims_of(view);
  for (std::size_t i = 0; i < dims.size(); ++i)
    if (own[i] != dims[i] && own[i] != 1) call.fail(text("size ", own[i], " cannot become ", dims[i]));
  return expanded(view, dims);
}

}  // namespace

Value broadcast(const Call& call, const Value& value, const Sizes& dims) {
  const Strided view = broadcast_view(call, value, dims);
  if (value.constant != nullptr && value.constant->dims == dims) return value;
  return moved(call, value, view);
}

int scaled(const Call& call, int node, float weight, float bias, const std::string& suffix) {
  const std::int64_t channels = call.builder().draft(node).out.c;
  return call.builder().add(call.name() + suffix, Affine{}, {node},
                            {repeated(channels, weight), repeated(channels, bias)}, true);
}

Value affine(const Call& call, const Value& x, const Value* weight, const Value* bias) {
  const Value& given = weight != nullptr ? *weight : *bias;
  const Sizes dims = broadcast_dims(call, x.dims(), given.dims());
  Value value = x.dims() == dims ? x : broadcast(call, x, dims);
  const Strided spread_view = broadcast_view(call, given, dims);
  value = for_elements(call, value);
  Shape shape = call.builder().draft(value.node).out;
  std::vector<float> numbers;
  bool per_element = false;
  if (const auto channels = along_channels(spread_view, value.view, shape)) {
    numbers = *spread(call, *given.constant, *channels);
  } else {
    // In the order of the file, so that the constant's numbers are in the order of the node's.
    value = in_order(call, value);
    shape = call.builder().draft(value.node).out;
    numbers = *spread(call, *given.constant, spread_view);
    if (const auto one_each = per_channel(numbers, shape))
      numbers = *one_each;
    else
      per_element = true;
  }
  const auto count = static_cast<std::int64_t>(numbers.size());
  const bool frozen = per_element || given.origin.empty() || given.constant->count() == 1;
  auto made = std::make_shared<const std::vector<float>>(std::move(numbers));
  // A scale of the file alone, with nobody else reading it, takes its shift in.
  if (bias != nullptr && call.is_only_reader_of(call.builder().draft(value.node).output) &&
      joins_affine(call, value, shape, per_element, made, frozen))
    return value;
  const int node = call.builder().add(call.name(), Affine{per_element}, {value.node},
                                      weight != nullptr ? std::vector<Numbers>{made, repeated(count, 0)}
                                                        : std::vector<Numbers>{repeated(count, 1), made},
                                      frozen);
  call.builder().draft(node).output = call.output_name(0);
  return {.node = node, .view = value.view};
}

}  // namespace enxerto::onnx
