/// Blocks of floats: Tensor owns, View and ConstView borrow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "enxerto/tensor/shape.h"

namespace enxerto {

/// Borrowed floats, dense, in the order of Shape's fields (w innermost); valid while their owner lives.
struct ConstView {
  Shape shape{.n = 0};
  std::span<const float> data;
};
struct View {
  Shape shape{.n = 0};
  std::span<float> data;
  operator ConstView() const { return {shape, data}; }
};

/// Owns floats: 64-byte aligned, dense, in the order of Shape's fields (n, c, h, w; w innermost), as
/// weight files and NumPy have them (docs/decisions/0001-tensor-order.md).
/// Moving is cheap and leaves the source empty; a copy is always spelled clone().
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Shape shape);  ///< zero-filled
  /// The same in pages that the system fills with zeros when they are touched first: what nobody touches
  /// takes no memory and no time. For what lives long, since each costs a system call.
  static Tensor untouched(Shape shape);
  Tensor(Tensor&& from) noexcept;
  Tensor& operator=(Tensor&& from) noexcept;
  Tensor clone() const;

  const Shape& shape() const { return shape_; }
  bool empty() const { return shape_.size() == 0; }
  View view() { return {shape_, data()}; }
  ConstView view() const { return {shape_, data()}; }
  std::span<float> data() { return {data_.get(), static_cast<std::size_t>(shape_.size())}; }
  std::span<const float> data() const { return {data_.get(), static_cast<std::size_t>(shape_.size())}; }

 private:
  struct Free {
    std::size_t mapped_bytes;  ///< 0: from the heap
    Free() noexcept : mapped_bytes(0) {}
    explicit Free(std::size_t mapped) noexcept : mapped_bytes(mapped) {}
    void operator()(float* data) const noexcept;
  };
  Shape shape_{.n = 0};
  std::unique_ptr<float[], Free> data_;
};

}  // namespace enxerto
