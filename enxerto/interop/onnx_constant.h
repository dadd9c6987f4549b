/// Tensors of ONNX files whose numbers are known, and what may be made of them. For this folder only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "enxerto/interop/onnx_file.h"
#include "enxerto/interop/onnx_view.h"

namespace enxerto::onnx {

/// Numbers of any integer format (truth values too) as int64, the others as float.
struct Constant {
  Sizes dims{};
  bool whole = false;  ///< ints has the numbers, else floats
  std::vector<std::int64_t> ints{};
  std::vector<float> floats{};

  std::int64_t count() const { return static_cast<std::int64_t>(whole ? ints.size() : floats.size()); }
  std::vector<float> as_floats() const;
};
using ConstantPtr = std::shared_ptr<const Constant>;

/// Bounds what a file can make us make: constants computed and parameters, counted in numbers.
class Budget {
 public:
  explicit Budget(std::int64_t numbers) : left_(numbers) {}
  /// Throws Error{unsupported} where nothing is left.
  void charge(std::int64_t numbers);

 private:
  std::int64_t left_;
};

/// Throws Error: corrupt where the numbers are not as many as the sizes say, unsupported for texts, external
/// data and other formats. The text says what is wrong with the tensor, not which.
Constant decode(const TensorProto& tensor);

/// The elements of `view`, which lies on the constant's numbers.
Constant gathered(const Constant& from, const Strided& view, Budget& budget);

}  // namespace enxerto::onnx
