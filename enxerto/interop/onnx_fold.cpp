// Operators on constants: how exported files compute the sizes of their reshapes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/interop/onnx_import.h"

namespace enxerto::onnx {
namespace {

// ---- Integers wrap around, as they do in every runtime.

std::int64_t wrapped(std::uint64_t value) { return static_cast<std::int64_t>(value); }

std::int64_t whole_result(const Call& call, std::string_view op, std::int64_t a, std::int64_t b) {
  const auto x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(b);
  if (op == "Add" || op == "Sum") return wrapped(x + y);
  if (op == "Sub") return wrapped(x - y);
  if (op == "Mul") return wrapped(x * y);
  if (op == "Min") return std::min(a, b);
  if (op == "Max") return std::max(a, b);
  if (op == "Div" || op == "Mod") {
    if (b == 0) call.fail("divides by zero");
    if (b == -1) return op == "Div" ? wrapped(std::uint64_t{0} - x) : 0;
    if (op == "Div") return a / b;
    const std::int64_t rest = a % b;  // with the divisor's sign
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
  call.refuse("of integers");
}

float float_result(const Call& call, std::string_view op, float a, float b) {
  if (op == "Add" || op == "Sum") return a + b;
  if (op == "Sub") return a - b;
  if (op == "Mul") return a * b;
  if (op == "Div") return a / b;
  if (op == "Min") return std::min(a, b);
  if (op == "Max") return std::max(a, b);
  if (op == "Pow") return std::pow(a, b);
  call.refuse("of numbers with fractions");
}

template <class T>
std::optional<bool> compared(std::string_view op, T a, T b) {
  if (op == "Equal") return a == b;
  if (op == "Less") return a < b;
  if (op == "LessOrEqual") return a <= b;
  if (op == "Greater") return a > b;
  if (op == "GreaterOrEqual") return a >= b;
  if (op == "And") return a != 0 && b != 0;
  if (op == "Or") return a != 0 || b != 0;
  return std::nullopt;
}

Constant spread(Call& call, const Constant& from, const Sizes& dims) {
  if (from.dims == dims) return from;
  return *broadcast(call, constant_value(from), dims).constant;
}

Constant binary(Call& call, const Constant& first, const Constant& second) {
  const Sizes dims = broadcast_dims(call, first.dims, second.dims);
  call.budget().charge(count_of(dims) + 1);
  const Constant a = spread(call, first, dims), b = spread(call, second, dims);
  if (a.whole != b.whole) call.fail("mixes integers with other numbers");
  const std::string_view op = call.op();
  const bool compares = compared(op, 0, 0).has_value();
  Constant made{.dims = dims, .whole = a.whole || compares};
  for (std::size_t i = 0; i < static_cast<std::size_t>(a.count()); ++i) {
    if (compares)
      made.ints.push_back(a.whole ? *compared(op, a.ints[i], b.ints[i])
                                  : *compared(op, a.floats[i], b.floats[i]));
    else if (a.whole)
      made.ints.push_back(whole_result(call, op, a.ints[i], b.ints[i]));
    else
      made.floats.push_back(float_result(call, op, a.floats[i], b.floats[i]));
  }
  return made;
}

void fold_binary(Call& call) {
  Constant made = call.constant(0);
  if (call.opset() < 7 && call.whole("broadcast", 0) == 1 && call.has_attribute("axis"))
    call.refuse("broadcasts constants along an axis, as before version 7");
  for (int i = 1; i < call.inputs(); ++i) made = binary(call, made, call.constant(i));
  call.give(constant_value(std::move(made)));
}

float unary_result(const Call& call, std::string_view op, float x) {
  if (op == "Floor") return std::floor(x);
  if (op == "Ceil") return std::ceil(x);
  if (op == "Round") return std::nearbyint(x);
  if (op == "Neg") return -x;
  if (op == "Abs") return std::fabs(x);
  if (op == "Sqrt") return std::sqrt(x);
  if (op == "Exp") return std::exp(x);
  if (op == "Log") return std::log(x);
  if (op == "Reciprocal") return 1.0f / x;
  call.refuse("of numbers with fractions");
}

void fold_unary(Call& call) {
  Constant made = call.constant(0);
  call.budget().charge(made.count() + 1);
  const std::string_view op = call.op();
  for (float& x : made.floats) x = unary_result(call, op, x);
  for (std::int64_t& x : made.ints) {
    if (op == "Not")
      x = x == 0 ? 1 : 0;
    else if (op == "Neg" || (op == "Abs" && x < 0))
      x = wrapped(std::uint64_t{0} - static_cast<std::uint64_t>(x));
    else if (op != "Abs")
      call.refuse("of integers");
  }
  call.give(constant_value(std::move(made)));
}

std::int64_t truncated(float x) {
  if (std::isnan(x)) return 0;
  constexpr float edge = 9.2e18f;
  return static_cast<std::int64_t>(std::clamp(x, -edge, edge));
}

void fold_cast(Call& call) {
  const Constant& from = call.constant(0);
  const std::int64_t to = call.whole("to", 0);
  const bool to_float = to == TensorProto::FLOAT || to == TensorProto::FLOAT16 || to == TensorProto::DOUBLE ||
                        to == TensorProto::BFLOAT16;
  if (!to_float && (to < TensorProto::UINT8 || to > TensorProto::UINT64 || to == TensorProto::STRING))
    call.refuse(text("to ONNX's type ", to));
  call.budget().charge(from.count() + 1);
  Constant made{.dims = from.dims, .whole = !to_float};
  if (to_float) {
    made.floats = from.as_floats();
  } else {
    made.ints = from.ints;
    for (const float x : from.floats)
      made.ints.push_back(to == TensorProto::BOOL ? std::int64_t{x != 0} : truncated(x));
    if (to == TensorProto::BOOL)
      for (std::int64_t& x : made.ints) x = x != 0;
  }
  call.give(constant_value(std::move(made), to_float && !from.whole ? call.in(0).origin : ""));
}

void fold_constant(Call& call) {
  Constant made;
  if (call.has_attribute("value")) {
    made = decode(call.tensor("value"));
    call.budget().charge(made.count() + 1);
  } else if (call.has_attribute("value_int")) {
    made = {.whole = true, .ints = {call.whole("value_int", 0)}};
  } else if (call.has_attribute("value_float")) {
    made = {.floats = {call.number("value_float", 0)}};
  } else if (call.has_attribute("value_ints")) {
    made = {.whole = true, .ints = call.wholes("value_ints")};
    made.dims = {made.count()};
  } else if (call.has_attribute("value_floats")) {
    made = {.floats = call.numbers("value_floats")};
    made.dims = {made.count()};
  } else {
    call.refuse("neither a tensor nor numbers");
  }
  // Weights may come this way; they are called like the value.
  call.give(constant_value(std::move(made), call.output_name(0)));
}

void fold_constant_of_shape(Call& call) {
  Constant made{.dims = call.constant_wholes(0)};
  const auto count = static_cast<std::size_t>(count_of(made.dims));
  call.budget().charge(static_cast<std::int64_t>(count) + 1);
  if (call.has_attribute("value")) {
    const Constant value = decode(call.tensor("value"));
    if (value.count() != 1) call.fail("its value should be one number");
    made.whole = value.whole;
    if (value.whole)
      made.ints.assign(count, value.ints[0]);
    else
      made.floats.assign(count, value.floats[0]);
  } else {
    made.floats.assign(count, 0.0f);
  }
  call.give(constant_value(std::move(made)));
}

void fold_range(Call& call) {
  for (int i = 0; i < 3; ++i)
    if (call.constant(i).count() != 1) call.fail("start, limit and step should be one number each");
  const bool whole = call.constant(0).whole;
  if (call.constant(1).whole != whole || call.constant(2).whole != whole) call.fail("mixes types");
  const auto number = [&](int i) {
    return whole ? static_cast<double>(call.constant(i).ints[0]) : double{call.constant(i).floats[0]};
  };
  const double step = number(2);
  if (step == 0) call.fail("a step of zero");
  const double steps = std::ceil((number(1) - number(0)) / step);
  if (!(steps < 1 << 28)) call.refuse("makes more than 2^28 numbers");
  const auto count = static_cast<std::int64_t>(std::max(steps, 0.0));
  call.budget().charge(count + 1);
  Constant made{.dims = {count}, .whole = whole};
  for (std::int64_t i = 0; i < count; ++i)
    if (whole)
      made.ints.push_back(
          wrapped(static_cast<std::uint64_t>(call.constant(0).ints[0]) +
                  static_cast<std::uint64_t>(i) * static_cast<std::uint64_t>(call.constant(2).ints[0])));
    else
      made.floats.push_back(static_cast<float>(number(0) + static_cast<double>(i) * step));
  call.give(constant_value(std::move(made)));
}

void fold_where(Call& call) {
  const Sizes dims = broadcast_dims(call, broadcast_dims(call, call.constant(0).dims, call.constant(1).dims),
                                    call.constant(2).dims);
  call.budget().charge(count_of(dims) + 1);
  const Constant condition = spread(call, call.constant(0), dims), yes = spread(call, call.constant(1), dims),
                 no = spread(call, call.constant(2), dims);
  if (!condition.whole || yes.whole != no.whole) call.fail("mixes types");
  Constant made = yes;
  for (std::size_t i = 0; i < condition.ints.size(); ++i) {
    if (condition.ints[i] != 0) continue;
    if (made.whole)
      made.ints[i] = no.ints[i];
    else
      made.floats[i] = no.floats[i];
  }
  call.give(constant_value(std::move(made)));
}

/// Over all of a list of integers: the number of elements from a shape.
void fold_reduce(Call& call) {
  const Constant& from = call.constant(0);
  if (!from.whole || from.dims.size() > 1) call.refuse("of other constants than a list of integers");
  call.budget().charge(from.count() + 1);
  std::uint64_t made = call.op() == "ReduceProd" ? 1 : 0;
  for (const std::int64_t x : from.ints) {
    const auto value = static_cast<std::uint64_t>(x);
    made = call.op() == "ReduceProd" ? made * value : made + value;
  }
  const Sizes dims = call.whole("keepdims", 1) != 0 ? Sizes{1} : Sizes{};
  call.give(constant_value({.dims = dims, .whole = true, .ints = {wrapped(made)}}));
}

}  // namespace

Operator find_fold(std::string_view op) {
  static const std::unordered_map<std::string_view, Operator> operators = {
      {"Abs", fold_unary},
      {"Add", fold_binary},
      {"And", fold_binary},
      {"Cast", fold_cast},
      {"Ceil", fold_unary},
      {"Constant", fold_constant},
      {"ConstantOfShape", fold_constant_of_shape},
      {"Div", fold_binary},
      {"Equal", fold_binary},
      {"Exp", fold_unary},
      {"Floor", fold_unary},
      {"Greater", fold_binary},
      {"GreaterOrEqual", fold_binary},
      {"Less", fold_binary},
      {"LessOrEqual", fold_binary},
      {"Log", fold_unary},
      {"Max", fold_binary},
      {"Min", fold_binary},
      {"Mod", fold_binary},
      {"Mul", fold_binary},
      {"Neg", fold_unary},
      {"Not", fold_unary},
      {"Or", fold_binary},
      {"Pow", fold_binary},
      {"Range", fold_range},
      {"Reciprocal", fold_unary},
      {"ReduceProd", fold_reduce},
      {"ReduceSum", fold_reduce},
      {"Round", fold_unary},
      {"Sqrt", fold_unary},
      {"Sub", fold_binary},
      {"Sum", fold_binary},
      {"Where", fold_where},
  };
  const auto found = operators.find(op);
  return found == operators.end() ? nullptr : found->second;
}

}  // namespace enxerto::onnx
