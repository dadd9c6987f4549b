#include "enxerto/tensor/tensor.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {

std::string format_shape(const Shape& shape) {
  return text(shape.n, "x", shape.c, "x", shape.h, "x", shape.w);
}

void Tensor::Free::operator()(float* data) const noexcept { std::free(data); }

Tensor::Tensor(Shape shape) : shape_(shape) {
  ensure(shape.n >= 0 && shape.c >= 0 && shape.h >= 0 && shape.w >= 0, "sizes are not negative");
  if (shape.size() == 0) return;
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  const std::size_t bytes = (static_cast<std::size_t>(shape.size()) * sizeof(float) + 63) / 64 * 64;
  // Large blocks start on a huge page: a page fault costs as much as computing on 4 KiB does.
  const std::size_t align = bytes >= 4 * huge_page ? huge_page : 64;
  void* data = std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (!data) throw std::bad_alloc();
  if (align == huge_page) ::madvise(data, bytes, MADV_HUGEPAGE);
  std::memset(data, 0, bytes);
  data_.reset(static_cast<float*>(data));
}

Tensor::Tensor(Tensor&& from) noexcept
    : shape_(std::exchange(from.shape_, Shape{.n = 0})), data_(std::move(from.data_)) {}

Tensor& Tensor::operator=(Tensor&& from) noexcept {
  shape_ = std::exchange(from.shape_, Shape{.n = 0});
  data_ = std::move(from.data_);
  return *this;
}

Tensor Tensor::clone() const {
  Tensor copy(shape_);
  std::ranges::copy(data(), copy.data().begin());
  return copy;
}

}  // namespace enxerto
