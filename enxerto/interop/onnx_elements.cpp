// Operators that work on each element by itself, or on each pair.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/interop/onnx_import.h"

namespace enxerto::onnx {
namespace {

/// A constant with f of each number.
Value mapped(const Call& call, const Value& value, const std::function<float(float)>& f) {
  call.budget().charge(value.constant->count());
  Constant made{.dims = value.constant->dims, .floats = value.constant->as_floats()};
  for (float& x : made.floats) x = f(x);
  return constant_value(std::move(made), value.origin);
}

int activated(const Call& call, int node, Activation function, float alpha = 0.01f) {
  return call.builder().add(call.name(), Activate{function, alpha}, {node});
}

void give_activated(const Call& call, const Value& x, Activation function, float alpha = 0.01f) {
  const Value from = for_elements(call, x);
  call.give({.node = activated(call, from.node, function, alpha), .view = from.view});
}

template <Activation function>
void elements_activation(Call& call) {
  give_activated(call, call.traced(0), function);
}

void elements_leaky_relu(Call& call) {
  give_activated(call, call.traced(0), Activation::leaky_relu, call.number("alpha", 0.01f));
}

void elements_prelu(Call& call) {
  const std::vector<float> slopes = call.constant_floats(1);
  if (slopes.empty() || std::ranges::any_of(slopes, [&](float slope) { return slope != slopes[0]; }))
    call.refuse("slopes that differ from channel to channel");
  give_activated(call, call.traced(0), Activation::leaky_relu, slopes[0]);
}

/// clamp(alpha * x + beta, 0, 1) by ours, clamp(t / 6 + 1 / 2, 0, 1).
void elements_hard_sigmoid(Call& call) {
  const float alpha = call.number("alpha", 0.2f), beta = call.number("beta", 0.5f);
  Value from = for_elements(call, call.traced(0));
  if (std::fabs(alpha * 6 - 1) > 1e-6f || beta != 0.5f)
    from.node = scaled(call, from.node, 6 * alpha, 6 * (beta - 0.5f), "/scale");
  call.give({.node = activated(call, from.node, Activation::hard_sigmoid), .view = from.view});
}

void elements_neg(Call& call) {
  const Value from = for_elements(call, call.traced(0));
  call.give({.node = scaled(call, from.node, -1, 0, ""), .view = from.view});
}

/// A bound of Clip: an attribute before version 11, an input since. Absent, or where no values are: infinite.
float bound(const Call& call, std::string_view name, int i, float infinity) {
  float made = infinity;
  if (call.opset() < 11) {
    made = call.number(name, infinity);
  } else if (call.has(i)) {
    const std::vector<float> given = call.constant_floats(i);
    if (given.size() != 1) call.fail(text("its ", name, " should be one number"));
    made = given[0];
  }
  if (std::isnan(made)) call.fail(text("its ", name, " is not a number"));
  // No network's values reach so far, and 6 / bound would be too small a float to be exact.
  constexpr float far = 1e18f;
  return std::fabs(made) >= far ? std::copysign(std::numeric_limits<float>::infinity(), made) : made;
}

/// min(relu(x * sign), high), as exact as x whatever the bound.
int bounded_half(const Call& call, int node, float sign, float high, const std::string& suffix) {
  const float scale = std::isinf(high) ? 1 : 6 / high;
  if (sign * scale != 1) node = scaled(call, node, sign * scale, 0, suffix + "/scale");
  node = activated(call, node, std::isinf(high) ? Activation::relu : Activation::relu6);
  const float back = sign / scale;
  return back == 1 ? node : scaled(call, node, back, 0, suffix + "/back");
}

void elements_clip(Call& call) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const float low = bound(call, "min", 1, -infinity), high = bound(call, "max", 2, infinity);
  const Value& x = call.traced(0);
  if (low == -infinity && high == infinity) return call.give(x);
  if (low == 0 && high == infinity) return give_activated(call, x, Activation::relu);
  if (low == 0 && high == 6) return give_activated(call, x, Activation::relu6);
  if (!(low < high) || low == infinity || high == -infinity) call.refuse("bounds that leave nothing between");
  // The others by relu and relu6, on a scale of their own.
  const Value from = for_elements(call, x);
  int node = from.node;
  // Wide bounds on both sides of zero, such as float16's: to shift by one of them and back would cost small
  // values all their digits, so each side of zero goes by itself.
  constexpr float narrow = 16;
  const float shift = low == -infinity ? high : high == infinity ? -low : std::max(-low, high);
  if (low < 0 && high > 0 && shift > narrow) {
    const int above = bounded_half(call, node, 1, high, "/above"),
              below = bounded_half(call, node, -1, -low, "/below");
    return call.give({.node = call.builder().add(call.name(), Add{}, {above, below}), .view = from.view});
  }
  if (low == -infinity)  // high - relu(high - x)
    node = scaled(call, activated(call, scaled(call, node, -1, high, "/scale"), Activation::relu), -1, high,
                  "/back");
  else if (high == infinity)  // low + relu(x - low)
    node = scaled(call, activated(call, scaled(call, node, 1, -low, "/scale"), Activation::relu), 1, low,
                  "/back");
  else
    node = scaled(call,
                  activated(call, scaled(call, node, 6 / (high - low), -low * 6 / (high - low), "/scale"),
                            Activation::relu6),
                  (high - low) / 6, low, "/back");
  call.give({.node = node, .view = from.view});
}

// ---- Activations that older files write out.

/// x, where the node is relu6(x + 3).
std::optional<int> source_of_shifted(Builder& builder, int node) {
  const auto* relu6 = std::get_if<Activate>(&builder.draft(node).layer);
  if (relu6 == nullptr || relu6->function != Activation::relu6) return std::nullopt;
  const Draft& shift = builder.draft(builder.draft(node).inputs[0]);
  const auto all = [&](const Numbers& numbers, float value) {
    return std::ranges::all_of(*numbers, [&](float x) { return x == value; });
  };
  if (!std::holds_alternative<Affine>(shift.layer) || !all(shift.params[0], 1) || !all(shift.params[1], 3))
    return std::nullopt;
  return shift.inputs[0];
}

/// relu6(x + 3) / 6 is hard_sigmoid(x), and x * relu6(x + 3) / 6 is hard_swish(x).
bool gives_hard_activation(const Call& call, const Value& x, const Value& factor, bool divides) {
  if (factor.constant->count() != 1 || factor.constant->dims.size() > x.view.axes.size()) return false;
  const float given = factor.constant->as_floats()[0];
  if (std::fabs(divides ? given / 6 - 1 : given * 6 - 1) > 1e-5f) return false;
  Builder& builder = call.builder();
  if (!covers(x.view, builder.size(x.node))) return false;
  if (const auto source = source_of_shifted(builder, x.node)) {
    call.give({.node = activated(call, *source, Activation::hard_sigmoid), .view = x.view});
    return true;
  }
  if (!std::holds_alternative<Multiply>(builder.draft(x.node).layer)) return false;
  const int a = builder.draft(x.node).inputs[0], b = builder.draft(x.node).inputs[1];
  if (source_of_shifted(builder, b) != a && source_of_shifted(builder, a) != b) return false;
  const int source = source_of_shifted(builder, b) == a ? a : b;
  call.give({.node = activated(call, source, Activation::hard_swish), .view = x.view});
  return true;
}

/// x * sigmoid(x) and x * hard_sigmoid(x); -1 where the two nodes are no such pair.
int self_gated(const Call& call, int a, int b) {
  for (const auto& [x, gate] : {std::pair(a, b), std::pair(b, a)}) {
    const Draft& draft = call.builder().draft(gate);
    const auto* layer = std::get_if<Activate>(&draft.layer);
    if (layer == nullptr || draft.inputs[0] != x) continue;
    if (layer->function == Activation::sigmoid) return activated(call, x, Activation::silu);
    if (layer->function == Activation::hard_sigmoid) return activated(call, x, Activation::hard_swish);
  }
  return -1;
}

// ---- Pairs.

/// Two nodes of one shape, and how what is made of them is to be seen.
struct Together {
  int a, b;
  Strided view;
};

Together together(const Call& call, const Value& x, const Value& y) {
  const Sizes dims = broadcast_dims(call, x.dims(), y.dims());
  const Value a = x.dims() == dims ? x : broadcast(call, x, dims);
  const Value b = y.dims() == dims ? y : broadcast(call, y, dims);
  Builder& builder = call.builder();
  if (a.view == b.view && builder.draft(a.node).out == builder.draft(b.node).out &&
      covers(a.view, builder.size(a.node)))
    return {a.node, b.node, a.view};
  const Shape shape = picture_shape(dims);
  return {arranged(call, a, shape), arranged(call, b, shape), plain(dims)};
}

Value sum_of(const Call& call, const Value& x, const Value& y) {
  const Together both = together(call, x, y);
  return {.node = call.builder().add(call.name(), Add{}, {both.a, both.b}), .view = both.view};
}

/// Whether y has one number for each channel of x and nothing else (squeeze-and-excitation).
bool is_gate(const Sizes& x, const Sizes& y) {
  if (x.size() < 2 || y.size() != x.size() || x[0] != 1 || y[0] != 1 || y[1] != x[1]) return false;
  return std::all_of(y.begin() + 2, y.end(), [](std::int64_t size) { return size == 1; });
}

Value product_of(const Call& call, const Value& x, const Value& y) {
  const Sizes a = x.dims(), b = y.dims();
  if (a != b && is_gate(b, a)) return product_of(call, y, x);
  if (a != b && is_gate(a, b)) {
    const int gate = arranged(call, y, {.c = b[1]});
    const int from = arranged(call, x, picture_shape(a));
    return {.node = call.builder().add(call.name(), Multiply{}, {from, gate}), .view = plain(a)};
  }
  const Together both = together(call, x, y);
  int node = self_gated(call, both.a, both.b);
  if (node < 0) node = call.builder().add(call.name(), Multiply{}, {both.a, both.b});
  return {.node = node, .view = both.view};
}

/// Before version 7 a second operand said where along the first one's axes it lies.
Value second_operand(const Call& call) {
  const Value& y = call.in(1);
  if (call.opset() >= 7 || call.whole("broadcast", 0) == 0 || !call.has_attribute("axis")) return y;
  const Sizes dims = call.in(0).dims();
  Sizes wide = y.dims();
  const std::size_t axis = axis_of(call, call.whole("axis", 0), dims.size());
  if (axis + wide.size() > dims.size()) call.fail("its second input has too many axes");
  wide.resize(dims.size() - axis, 1);
  return reshaped(call, y, wide);
}

/// A shift of a convolution or a product that has none is its bias, where nobody else reads it.
bool becomes_bias(const Call& call, const Value& x, const Value& shift) {
  Draft& draft = call.builder().draft(x.node);
  auto* conv = std::get_if<Conv2d>(&draft.layer);
  auto* linear = std::get_if<Linear>(&draft.layer);
  if ((conv == nullptr || conv->bias) && (linear == nullptr || linear->bias)) return false;
  if (!call.is_only_reader_of(draft.output) || x.dims() != broadcast_dims(call, x.dims(), shift.dims()))
    return false;
  // Its sizes are ones but for that of the channels.
  const Sizes dims = x.dims();
  Sizes own = shift.dims();
  own.insert(own.begin(), dims.size() - own.size(), 1);
  const std::vector<Digit> channels =
      draft.out.c == 1 ? std::vector<Digit>() : std::vector<Digit>{{draft.out.c, draft.out.h * draft.out.w}};
  for (std::size_t i = 0; i < dims.size(); ++i)
    if (own[i] != 1 && x.view.axes[i] != channels) return false;
  if (!covers(x.view, draft.out.size())) return false;
  call.budget().charge(draft.out.c);
  std::vector<float> numbers = shift.constant->as_floats();
  if (numbers.size() == 1) numbers.assign(static_cast<std::size_t>(draft.out.c), numbers[0]);
  if (static_cast<std::int64_t>(numbers.size()) != draft.out.c) return false;
  (conv != nullptr ? conv->bias : linear->bias) = true;
  call.builder().add_param(x.node, std::make_shared<const std::vector<float>>(std::move(numbers)));
  draft.output = call.output_name(0);
  return true;
}

Value shifted(const Call& call, const Value& x, const Value& shift) {
  return becomes_bias(call, x, shift) ? x : affine(call, x, nullptr, &shift);
}

void elements_add(Call& call) {
  Value sum = call.in(0);
  for (int i = 1; i < call.inputs(); ++i) {
    const Value next = i == 1 ? second_operand(call) : call.in(i);
    if (sum.is_traced() && next.is_traced())
      sum = sum_of(call, sum, next);
    else if (sum.is_traced() || next.is_traced())
      sum = sum.is_traced() ? shifted(call, sum, next) : shifted(call, next, sum);
    else
      call.refuse("more than one constant");
  }
  call.give(std::move(sum));
}

void elements_sub(Call& call) {
  const Value x = call.in(0), y = second_operand(call);
  const auto negative = [](float value) { return -value; };
  if (!y.is_traced()) return call.give(shifted(call, x, mapped(call, y, negative)));
  const Value from = for_elements(call, y);
  const Value minus{.node = scaled(call, from.node, -1, 0, "/negative"), .view = from.view};
  call.give(x.is_traced() ? sum_of(call, x, minus) : affine(call, minus, nullptr, &x));
}

void elements_mul(Call& call) {
  const Value x = call.in(0), y = second_operand(call);
  if (x.is_traced() && y.is_traced()) return call.give(product_of(call, x, y));
  const Value& traced = x.is_traced() ? x : y;
  const Value& constant = x.is_traced() ? y : x;
  if (gives_hard_activation(call, traced, constant, false)) return;
  call.give(affine(call, traced, &constant, nullptr));
}

void elements_div(Call& call) {
  const Value x = call.in(0), y = second_operand(call);
  if (y.is_traced()) call.refuse("divides by what depends on the picture");
  if (gives_hard_activation(call, x, y, true)) return;
  for (const float number : y.constant->as_floats())
    if (number == 0) call.refuse("divides by zero");
  const Value factor = mapped(call, y, [](float value) { return 1 / value; });
  call.give(affine(call, x, &factor, nullptr));
}

void elements_swish(Call& call) {
  if (call.number("alpha", 1) != 1) call.refuse("alpha other than 1");
  give_activated(call, call.traced(0), Activation::silu);
}

}  // namespace

Operator find_elements(std::string_view op) {
  static const std::unordered_map<std::string_view, Operator> operators = {
      {"Add", elements_add},
      {"Clip", elements_clip},
      {"Div", elements_div},
      {"Exp", elements_activation<Activation::exp>},
      {"HardSigmoid", elements_hard_sigmoid},
      {"HardSwish", elements_activation<Activation::hard_swish>},
      {"LeakyRelu", elements_leaky_relu},
      {"Mul", elements_mul},
      {"Neg", elements_neg},
      {"PRelu", elements_prelu},
      {"Relu", elements_activation<Activation::relu>},
      {"Sigmoid", elements_activation<Activation::sigmoid>},
      {"Sub", elements_sub},
      {"Sum", elements_add},
      {"Swish", elements_swish},
      {"Tanh", elements_activation<Activation::tanh>},
  };
  const auto found = operators.find(op);
  return found == operators.end() ? nullptr : found->second;
}

}  // namespace enxerto::onnx
