#include "enxerto/graph/graph.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

std::vector<std::int64_t> dims_of(const ParamSpec& spec) {
  const std::array<std::int64_t, 4> sizes = {spec.shape.n, spec.shape.c, spec.shape.h, spec.shape.w};
  return {sizes.begin(), sizes.begin() + spec.rank};
}

std::string format_dims(const std::vector<std::int64_t>& dims) {
  std::vector<std::string> parts;
  for (const std::int64_t size : dims) parts.push_back(text(size));
  return text("{", join(parts, ","), "}");
}

/// The value of a parameter that no initialisation chooses.
float resting_value(Role role) { return role == Role::scale || role == Role::running_variance ? 1.0f : 0.0f; }

/// FNV-1a: the same on every machine, unlike std::hash.
std::uint64_t hash_name(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325ull;
  for (const char letter : name) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001B3ull;
  return hash;
}

struct InitName {
  std::string_view name;
  Init::Kind kind;
  bool needs_value;
};
constexpr std::array<InitName, 7> init_names = {{{"constant", Init::Kind::constant, true},
                                                 {"uniform", Init::Kind::uniform, true},
                                                 {"gaussian", Init::Kind::gaussian, true},
                                                 {"xavier_uniform", Init::Kind::xavier_uniform, false},
                                                 {"xavier_normal", Init::Kind::xavier_normal, false},
                                                 {"he_uniform", Init::Kind::he_uniform, false},
                                                 {"he_normal", Init::Kind::he_normal, false}}};

[[noreturn]] void fail_init(std::string_view given, std::string_view why) {
  std::vector<std::string> names;
  for (const InitName& known : init_names) names.push_back(text(known.name, known.needs_value ? ":X" : ""));
  throw Error(ErrorKind::usage,
              text("initialisation \"", given, "\": ", why, "; there are ", join(names, ", "),
                   " (Xavier and He take a gain, as in he_normal:1, and He :fan_out)"));
}

void fill(Tensor& weight, const Init& init, Rng rng) {
  using Kind = Init::Kind;
  const Shape& shape = weight.shape();
  const auto fan_in = static_cast<double>(shape.c * shape.h * shape.w);
  const auto fan_out = static_cast<double>(shape.n * shape.h * shape.w);
  const double given = init.value;
  const bool xavier = init.kind == Kind::xavier_uniform || init.kind == Kind::xavier_normal;
  double deviation = given;
  if (xavier) deviation = (given == 0 ? 1.0 : given) * std::sqrt(2.0 / (fan_in + fan_out));
  if (init.kind == Kind::he_uniform || init.kind == Kind::he_normal)
    deviation = (given == 0 ? std::sqrt(2.0) : given) / std::sqrt(init.fan_out ? fan_out : fan_in);
  // A uniform variable on [-e, e] has the standard deviation e / sqrt(3).
  const auto bound = static_cast<float>(init.kind == Kind::uniform ? given : std::sqrt(3.0) * deviation);
  for (float& x : weight.data()) {
    switch (init.kind) {
      case Kind::constant:
        x = init.value;
        break;
      case Kind::uniform:
      case Kind::xavier_uniform:
      case Kind::he_uniform:
        x = rng.uniform(-bound, bound);
        break;
      case Kind::gaussian:
      case Kind::xavier_normal:
      case Kind::he_normal:
        x = static_cast<float>(deviation) * rng.normal();
        break;
    }
  }
}

/// Throws Error{not_found} where the prefix is that of no node with parameters: a spelling mistake.
void check_prefix(std::span<const Node> nodes, std::string_view prefix) {
  for (const Node& node : nodes)
    if (node.name.starts_with(prefix) && !node.params.empty()) return;
  throw Error(ErrorKind::not_found, text("no layer with parameters has a name that starts with \"", prefix,
                                         "\"; `enxerto summary` lists the names"));
}

}  // namespace

