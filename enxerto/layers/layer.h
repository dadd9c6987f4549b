/// What every layer type offers. What a layer *is* (a value) and how it *runs* (an Op for fixed shapes,
/// kernels/op.h) are kept apart, so one model can have a program that trains at batch 64 and another
/// that answers at batch 1.
#pragma once

#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "enxerto/kernels/op.h"
#include "enxerto/kernels/spec.h"
#include "enxerto/layers/field.h"

namespace enxerto {

/// What a parameter is, which tells how it starts: weights from the chosen initialisation.
enum class Role { weight, bias, scale, shift, running_mean, running_variance };

/// A tensor that the graph keeps for a layer. `rank` sizes count in files: conv weights 4, linear
/// weights 2, one number per channel 1. Running statistics are not trainable.
struct ParamSpec {
  std::string name;
  Shape shape;
  int rank = 1;
  Role role = Role::weight;
  bool trainable() const { return role != Role::running_mean && role != Role::running_variance; }
};

/// A layer is a plain value: copied, compared, printed. Shapes are those of one image (n = 1); a batch in n
/// is handed through.
template <class L>
concept Layer = std::regular<L> && requires(const L l, std::span<const Shape> in, const PlanArgs& args) {
  { L::kind } -> std::convertible_to<std::string_view>;      // its name in files
  { l.out_shape(in) } -> std::same_as<Shape>;                // throws Error if it cannot take `in`
  { l.params(in) } -> std::same_as<std::vector<ParamSpec>>;  // in the order in which the Op sees them
  { l.plan(args) } -> std::same_as<std::unique_ptr<Op>>;
  L::fields;  // drives save, load and print
};

/// Throws Error{usage} unless there are `count` inputs and none of them is empty.
void check_inputs(std::string_view kind, std::span<const Shape> in, std::size_t count);

/// The shape itself; throws Error{usage} where c*h*w (n*c*h*w of a parameter) is not between 1 and 2^31.
Shape check_activation(std::string_view kind, const Shape& shape);
Shape check_parameter(std::string_view kind, const Shape& shape);

/// The shapes that an Op is planned for, batch in n.
std::vector<Shape> shapes_of(const PlanArgs& args);

}  // namespace enxerto
