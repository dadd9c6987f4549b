#include "enxerto/layers/layer.h"

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

/// The product of the sizes, or -1 where one is not positive or the product is above 2^31.
std::int64_t bounded_product(std::initializer_list<std::int64_t> sizes) {
  constexpr std::int64_t limit = std::int64_t{1} << 31;
  std::int64_t product = 1;
  for (const std::int64_t size : sizes) {
    if (size < 1 || size > limit / product) return -1;
    product *= size;
  }
  return product;
}

}  // namespace

void check_inputs(std::string_view kind, std::span<const Shape> in, std::size_t count) {
  if (in.size() != count)
    throw Error(ErrorKind::usage,
                text(kind, ": takes ", count, count == 1 ? " input" : " inputs", ", got ", in.size()));
  for (const Shape& shape : in) check_activation(kind, shape);
}

Shape check_activation(std::string_view kind, const Shape& shape) {
  if (shape.n < 1 || bounded_product({shape.c, shape.h, shape.w}) < 0)
    throw Error(ErrorKind::usage, text(kind, ": activations of ", format_shape(shape),
                                       " cannot be; every size has to be at least 1 and an image at most "
                                       "2^31 numbers"));
  return shape;
}

Shape check_parameter(std::string_view kind, const Shape& shape) {
  if (bounded_product({shape.n, shape.c, shape.h, shape.w}) < 0)
    throw Error(ErrorKind::usage, text(kind, ": a parameter of ", format_shape(shape),
                                       " cannot be; every size has to be at least 1 and all of it at most "
                                       "2^31 numbers"));
  return shape;
}

std::vector<Shape> shapes_of(const PlanArgs& args) {
  std::vector<Shape> shapes;
  for (const Layout& layout : args.in) shapes.push_back(layout.shape);
  return shapes;
}

}  // namespace enxerto