Init parse_init(std::string_view given) {
  const auto parts = split(given, ':');
  const auto known = std::ranges::find(init_names, parts[0], &InitName::name);
  if (known == init_names.end()) fail_init(given, "there is no such one");
  Init init{.kind = known->kind};
  const bool he = init.kind == Init::Kind::he_uniform || init.kind == Init::Kind::he_normal;
  bool has_value = false;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string& part = parts[i];
    if (he && part == "fan_out" && !init.fan_out) {
      init.fan_out = true;
      continue;
    }
    const char* end = part.data() + part.size();
    const auto [stopped, code] = std::from_chars(part.data(), end, init.value);
    if (has_value || code != std::errc() || stopped != end || !std::isfinite(init.value))
      fail_init(given, text("\"", part, "\" is not understood"));
    has_value = true;
  }
  if (known->needs_value && !has_value) fail_init(given, "a number is missing");
  if (init.kind != Init::Kind::constant && init.value < 0) fail_init(given, "the number is negative");
  return init;
}

Graph Graph::clone() const {
  Graph copy;
  copy.nodes_ = nodes_;
  copy.side_outputs_ = side_outputs_;
  for (const Param& param : params_)
    copy.params_.push_back({param.name, param.spec, param.value.clone(), param.frozen});
  return copy;
}

NodeId Graph::id_of(std::string_view name) const {
  const auto found = std::ranges::find(nodes_, name, &Node::name);
  if (found == nodes_.end())
    throw Error(ErrorKind::not_found,
                text("there is no layer \"", name, "\"; `enxerto summary` lists the names"));
  return {static_cast<int>(found - nodes_.begin())};
}

NodeId Graph::input(const Shape& image) {
  check_activation(Input::kind, {1, image.c, image.h, image.w});  // before they become ints
  return add("input", Input{static_cast<int>(image.c), static_cast<int>(image.h), static_cast<int>(image.w)},
             {});
}

NodeId Graph::add(std::string name, AnyLayer layer, std::vector<NodeId> inputs) {
  const std::string what = text("layer \"", name, "\"");
  if (name.empty()) throw Error(ErrorKind::usage, "a layer needs a name");
  if (std::holds_alternative<Input>(layer) != nodes_.empty())
    throw Error(ErrorKind::usage, text(what, ": a graph starts with its one input"));
  if (std::ranges::find(nodes_, name, &Node::name) != nodes_.end())
    throw Error(ErrorKind::usage, text(what, ": there is a layer of this name already"));
  std::vector<Shape> shapes;
  for (const NodeId id : inputs) {
    if (id.index < 0 || id.index > last().index)
      throw Error(ErrorKind::usage, text(what, ": its inputs have to stand before it"));
    shapes.push_back(node(id).out);
  }
  Node made{std::move(name), std::move(layer), std::move(inputs), {}, {}, false};
  std::vector<ParamSpec> specs;
  try {
    made.out = out_shape(made.layer, shapes);
    specs = param_specs(made.layer, shapes);
  } catch (const Error& error) {
    throw Error(error.kind(), text(what, ": ", error.what()));
  }
  for (ParamSpec& spec : specs) {
    Tensor value = Tensor::untouched(spec.shape);  // a network may be built only to be counted
    if (const float resting = resting_value(spec.role); resting != 0.0f)
      std::ranges::fill(value.data(), resting);
    made.params.push_back(static_cast<int>(params_.size()));
    params_.push_back({text(made.name, ".", spec.name), std::move(spec), std::move(value), false});
  }
  nodes_.push_back(std::move(made));
  return last();
}

void Graph::init(const Init& init, Rng rng) {
  for (Param& param : params_) {
    if (param.frozen) continue;
    if (param.spec.role == Role::weight)
      fill(param.value, init, rng.child(hash_name(param.name)));
    else
      std::ranges::fill(param.value.data(), resting_value(param.spec.role));
  }
}

void Graph::set_frozen(NodeId id, bool frozen) {
  Node& node = nodes_[static_cast<std::size_t>(id.index)];
  node.frozen = frozen;
  for (const int index : node.params) params_[static_cast<std::size_t>(index)].frozen = frozen;
}

void Graph::freeze(std::string_view prefix) {
  check_prefix(nodes_, prefix);
  for (int i = 0; i <= last().index; ++i)
    if (node({i}).name.starts_with(prefix)) set_frozen({i}, true);
}

