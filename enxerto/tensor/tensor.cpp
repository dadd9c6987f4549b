#include "enxerto/tensor/tensor.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
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

namespace {

std::size_t bytes_of(const Shape& shape) {
  ensure(shape.n >= 0 && shape.c >= 0 && shape.h >= 0 && shape.w >= 0, "sizes are not negative");
  return (static_cast<std::size_t>(shape.size()) * sizeof(float) + 63) / 64 * 64;
}

}  // namespace

void Tensor::Free::operator()(float* data) const noexcept {
  if (mapped_bytes > 0)
    ::munmap(data, mapped_bytes);
  else
    std::free(data);
}

Tensor::Tensor(Shape shape) : shape_(shape) {
  const std::size_t bytes = bytes_of(shape);
  if (bytes == 0) return;
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  // Large blocks start on a huge page: a page fault costs as much as computing on 4 KiB does.
  const std::size_t align = bytes >= 4 * huge_page ? huge_page : 64;
  void* data = std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (!data) throw std::bad_alloc();
  if (align == huge_page) ::madvise(data, bytes, MADV_HUGEPAGE);
  std::memset(data, 0, bytes);
  data_.reset(static_cast<float*>(data));
}

Tensor Tensor::untouched(Shape shape) {
  const std::size_t bytes = bytes_of(shape);
  constexpr std::size_t least = std::size_t{256} << 10;  // below, a system call costs more than it saves
  if (bytes < least) return Tensor(shape);
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) throw std::bad_alloc();
  ::madvise(data, bytes, MADV_HUGEPAGE);
  Tensor made;
  made.shape_ = shape;
  made.data_ = {static_cast<float*>(data), Free(bytes)};
  return made;
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
