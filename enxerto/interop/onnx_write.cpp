#include "enxerto/interop/onnx_write.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/interop/onnx_preprocess.h"
#include "enxerto/interop/onnx_write_layers.h"
#include "enxerto/weights/checks.h"

namespace enxerto {
namespace onnx {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::string_view batch_name = "n";

// ---- The bytes. Protobuf would want all weights in one message and that message in one text; so the
// weights' fields are written here, and their bytes go into the file from where they lie.

void append(Bytes& bytes, const std::string& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

void append_varint(Bytes& bytes, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<std::uint8_t>(value | 0x80));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

/// The head of a field with a length.
void append_field(Bytes& bytes, int number, std::uint64_t length) {
  append_varint(bytes, static_cast<std::uint64_t>(number) << 3 | 2);
  append_varint(bytes, length);
}

/// A file as parts that follow one another; `own` is what does not lie in the graph.
struct File {
  std::vector<std::span<const std::uint8_t>> parts;
  std::vector<std::unique_ptr<Bytes>> own;

  void add(Bytes bytes) {
    own.push_back(std::make_unique<Bytes>(std::move(bytes)));
    parts.push_back(*own.back());
  }
  std::uint64_t size() const {
    std::uint64_t all = 0;
    for (const auto part : parts) all += part.size();
    return all;
  }
};

/// The graph's fields but for its initialisers, which stand between those before and those after.
struct Pieces {
  ModelProto before, after;
  GraphProto graph_before, graph_after;
};

Bytes initializer_head(const Initializer& initializer) {
  Bytes raw_head;
  append_field(raw_head, TensorProto::kRawDataFieldNumber, initializer.bytes.size());
  const std::string head = initializer.head.SerializeAsString();
  Bytes bytes;
  append_field(bytes, GraphProto::kInitializerFieldNumber,
               head.size() + raw_head.size() + initializer.bytes.size());
  append(bytes, head);
  bytes.insert(bytes.end(), raw_head.begin(), raw_head.end());
  return bytes;
}

File assemble(const Pieces& pieces, const std::vector<Initializer>& initializers) {
  File graph;
  Bytes bytes;
  append(bytes, pieces.graph_before.SerializeAsString());
  graph.add(std::move(bytes));
  for (const Initializer& initializer : initializers) {
    graph.add(initializer_head(initializer));
    graph.parts.push_back(initializer.bytes);
  }
  bytes = {};
  append(bytes, pieces.graph_after.SerializeAsString());
  graph.add(std::move(bytes));

  File file;
  bytes = {};
  append(bytes, pieces.before.SerializeAsString());
  append_field(bytes, ModelProto::kGraphFieldNumber, graph.size());
  file.add(std::move(bytes));
  file.parts.insert(file.parts.end(), graph.parts.begin(), graph.parts.end());
  std::ranges::move(graph.own, std::back_inserter(file.own));
  bytes = {};
  append(bytes, pieces.after.SerializeAsString());
  file.add(std::move(bytes));
  return file;
}

// ---- What surrounds the graph.

void check_text(const std::string& what, const std::string& text_) {
  if (!is_utf8(text_))
    throw Error(ErrorKind::usage, text("ONNX: ", what, " ", shown(text_), " is not UTF-8; rename it"));
}

void check(const Graph& graph, const OnnxExtras& extras) {
  if (graph.nodes().empty()) throw Error(ErrorKind::usage, "ONNX: the network has no nodes");
  for (const Node& node : graph.nodes()) check_text("the node's name", node.name);
  for (const std::string& name : extras.classes) check_text("the class's name", name);
  for (const auto& [key, value] : extras.metadata) {
    check_text("the metadata's key", key);
    check_text(text("the metadata's value of ", shown(key)), value);
  }
  const Shape in = graph.input_shape(), out = graph.output_shape();
  if (!extras.classes.empty() && static_cast<std::int64_t>(extras.classes.size()) != out.c)
    throw Error(ErrorKind::usage,
                text("ONNX: ", extras.classes.size(), " classes for a network of ", out.c, " outputs"));
  if (!extras.preprocess) return;
  extras.preprocess->check();
  if (extras.preprocess->shape() != in)
    throw Error(ErrorKind::usage,
                text("ONNX: the preprocessing makes pictures of ", format_shape(extras.preprocess->shape()),
                     ", the network takes ", format_shape(in)));
}

/// Python's dictionary of numbers and texts, as Ultralytics' tools and what reads their files expect it.
std::string as_python(const std::vector<std::string>& classes) {
  std::vector<std::string> entries;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    std::string quoted;
    for (const char letter : classes[i]) {
      if (letter == '\'' || letter == '\\') quoted += '\\';
      if (letter == '\n')
        quoted += "\\n";
      else if (letter == '\r')
        quoted += "\\r";
      else
        quoted += letter;
    }
    entries.push_back(text(i, ": '", quoted, "'"));
  }
  return text("{", join(entries, ", "), "}");
}

std::map<std::string, std::string> metadata_of(const OnnxExtras& extras) {
  std::map<std::string, std::string> made = extras.metadata;
  made.erase("enxerto.graph");  // a model file's; here the graph is the file's own
  if (extras.preprocess) {
    made[std::string(preprocess_key)] = extras.preprocess->to_json().dump();
    made["preprocess"] = format_preprocess(*extras.preprocess);
  }
  if (!extras.classes.empty()) {
    made[std::string(classes_key)] = nlohmann::json(extras.classes).dump();
    made["names"] = as_python(extras.classes);
  }
  return made;
}

ValueInfoProto value_info(const Written& value) {
  ValueInfoProto info;
  info.set_name(value.name);
  TypeProto::Tensor& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param(std::string(batch_name));
  Ints sizes{value.shape.c};
  if (value.rank == 4) sizes.insert(sizes.end(), {value.shape.h, value.shape.w});
  for (const std::int64_t size : sizes) type.mutable_shape()->add_dim()->set_dim_value(size);
  return info;
}

// ---- The graph.

/// What the network's answer is called.
std::string output_name(const Graph& graph, const OnnxExtras& extras) {
  const Node& last = graph.node(graph.last());
  if (std::holds_alternative<Softmax>(last.layer)) return "probabilities";
  return !extras.classes.empty() || std::holds_alternative<Linear>(last.layer) ? "logits" : last.name;
}

std::vector<NodeId> outputs_of(const Graph& graph) {
  std::vector<NodeId> ids{graph.last()};
  ids.insert(ids.end(), graph.side_outputs().begin(), graph.side_outputs().end());
  return ids;
}

/// Names that are spoken for: the preprocessing's are so in every file, so that both kinds differ in nothing
/// else.
std::vector<std::string> reserved_names() {
  return {std::string(pixels_name),  std::string(input_name),     "preprocess/order",
          "preprocess/to_bgr",       "preprocess/less_mean",      "preprocess/mean",
          "preprocess/scale",        "preprocess/scaled",         "preprocess/nothing",
          "preprocess/to_bgr/value", "preprocess/less_mean/value"};
}

File make_file(const Graph& graph, const OnnxExtras& extras, Emitter& emit) {
  const std::span<const Node> nodes = graph.nodes();
  const std::vector<NodeId> outputs = outputs_of(graph);
  std::vector<std::string> names(nodes.size());
  const auto name_of = [&](NodeId id) -> std::string& { return names[static_cast<std::size_t>(id.index)]; };
  name_of(outputs[0]) = emit.unique(output_name(graph, extras));
  for (std::size_t i = 1; i < outputs.size(); ++i)
    name_of(outputs[i]) = emit.unique(graph.node(outputs[i]).name);
  for (std::size_t i = 1; i < nodes.size(); ++i)
    if (names[i].empty()) names[i] = emit.unique(nodes[i].name);

  const bool inside = extras.preprocess && extras.preprocess_inside;
  Pieces pieces;
  PreprocessNodes preprocess;
  if (inside) preprocess = preprocess_nodes(*extras.preprocess);

  std::vector<Written> values(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const NodeId id{static_cast<int>(i)};
    const bool is_output = std::ranges::find(outputs, id) != outputs.end();
    Written made{std::string(input_name), nodes[i].out, 4};
    emit.begin(nodes[i], names[i]);
    if (i > 0) {
      std::vector<Written> in;
      for (const NodeId from : nodes[i].inputs) in.push_back(values[static_cast<std::size_t>(from.index)]);
      made = write_layer(emit, nodes[i], in);
    }
    values[i] = is_output ? emit.end_as_output(made) : emit.end(made);
  }

  pieces.before.set_ir_version(written_ir);
  pieces.before.set_producer_name(std::string(producer_name));
  pieces.before.set_producer_version(ENXERTO_VERSION);
  OperatorSetIdProto& opset = *pieces.after.add_opset_import();
  opset.set_domain("");
  opset.set_version(written_opset);
  for (const auto& [key, value] : metadata_of(extras)) {
    StringStringEntryProto& entry = *pieces.after.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  for (NodeProto& node : preprocess.nodes) *pieces.graph_before.add_node() = std::move(node);
  for (NodeProto& node : emit.nodes()) *pieces.graph_before.add_node() = std::move(node);
  pieces.graph_before.set_name("enxerto");
  Written input = {std::string(inside ? pixels_name : input_name), graph.input_shape(), 4};
  *pieces.graph_after.add_input() = value_info(input);
  for (const NodeId id : outputs)
    *pieces.graph_after.add_output() = value_info(values[static_cast<std::size_t>(id.index)]);
  // Small ones whole, in front, where protobuf writes them.
  for (TensorProto& tensor : preprocess.tensors) *pieces.graph_before.add_initializer() = std::move(tensor);
  return assemble(pieces, emit.initializers());
}

/// Calls use(file) while all that its parts point to lives.
template <class Use>
void with_file(const Graph& graph, const OnnxExtras& extras, const Use& use) {
  check(graph, extras);
  Emitter emit(graph, reserved_names());
  const File file = make_file(graph, extras, emit);
  check_file_size(file.size());
  use(file);
}

}  // namespace
}  // namespace onnx

void save_onnx(const std::filesystem::path& path, const Graph& graph, const OnnxExtras& extras) {
  onnx::with_file(graph, extras, [&](const onnx::File& file) { write_file(path, file.parts); });
}

std::vector<std::uint8_t> serialize_onnx(const Graph& graph, const OnnxExtras& extras) {
  std::vector<std::uint8_t> bytes;
  onnx::with_file(graph, extras, [&](const onnx::File& file) {
    bytes.reserve(file.size());
    for (const auto part : file.parts) bytes.insert(bytes.end(), part.begin(), part.end());
  });
  return bytes;
}

}  // namespace enxerto