void Graph::unfreeze(std::string_view prefix) {
  check_prefix(nodes_, prefix);
  for (int i = 0; i <= last().index; ++i)
    if (node({i}).name.starts_with(prefix)) set_frozen({i}, false);
}

void Graph::freeze_through(std::string_view name) {
  const NodeId through = id_of(name);
  for (int i = 0; i <= through.index; ++i) set_frozen({i}, true);
}

void Graph::cut_after(std::string_view name) {
  const auto last_kept = static_cast<std::size_t>(id_of(name).index);
  // What the new output does not need goes too: nodes stand after their inputs, so one walk back tells.
  std::vector<bool> needed(nodes_.size(), false);
  needed[0] = needed[last_kept] = true;
  for (std::size_t i = last_kept; i > 0; --i)
    if (needed[i])
      for (const NodeId id : nodes_[i].inputs) needed[static_cast<std::size_t>(id.index)] = true;
  std::vector<Node> nodes;
  std::vector<Param> params;
  std::vector<int> moved_to(nodes_.size(), -1);
  for (std::size_t i = 0; i <= last_kept; ++i) {
    if (!needed[i]) continue;
    Node& node = nodes_[i];
    for (NodeId& id : node.inputs) id.index = moved_to[static_cast<std::size_t>(id.index)];
    for (int& index : node.params) {
      params.push_back(std::move(params_[static_cast<std::size_t>(index)]));
      index = static_cast<int>(params.size()) - 1;
    }
    moved_to[i] = static_cast<int>(nodes.size());
    nodes.push_back(std::move(node));
  }
  nodes_ = std::move(nodes);
  params_ = std::move(params);
  side_outputs_.clear();
}

void Graph::set_side_outputs(std::vector<NodeId> ids) {
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (ids[i].index <= 0 || ids[i].index >= last().index ||
        std::find(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(i), ids[i]) !=
            ids.begin() + static_cast<std::ptrdiff_t>(i))
      throw Error(ErrorKind::usage, text("node ", ids[i].index,
                                         " cannot be a side output: it is the input, the last "
                                         "node, one already or none"));
  side_outputs_ = std::move(ids);
}

const Param* Graph::find_param(std::string_view name) const {
  const auto found = std::ranges::find(params_, name, &Param::name);
  return found == params_.end() ? nullptr : &*found;
}

Shape Graph::input_shape() const {
  ensure(!nodes_.empty(), "the graph has an input");
  return nodes_.front().out;
}

Shape Graph::output_shape() const {
  ensure(!nodes_.empty(), "the graph has an output");
  return nodes_.back().out;
}

NamedTensors Graph::state() const {
  NamedTensors state;
  for (const Param& param : params_) state.push_back({param.name, dims_of(param.spec), param.value.clone()});
  return state;
}

void Graph::load_state(const NamedTensors& state, std::string_view where) {
  std::unordered_map<std::string_view, const NamedTensor*> given;
  for (const NamedTensor& tensor : state) given.emplace(tensor.name, &tensor);
  std::unordered_set<std::string_view> known;
  std::vector<std::string> problems;
  for (const Param& param : params_) {
    known.insert(param.name);
    const auto found = given.find(param.name);
    if (found == given.end())
      problems.push_back(text(param.name, " is missing"));
    else if (const auto dims = dims_of(param.spec); found->second->dims != dims)
      problems.push_back(
          text(param.name, " is ", format_dims(found->second->dims), " and should be ", format_dims(dims)));
  }
  for (const NamedTensor& tensor : state)
    if (!known.contains(tensor.name)) problems.push_back(text(tensor.name, " belongs to no layer"));
  if (!problems.empty())
    throw Error(ErrorKind::corrupt,
                text(where, ": the weights are not those of this network: ", join(problems, "; ")));
  for (Param& param : params_) {
    const auto values = given.at(param.name)->value.data();
    ensure(values.size() == param.value.data().size(), "a named tensor is as large as its sizes say");
    std::ranges::copy(values, param.value.data().begin());
  }
}

}  // namespace enxerto
