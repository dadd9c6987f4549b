#include "enxerto/weights/dtype.h"

#include <bit>
#include <cstddef>
#include <cstring>

#include "enxerto/core/error.h"
#include "enxerto/tensor/half.h"

namespace enxerto {
namespace {

static_assert(std::endian::native == std::endian::little, "the files are little-endian, and so are we");

template <class T>
float to_float(T value) {
  return static_cast<float>(value);
}

struct Half {
  std::uint16_t bits;
};
float to_float(Half half) { return float_of(half.bits); }

struct Bfloat {
  std::uint16_t bits;
};
float to_float(Bfloat value) { return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16); }

/// `from` holds to.size() numbers of type T, at any alignment.
template <class T>
void widen_all(const std::uint8_t* from, std::span<float> to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    T value;
    std::memcpy(&value, from + i * sizeof(T), sizeof(T));
    to[i] = to_float(value);
  }
}

struct Format {
  std::int64_t bytes;
  void (*widen)(const std::uint8_t*, std::span<float>);
};

template <class T>
constexpr Format format_as{sizeof(T), widen_all<T>};

Format format_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32:
      return format_as<float>;
    case Dtype::f16:
      return format_as<Half>;
    case Dtype::bf16:
      return format_as<Bfloat>;
    case Dtype::f64:
      return format_as<double>;
    case Dtype::boolean:
      return format_as<std::uint8_t>;
    case Dtype::u8:
      return format_as<std::uint8_t>;
    case Dtype::i8:
      return format_as<std::int8_t>;
    case Dtype::u16:
      return format_as<std::uint16_t>;
    case Dtype::i16:
      return format_as<std::int16_t>;
    case Dtype::u32:
      return format_as<std::uint32_t>;
    case Dtype::i32:
      return format_as<std::int32_t>;
    case Dtype::u64:
      return format_as<std::uint64_t>;
    case Dtype::i64:
      return format_as<std::int64_t>;
  }
  ensure(false, "a number format is one of the list");
  return {};
}

}  // namespace

std::int64_t bytes_of(Dtype dtype) { return format_of(dtype).bytes; }

void widen(Dtype dtype, const std::uint8_t* from, std::span<float> to) { format_of(dtype).widen(from, to); }

}  // namespace enxerto
