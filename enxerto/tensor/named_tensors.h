/// NamedTensors: all that file formats and models know of each other.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "enxerto/tensor/tensor.h"

namespace enxerto {

/// A tensor with its name and the sizes that the file gives it: {64,3,7,7}, {64}, {} for a scalar. The
/// value's Shape holds the first four of them, ones after; more than four have their tail folded into w.
struct NamedTensor {
  std::string name;
  std::vector<std::int64_t> dims;
  Tensor value;
};

/// In the order of the file or of the graph. Names are unique.
using NamedTensors = std::vector<NamedTensor>;

/// The Shape of a tensor of these sizes.
Shape shape_of(const std::vector<std::int64_t>& dims);

/// The tensor called `name`, or null where there is none.
const NamedTensor* find_tensor(const NamedTensors& tensors, std::string_view name);

}  // namespace enxerto
