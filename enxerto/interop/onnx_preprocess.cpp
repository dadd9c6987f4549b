#include "enxerto/interop/onnx_preprocess.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/interop/onnx_emit.h"

namespace enxerto::onnx {
namespace {

constexpr std::size_t json_limit = 1 << 16;

TensorProto whole_tensor(const std::string& name, const Ints& dims, TensorProto::DataType type,
                         const void* from, std::size_t bytes) {
  TensorProto tensor = tensor_head(name, dims, type);
  tensor.set_raw_data(from, bytes);
  return tensor;
}

/// The Preprocess of the metadata, or null where it has none.
StringStringEntryProto* find_entry(ModelProto& model) {
  for (StringStringEntryProto& entry : *model.mutable_metadata_props())
    if (entry.key() == preprocess_key) return &entry;
  return nullptr;
}

Preprocess parse_entry(const std::string& value, const std::string& file) {
  const std::string what = text(file, ": metadata \"", preprocess_key, "\": ");
  if (value.size() > json_limit) throw Error(ErrorKind::corrupt, what + "is too long");
  // The depth is bounded by the length, and the parser does not recurse.
  const auto json = nlohmann::json::parse(value, nullptr, false);
  if (json.is_discarded()) throw Error(ErrorKind::corrupt, what + "is not JSON");
  try {
    return Preprocess::from_json(json);
  } catch (const Error& error) {
    throw Error(error.kind(), what + error.what());
  }
}

template <class Message>
bool are_equal(const Message& a, const Message& b) {
  return a.ByteSizeLong() == b.ByteSizeLong() && a.SerializeAsString() == b.SerializeAsString();
}

/// The one input that is no initialiser; null where there are several.
ValueInfoProto* only_input(GraphProto& graph) {
  std::unordered_set<std::string> initializers;
  for (const TensorProto& tensor : graph.initializer()) initializers.insert(tensor.name());
  ValueInfoProto* found = nullptr;
  for (ValueInfoProto& input : *graph.mutable_input()) {
    if (initializers.contains(input.name())) continue;
    if (found != nullptr) return nullptr;
    found = &input;
  }
  return found;
}

/// Whether the graph opens with exactly these, nobody else reads the pixels, and they give no output away.
bool opens_with(const GraphProto& graph, const PreprocessNodes& expected) {
  const auto count = static_cast<int>(expected.nodes.size());
  if (graph.node_size() < count) return false;
  for (int i = 0; i < count; ++i)
    if (!are_equal(graph.node(i), expected.nodes[static_cast<std::size_t>(i)])) return false;
  for (const TensorProto& tensor : expected.tensors) {
    const auto same = [&](const TensorProto& other) {
      return other.name() == tensor.name() && are_equal(other, tensor);
    };
    if (std::ranges::none_of(graph.initializer(), same)) return false;
  }
  std::unordered_set<std::string> inner{std::string(pixels_name)};
  for (const NodeProto& node : expected.nodes) inner.insert(node.output(0));
  for (const ValueInfoProto& output : graph.output())
    if (inner.contains(output.name())) return false;
  inner.erase(std::string(input_name));
  for (int i = count; i < graph.node_size(); ++i)
    for (const std::string& input : graph.node(i).input())
      if (inner.contains(input)) return false;
  return true;
}

}  // namespace

PreprocessNodes preprocess_nodes(const Preprocess& preprocess) {
  PreprocessNodes made;
  std::string value(pixels_name);
  const auto add = [&](const char* op, const std::string& name, const std::string& operand) {
    std::vector<std::string> inputs{value};
    if (!operand.empty()) inputs.push_back(operand);
    made.nodes.push_back(make_node(op, name, inputs, name + "/value"));
    value = name + "/value";
  };
  if (preprocess.channels == 3 && preprocess.order == ChannelOrder::bgr) {
    const Ints order{2, 1, 0};
    made.tensors.push_back(
        whole_tensor("preprocess/order", {3}, TensorProto::INT64, order.data(), 3 * sizeof(std::int64_t)));
    add("Gather", "preprocess/to_bgr", "preprocess/order");
    set_int(made.nodes.back(), "axis", 1);
  }
  // (pixel * scale - mean) / std as (pixel - mean / scale) * (scale / std): two roundings, and values around
  // zero, where pixels cancel the mean, are the most exact.
  std::vector<float> means, scales;
  for (std::size_t c = 0; c < static_cast<std::size_t>(preprocess.channels); ++c) {
    means.push_back(static_cast<float>(preprocess.mean[c] / preprocess.scale));
    scales.push_back(static_cast<float>(preprocess.scale / preprocess.std[c]));
  }
  const auto constant = [&](const std::string& name, const std::vector<float>& values) {
    made.tensors.push_back(whole_tensor(name, {preprocess.channels, 1, 1}, TensorProto::FLOAT, values.data(),
                                        values.size() * sizeof(float)));
  };
  if (std::ranges::any_of(means, [](float mean) { return mean != 0; })) {
    constant("preprocess/mean", means);
    add("Sub", "preprocess/less_mean", "preprocess/mean");
  }
  if (std::ranges::any_of(scales, [](float scale) { return scale != 1; })) {
    constant("preprocess/scale", scales);
    add("Mul", "preprocess/scaled", "preprocess/scale");
  }
  if (made.nodes.empty()) add("Identity", "preprocess/nothing", "");
  made.nodes.back().set_output(0, std::string(input_name));
  return made;
}

bool strip_own_preprocess(ModelProto& model, const std::string& file) {
  StringStringEntryProto* entry = find_entry(model);
  if (entry == nullptr) return false;
  const Preprocess preprocess = parse_entry(entry->value(), file);
  GraphProto& graph = *model.mutable_graph();
  ValueInfoProto* input = only_input(graph);
  if (input == nullptr || input->name() != pixels_name) return false;

  const PreprocessNodes expected = preprocess_nodes(preprocess);
  if (!opens_with(graph, expected)) {
    Preprocess plain = preprocess;
    plain.order = ChannelOrder::rgb;
    plain.scale = 1;
    plain.mean.assign(static_cast<std::size_t>(plain.channels), 0);
    plain.std.assign(static_cast<std::size_t>(plain.channels), 1);
    entry->set_value(plain.to_json().dump());
    return false;
  }
  graph.mutable_node()->DeleteSubrange(0, static_cast<int>(expected.nodes.size()));
  for (const TensorProto& tensor : expected.tensors) {
    auto& all = *graph.mutable_initializer();
    const auto found =
        std::ranges::find_if(all, [&](const TensorProto& other) { return other.name() == tensor.name(); });
    all.erase(found);
  }
  input->set_name(std::string(input_name));
  return true;
}

}  // namespace enxerto::onnx
