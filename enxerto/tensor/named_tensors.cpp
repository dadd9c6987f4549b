#include "enxerto/tensor/named_tensors.h"

#include <algorithm>

namespace enxerto {

Shape shape_of(const std::vector<std::int64_t>& dims) {
  Shape shape;
  if (dims.size() > 0) shape.n = dims[0];
  if (dims.size() > 1) shape.c = dims[1];
  if (dims.size() > 2) shape.h = dims[2];
  for (std::size_t i = 3; i < dims.size(); ++i) shape.w *= dims[i];
  return shape;
}

const NamedTensor* find_tensor(const NamedTensors& tensors, std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &NamedTensor::name);
  return found == tensors.end() ? nullptr : &*found;
}

}  // namespace enxerto
