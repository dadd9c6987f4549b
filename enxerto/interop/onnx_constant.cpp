#include "enxerto/interop/onnx_constant.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/weights/dtype.h"

namespace enxerto::onnx {
namespace {

std::optional<Dtype> dtype_of(int data_type) {
  switch (data_type) {
    case TensorProto::FLOAT:
      return Dtype::f32;
    case TensorProto::FLOAT16:
      return Dtype::f16;
    case TensorProto::BFLOAT16:
      return Dtype::bf16;
    case TensorProto::DOUBLE:
      return Dtype::f64;
    case TensorProto::BOOL:
      return Dtype::boolean;
    case TensorProto::UINT8:
      return Dtype::u8;
    case TensorProto::INT8:
      return Dtype::i8;
    case TensorProto::UINT16:
      return Dtype::u16;
    case TensorProto::INT16:
      return Dtype::i16;
    case TensorProto::UINT32:
      return Dtype::u32;
    case TensorProto::INT32:
      return Dtype::i32;
    case TensorProto::UINT64:
      return Dtype::u64;
    case TensorProto::INT64:
      return Dtype::i64;
    default:
      return std::nullopt;
  }
}

bool is_float(Dtype dtype) {
  return dtype == Dtype::f32 || dtype == Dtype::f16 || dtype == Dtype::bf16 || dtype == Dtype::f64;
}

template <class T>
void read_whole(const std::string& raw, std::vector<std::int64_t>& to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    T value;
    std::memcpy(&value, raw.data() + i * sizeof(T), sizeof(T));
    to[i] = static_cast<std::int64_t>(value);
  }
}

void read_raw(Dtype dtype, const std::string& raw, Constant& to) {
  if (!to.whole) return widen(dtype, reinterpret_cast<const std::uint8_t*>(raw.data()), to.floats);
  switch (dtype) {
    case Dtype::i8:
      return read_whole<std::int8_t>(raw, to.ints);
    case Dtype::u16:
      return read_whole<std::uint16_t>(raw, to.ints);
    case Dtype::i16:
      return read_whole<std::int16_t>(raw, to.ints);
    case Dtype::u32:
      return read_whole<std::uint32_t>(raw, to.ints);
    case Dtype::i32:
      return read_whole<std::int32_t>(raw, to.ints);
    case Dtype::u64:
    case Dtype::i64:
      return read_whole<std::int64_t>(raw, to.ints);
    default:
      return read_whole<std::uint8_t>(raw, to.ints);
  }
}

/// The number of values in the field that this format uses where the data is not raw.
int typed_count(Dtype dtype, const TensorProto& tensor) {
  switch (dtype) {
    case Dtype::f32:
      return tensor.float_data_size();
    case Dtype::f64:
      return tensor.double_data_size();
    case Dtype::i64:
      return tensor.int64_data_size();
    case Dtype::u32:
    case Dtype::u64:
      return tensor.uint64_data_size();
    default:
      return tensor.int32_data_size();
  }
}

void read_typed(Dtype dtype, const TensorProto& tensor, Constant& to) {
  switch (dtype) {
    case Dtype::f32:
      std::ranges::copy(tensor.float_data(), to.floats.begin());
      break;
    case Dtype::f64:
      std::ranges::transform(tensor.double_data(), to.floats.begin(),
                             [](double x) { return static_cast<float>(x); });
      break;
    case Dtype::f16:
    case Dtype::bf16: {
      std::vector<std::uint16_t> halves(to.floats.size());
      std::ranges::transform(tensor.int32_data(), halves.begin(),
                             [](std::int32_t bits) { return static_cast<std::uint16_t>(bits); });
      widen(dtype, reinterpret_cast<const std::uint8_t*>(halves.data()), to.floats);
      break;
    }
    case Dtype::i64:
      std::ranges::copy(tensor.int64_data(), to.ints.begin());
      break;
    case Dtype::u32:
    case Dtype::u64:
      std::ranges::transform(tensor.uint64_data(), to.ints.begin(),
                             [](std::uint64_t x) { return static_cast<std::int64_t>(x); });
      break;
    default:
      std::ranges::copy(tensor.int32_data(), to.ints.begin());
  }
}

}  // namespace

std::vector<float> Constant::as_floats() const {
  if (!whole) return floats;
  std::vector<float> made;
  made.reserve(ints.size());
  for (const std::int64_t value : ints) made.push_back(static_cast<float>(value));
  return made;
}

void Budget::charge(std::int64_t numbers) {
  if (numbers > left_)
    throw Error(
        ErrorKind::unsupported,
        "the network makes far more numbers than its file holds: a weight used in very many places, or "
        "a very large constant");
  left_ -= numbers;
}

Constant decode(const TensorProto& tensor) {
  if (tensor.data_location() == TensorProto::EXTERNAL || tensor.external_data_size() > 0)
    throw Error(ErrorKind::unsupported,
                "its data lies in another file; save the model as one file (onnx.save with "
                "save_as_external_data=False)");
  const std::optional<Dtype> dtype = dtype_of(tensor.data_type());
  if (!dtype)
    throw Error(ErrorKind::unsupported, text("its numbers are of ONNX's type ", tensor.data_type(),
                                             ", which is not read; store them as float"));
  const Sizes dims(tensor.dims().begin(), tensor.dims().end());
  constexpr std::size_t rank_limit = 32;
  if (dims.size() > rank_limit) throw Error(ErrorKind::corrupt, "it has more than 32 sizes");
  const std::int64_t count = count_of(dims);
  const auto given = tensor.has_raw_data() ? static_cast<std::int64_t>(tensor.raw_data().size())
                                           : std::int64_t{typed_count(*dtype, tensor)};
  const std::int64_t wanted = tensor.has_raw_data() ? count * bytes_of(*dtype) : count;
  if (given != wanted)
    throw Error(ErrorKind::corrupt, text("it has ", given, tensor.has_raw_data() ? " bytes" : " numbers",
                                         " of data where its sizes need ", wanted));
  Constant made{.dims = dims, .whole = !is_float(*dtype)};
  if (made.whole)
    made.ints.resize(static_cast<std::size_t>(count));
  else
    made.floats.resize(static_cast<std::size_t>(count));
  if (tensor.has_raw_data())
    read_raw(*dtype, tensor.raw_data(), made);
  else
    read_typed(*dtype, tensor, made);
  return made;
}

Constant gathered(const Constant& from, const Strided& view, Budget& budget) {
  Constant made{.dims = dims_of(view), .whole = from.whole};
  const std::int64_t count = count_of(made.dims);
  budget.charge(count + 1);
  if (from.whole)
    made.ints.reserve(static_cast<std::size_t>(count));
  else
    made.floats.reserve(static_cast<std::size_t>(count));
  for_each_place(view, [&](std::int64_t place) {
    const auto i = static_cast<std::size_t>(place);
    if (from.whole)
      made.ints.push_back(from.ints[i]);
    else
      made.floats.push_back(from.floats[i]);
  });
  return made;
}

}  // namespace enxerto::onnx
