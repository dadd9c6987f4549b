#include "enxerto/interop/onnx_view.h"

#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto::onnx {
namespace {

using Axis = std::vector<Digit>;

/// Adds a digit behind, joined with the last one where both are one.
void append(Axis& axis, const Digit& digit) {
  if (digit.size == 1) return;
  if (!axis.empty() && axis.back().stride == digit.stride * digit.size)
    axis.back() = {axis.back().size * digit.size, digit.stride};
  else
    axis.push_back(digit);
}

std::int64_t place_of(const Axis& axis, std::int64_t index) {
  std::int64_t place = 0;
  for (auto digit = axis.rbegin(); digit != axis.rend(); ++digit) {
    place += index % digit->size * digit->stride;
    index /= digit->size;
  }
  return place;
}

/// The digits that make these places, the first place aside; empty where there are none.
std::optional<Axis> digits_from(Sizes places) {
  Axis reversed;
  while (places.size() > 1) {
    const std::int64_t stride = places[1] - places[0];
    std::size_t run = 2;
    while (run < places.size() && places[run] - places[run - 1] == stride) ++run;
    if (stride < 0 || places.size() % run != 0) return std::nullopt;
    Sizes starts;
    for (std::size_t i = 0; i < places.size(); i += run) {
      for (std::size_t k = 1; k < run; ++k)
        if (places[i + k] - places[i + k - 1] != stride) return std::nullopt;
      starts.push_back(places[i]);
    }
    reversed.push_back({static_cast<std::int64_t>(run), stride});
    places = std::move(starts);
  }
  Axis axis;
  for (auto digit = reversed.rbegin(); digit != reversed.rend(); ++digit) append(axis, *digit);
  return axis;
}

}  // namespace

std::int64_t count_of(const Sizes& dims) {
  constexpr std::int64_t limit = std::int64_t{1} << 28;
  std::int64_t product = 1;
  bool empty = false;
  for (const std::int64_t size : dims) {
    if (size == 0) empty = true;
    if (size < 0 || (size > 0 && size > limit / product))
      throw Error(ErrorKind::unsupported, "a value of more than 2^28 numbers, or of a negative size");
    if (size > 0) product *= size;
  }
  return empty ? 0 : product;
}

Strided plain(const Sizes& dims) {
  Strided view;
  view.axes.resize(dims.size());
  std::int64_t stride = 1;
  for (std::size_t i = dims.size(); i-- > 0;) {
    if (dims[i] != 1) view.axes[i] = {{dims[i], stride}};
    stride *= dims[i];
  }
  return view;
}

std::int64_t size_of(const Axis& axis) {
  std::int64_t size = 1;
  for (const Digit& digit : axis) size *= digit.size;
  return size;
}

Sizes dims_of(const Strided& view) {
  Sizes dims;
  for (const Axis& axis : view.axes) dims.push_back(size_of(axis));
  return dims;
}

std::vector<Digit> digits_of(const Strided& view) {
  Axis all;
  for (const Axis& axis : view.axes)
    for (const Digit& digit : axis) append(all, digit);
  return all;
}

bool is_plain(const Strided& view, std::int64_t count) {
  const Axis digits = digits_of(view);
  if (view.offset != 0) return false;
  return count == 1 ? digits.empty() : digits == Axis{{count, 1}};
}

bool covers(const Strided& view, std::int64_t count) {
  Axis digits = digits_of(view);
  std::ranges::sort(digits, {}, &Digit::stride);
  std::int64_t expected = 1;
  for (const Digit& digit : digits) {
    if (digit.stride != expected) return false;
    expected *= digit.size;
  }
  return view.offset == 0 && expected == count;
}

Strided permuted(const Strided& view, const std::vector<std::size_t>& order) {
  Strided made{{}, view.offset};
  for (const std::size_t axis : order) made.axes.push_back(view.axes[axis]);
  return made;
}

Strided expanded(const Strided& view, const Sizes& dims) {
  Strided made = view;
  for (std::size_t i = 0; i < dims.size(); ++i)
    if (size_of(view.axes[i]) != dims[i]) made.axes[i] = {{dims[i], 0}};
  return made;
}

std::optional<Strided> reshaped(const Strided& view, const Sizes& dims) {
  Axis left = digits_of(view);
  Strided made;
  made.offset = view.offset;
  made.axes.resize(dims.size());
  for (std::size_t i = dims.size(); i-- > 0;) {
    Axis taken;
    for (std::int64_t need = dims[i]; need > 1;) {
      Digit& last = left.back();
      const std::int64_t part = std::min(last.size, need);
      if (last.size % part != 0 || need % part != 0) return std::nullopt;
      taken.insert(taken.begin(), {part, last.stride});
      need /= part;
      if (part == last.size)
        left.pop_back();
      else
        last = {last.size / part, last.stride * part};
    }
    made.axes[i] = std::move(taken);
  }
  return made;
}

std::optional<Strided> sliced(const Strided& view, std::size_t axis, std::int64_t start, std::int64_t count,
                              std::int64_t step) {
  const Axis& digits = view.axes[axis];
  if (start == 0 && step == 1 && count == size_of(digits)) return view;
  if (digits.size() > 1) {
    Sizes indices;
    for (std::int64_t i = 0; i < count; ++i) indices.push_back(start + i * step);
    return indexed(view, axis, indices);
  }
  if (step < 0 && count > 1) return std::nullopt;
  Strided made = view;
  const std::int64_t stride = digits.empty() ? 0 : digits[0].stride;
  made.offset += start * stride;
  made.axes[axis] = {};
  append(made.axes[axis], {count, stride * step});
  return made;
}

std::optional<Strided> indexed(const Strided& view, std::size_t axis, const Sizes& indices) {
  Sizes places;
  for (const std::int64_t index : indices) places.push_back(place_of(view.axes[axis], index));
  Strided made = view;
  made.offset += places[0];
  std::optional<Axis> digits = digits_from(std::move(places));
  if (!digits) return std::nullopt;
  made.axes[axis] = std::move(*digits);
  return made;
}

void for_each_place(const Strided& view, const std::function<void(std::int64_t)>& visit) {
  const Axis digits = digits_of(view);
  if (std::ranges::any_of(digits, [](const Digit& digit) { return digit.size == 0; })) return;
  Sizes at(digits.size(), 0);
  std::int64_t place = view.offset;
  for (;;) {
    visit(place);
    std::size_t i = digits.size();
    while (i > 0 && ++at[i - 1] == digits[i - 1].size) {
      place -= (digits[i - 1].size - 1) * digits[i - 1].stride;
      at[--i] = 0;
    }
    if (i == 0) return;
    place += digits[i - 1].stride;
  }
}

}  // namespace enxerto::onnx
