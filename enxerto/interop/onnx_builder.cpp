#include "enxerto/interop/onnx_builder.h"

#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto::onnx {
namespace {

constexpr std::size_t nodes_limit = 20'000;

}  // namespace

Shape picture_shape(const Sizes& dims) {
  Sizes rest = dims;
  if (!rest.empty() && rest[0] == 1) rest.erase(rest.begin());
  Shape shape;
  if (!rest.empty()) shape.c = rest[0];
  if (rest.size() > 1) shape.w = rest.back();
  for (std::size_t i = 1; i + 1 < rest.size(); ++i) shape.h *= rest[i];
  return shape;
}

Builder::Builder(const Shape& image, Budget& budget) : budget_(budget) {
  check_activation("input", image);
  const Input input{static_cast<int>(image.c), static_cast<int>(image.h), static_cast<int>(image.w)};
  drafts_.push_back({"input", input, {}, {}, image});
  arrangements_.emplace_back();
}

int Builder::add(const std::string& name, AnyLayer layer, std::vector<int> inputs,
                 std::vector<Numbers> params, bool frozen) {
  if (drafts_.size() == nodes_limit)
    throw Error(ErrorKind::unsupported, text("the network needs more than ", nodes_limit, " nodes"));
  std::vector<Shape> shapes;
  for (const int input : inputs) shapes.push_back(draft(input).out);
  Draft made{name, std::move(layer), std::move(inputs), {}, {}, frozen};
  made.out = out_shape(made.layer, shapes);
  count_of({made.out.c, made.out.h, made.out.w});
  drafts_.push_back(std::move(made));
  arrangements_.emplace_back();
  const auto id = static_cast<int>(drafts_.size()) - 1;
  for (Numbers& numbers : params) add_param(id, std::move(numbers));
  return id;
}

void Builder::add_param(int node, Numbers numbers) {
  Draft& to = draft(node);
  std::vector<Shape> shapes;
  for (const int input : to.inputs) shapes.push_back(draft(input).out);
  const std::vector<ParamSpec> specs = param_specs(to.layer, shapes);
  ensure(to.params.size() < specs.size(), "a layer gets no more parameters than it has");
  const ParamSpec& spec = specs[to.params.size()];
  if (spec.shape.size() != static_cast<std::int64_t>(numbers->size()))
    throw Error(ErrorKind::corrupt,
                text("its ", spec.name, " has ", numbers->size(), " numbers and should have ",
                     spec.shape.size(), " (", format_shape(spec.shape), ")"));
  budget_.charge(spec.shape.size());
  to.params.push_back(std::move(numbers));
}

int Builder::arrange(int node, const Strided& view, const Shape& target, const std::string& name) {
  const Shape from = draft(node).out;
  const bool in_order = is_plain(view, from.size());
  if (in_order && from == target) return node;
  std::vector<Digit> digits = digits_of(view);
  auto& known = arrangements_[static_cast<std::size_t>(node)];
  for (const Arrangement& one : known)
    if (one.digits == digits && one.offset == view.offset && one.target == target) return one.made;
  int made = -1;
  if (in_order && target == Shape{.c = from.size()}) {
    made = add(name + "/flatten", Flatten{}, {node});
  } else {
    Rearrange layer{.c = static_cast<int>(target.c),
                    .h = static_cast<int>(target.h),
                    .w = static_cast<int>(target.w),
                    .sizes = {},
                    .strides = {},
                    .offset = static_cast<int>(view.offset)};
    for (const Digit& digit : digits) {
      layer.sizes.push_back(static_cast<int>(digit.size));
      layer.strides.push_back(static_cast<int>(digit.stride));
    }
    if (digits.empty()) {
      layer.sizes = {1};
      layer.strides = {0};
    }
    made = add(name + "/rearrange", std::move(layer), {node});
  }
  arrangements_[static_cast<std::size_t>(node)].push_back(
      {node, std::move(digits), view.offset, target, made});
  return made;
}

int Builder::copy(int node, const std::string& name) {
  const Shape from = draft(node).out;
  return add(name,
             Rearrange{.c = static_cast<int>(from.c),
                       .h = static_cast<int>(from.h),
                       .w = static_cast<int>(from.w),
                       .sizes = {static_cast<int>(from.size())},
                       .strides = {1}},
             {node});
}

std::vector<bool> Builder::needed_by(std::span<const int> nodes) const {
  std::vector<bool> needed(drafts_.size(), false);
  for (const int node : nodes) needed[static_cast<std::size_t>(node)] = true;
  for (std::size_t i = drafts_.size(); i-- > 0;)
    if (needed[i])
      for (const int input : drafts_[i].inputs) needed[static_cast<std::size_t>(input)] = true;
  return needed;
}

void Builder::emit(Graph& graph, int node, std::vector<NodeId>& made, NameGiver& names) {
  Draft& from = draft(node);
  std::vector<NodeId> inputs;
  for (const int input : from.inputs) inputs.push_back(made[static_cast<std::size_t>(input)]);
  const NodeId id = graph.add(names.give(from.name), std::move(from.layer), std::move(inputs));
  const std::vector<int>& params = graph.node(id).params;
  ensure(params.size() == from.params.size(), "a layer gets all of its parameters");
  for (std::size_t i = 0; i < params.size(); ++i) {
    std::ranges::copy(*from.params[i],
                      graph.params()[static_cast<std::size_t>(params[i])].value.data().begin());
    from.params[i].reset();
  }
  if (from.frozen) graph.set_frozen(id, true);
  made[static_cast<std::size_t>(node)] = id;
}

Graph Builder::finish(std::span<const int> outputs) {
  const std::vector<bool> needed = needed_by(outputs);
  Graph graph;
  NameGiver names;
  std::vector<NodeId> made(drafts_.size());
  made[0] = graph.input(drafts_[0].out);
  for (int node = 1; node < static_cast<int>(drafts_.size()); ++node)
    if (needed[static_cast<std::size_t>(node)] && node != outputs[0]) emit(graph, node, made, names);
  if (outputs[0] != 0) emit(graph, outputs[0], made, names);
  std::vector<NodeId> sides;
  for (const int node : outputs.subspan(1)) sides.push_back(made[static_cast<std::size_t>(node)]);
  if (!sides.empty()) graph.set_side_outputs(sides);
  return graph;
}

}  // namespace enxerto::onnx
