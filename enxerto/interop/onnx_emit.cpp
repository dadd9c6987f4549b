#include "enxerto/interop/onnx_emit.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian, and so are we");

std::string claim(std::unordered_set<std::string>& taken, const std::string& wanted) {
  std::string name = wanted;
  for (int next = 2; !taken.insert(name).second; ++next) name = text(wanted, "_", next);
  return name;
}

/// "BatchNormalization" as names have it: "batch_normalization"; "LRN", "lrn".
std::string lower_case(std::string_view op) {
  std::string out;
  bool after_small = false;
  for (const char letter : op) {
    const bool large = letter >= 'A' && letter <= 'Z';
    if (large && after_small) out += '_';
    out += large ? static_cast<char>(letter - 'A' + 'a') : letter;
    after_small = !large;
  }
  return out;
}

/// The sizes that files give a parameter.
Ints dims_of(const ParamSpec& spec) {
  const Shape& shape = spec.shape;
  Ints dims{shape.n, shape.c, shape.h, shape.w};
  dims.resize(static_cast<std::size_t>(spec.rank));
  return dims;
}

AttributeProto& add_attribute(NodeProto& node, const char* name, AttributeProto::AttributeType type) {
  AttributeProto& made = *node.add_attribute();
  made.set_name(name);
  made.set_type(type);
  return made;
}

}  // namespace

TensorProto tensor_head(const std::string& name, const Ints& dims, TensorProto::DataType type) {
  TensorProto head;
  for (const std::int64_t size : dims) head.add_dims(size);
  head.set_data_type(type);
  head.set_name(name);
  return head;
}

NodeProto make_node(std::string_view op, const std::string& name, const std::vector<std::string>& inputs,
                    const std::string& output) {
  NodeProto node;
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  node.set_name(name);
  node.set_op_type(std::string(op));
  return node;
}

void set_int(NodeProto& node, const char* name, std::int64_t value) {
  add_attribute(node, name, AttributeProto::INT).set_i(value);
}

void set_ints(NodeProto& node, const char* name, const Ints& values) {
  AttributeProto& made = add_attribute(node, name, AttributeProto::INTS);
  for (const std::int64_t value : values) made.add_ints(value);
}

void set_float(NodeProto& node, const char* name, float value) {
  add_attribute(node, name, AttributeProto::FLOAT).set_f(value);
}

void check_file_size(std::uint64_t bytes) {
  if (bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max()))
    throw Error(
        ErrorKind::unsupported,
        text("ONNX: the file would have ", human_bytes(static_cast<double>(bytes)),
             "; its format, protobuf, ends at 2 GiB. Save the network as .safetensors, or make it smaller"));
}

Emitter::Emitter(const Graph& graph, const std::vector<std::string>& reserved) : graph_(graph) {
  for (const std::string& name : reserved) {
    values_.insert(name);
    node_names_.insert(name);
  }
  for (const Param& param : graph.params()) values_.insert(param.name);
  for (const Node& node : graph.nodes()) node_names_.insert(node.name);
}

std::string Emitter::unique(std::string wanted) { return claim(values_, wanted); }

void Emitter::begin(const Node& node, const std::string& value) {
  node_ = &node;
  value_ = value;
  first_ = nodes_.size();
  has_main_ = false;
}

Written Emitter::end(Written made) {
  if (nodes_.size() == first_ || nodes_.back().output(0) != made.name) return made;
  nodes_.back().set_output(0, value_);
  if (!has_main_) main();
  made.name = value_;
  return made;
}

Written Emitter::end_as_output(Written made) {
  if (made.rank == 4 && made.shape.h * made.shape.w == 1) made = as_rank(made, 2);
  if (nodes_.size() == first_ || nodes_.back().output(0) != made.name)
    made = add("Identity", {made.name}, made.shape, made.rank);
  return end(made);
}

Written Emitter::add(std::string_view op, const std::vector<std::string>& inputs, const Shape& shape,
                     int rank) {
  const std::string name = text(node_->name, "/", lower_case(op));
  nodes_.push_back(make_node(op, claim(node_names_, name), inputs, unique(name)));
  return {nodes_.back().output(0), shape, rank};
}

Emitter& Emitter::main() {
  has_main_ = true;
  nodes_.back().set_name(node_->name);
  return *this;
}

Emitter& Emitter::with_int(const char* name, std::int64_t value) {
  set_int(nodes_.back(), name, value);
  return *this;
}

Emitter& Emitter::with_ints(const char* name, const Ints& values) {
  set_ints(nodes_.back(), name, values);
  return *this;
}

Emitter& Emitter::with_float(const char* name, float value) {
  set_float(nodes_.back(), name, value);
  return *this;
}

void Emitter::initializer(TensorProto head, std::span<const std::uint8_t> bytes) {
  initializers_.push_back({std::move(head), bytes});
}

std::string Emitter::param(std::size_t index) {
  return param(index, dims_of(graph_.params()[static_cast<std::size_t>(node_->params.at(index))].spec));
}

std::string Emitter::param(std::size_t index, const Ints& dims) {
  const Param& param = graph_.params()[static_cast<std::size_t>(node_->params.at(index))];
  const std::span<const float> values = param.value.data();
  initializer(tensor_head(param.name, dims, TensorProto::FLOAT),
              {reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()});
  return param.name;
}

std::string Emitter::constant(const char* name, const Ints& dims, const std::vector<float>& values) {
  const std::string made = unique(text(node_->name, "/", name));
  const auto* from = reinterpret_cast<const std::uint8_t*>(values.data());
  owned_.emplace_back(from, from + values.size() * sizeof(float));
  initializer(tensor_head(made, dims, TensorProto::FLOAT), owned_.back());
  return made;
}

std::string Emitter::constant(const char* name, const Ints& values) {
  const std::string made = unique(text(node_->name, "/", name));
  const auto* from = reinterpret_cast<const std::uint8_t*>(values.data());
  owned_.emplace_back(from, from + values.size() * sizeof(std::int64_t));
  initializer(tensor_head(made, {static_cast<std::int64_t>(values.size())}, TensorProto::INT64),
              owned_.back());
  return made;
}

std::string Emitter::scalar(float value) {
  const auto found = scalars_.find(value);
  if (found != scalars_.end()) return found->second;
  const std::string made = unique(text("constant/", value));
  const auto* from = reinterpret_cast<const std::uint8_t*>(&value);
  owned_.emplace_back(from, from + sizeof(float));
  initializer(tensor_head(made, {}, TensorProto::FLOAT), owned_.back());
  return scalars_.emplace(value, made).first->second;
}

Written Emitter::as_rank(const Written& value, int rank) {
  if (value.rank == rank) return value;
  ensure(value.shape.h * value.shape.w == 1, "only one pixel can do without its height and width");
  if (rank == 4) return add("Unsqueeze", {value.name, constant("axes", {2, 3})}, value.shape, 4);
  const Written made = add("Flatten", {value.name}, value.shape, 2);
  with_int("axis", 1);
  return made;
}

}  // namespace enxerto::onnx
