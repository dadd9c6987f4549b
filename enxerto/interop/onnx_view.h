/// Strided views: what data movement does to a block of numbers, without moving it. For this folder only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace enxerto::onnx {

using Sizes = std::vector<std::int64_t>;

/// The product; throws Error{unsupported} where it passes 2^28 numbers or a size is negative.
std::int64_t count_of(const Sizes& dims);

/// One digit of a mixed radix.
struct Digit {
  std::int64_t size = 1, stride = 0;
  friend bool operator==(const Digit&, const Digit&) = default;
};

/// A tensor whose elements lie in a block: an index of an axis is written in the digits of that axis (the
/// last one fastest), and each adds digit * stride to the place. Channel shuffles and upsampling need several
/// digits for one axis; stride 0 repeats. An axis of size 1 has none.
struct Strided {
  std::vector<std::vector<Digit>> axes;
  std::int64_t offset = 0;
  friend bool operator==(const Strided&, const Strided&) = default;
};

Strided plain(const Sizes& dims);
Sizes dims_of(const Strided& view);
std::int64_t size_of(const std::vector<Digit>& axis);

/// All digits in order, those of size 1 left out, neighbours that are one digit joined.
std::vector<Digit> digits_of(const Strided& view);

/// Whether it is all of a block of `count` numbers, in its order.
bool is_plain(const Strided& view, std::int64_t count);
/// Whether it has each of the `count` numbers once, in whatever order.
bool covers(const Strided& view, std::int64_t count);

Strided permuted(const Strided& view, const std::vector<std::size_t>& order);
/// Axes of size 1 become `dims` (the same in all else); the ranks are equal.
Strided expanded(const Strided& view, const Sizes& dims);
/// Empty where the digits cannot be divided so; the counts are equal.
std::optional<Strided> reshaped(const Strided& view, const Sizes& dims);
/// The indices start, start + step... of one axis, all inside; empty where the step is negative or the axis
/// does not lie evenly.
std::optional<Strided> sliced(const Strided& view, std::size_t axis, std::int64_t start, std::int64_t count,
                              std::int64_t step);
/// The given indices of one axis, at least one, all inside; empty where no digits make them.
std::optional<Strided> indexed(const Strided& view, std::size_t axis, const Sizes& indices);

/// The place of each element in order.
void for_each_place(const Strided& view, const std::function<void(std::int64_t)>& visit);

}  // namespace enxerto::onnx
