#include "enxerto/interop/onnx_read.h"

#include <algorithm>
#include <unordered_set>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/interop/onnx_import.h"
#include "enxerto/interop/onnx_preprocess.h"

namespace enxerto {
namespace onnx {
namespace {

/// Constants and parameters together: enough for any network to use each number four times, and for grids.
std::int64_t budget_for(std::int64_t file_bytes) { return (std::int64_t{1} << 24) + file_bytes; }

bool is_standard(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

Operator find_operator(std::string_view op) {
  for (const auto find : {find_move, find_layer, find_elements, find_fold})
    if (const Operator found = find(op)) return found;
  return nullptr;
}

}  // namespace

Importer::Importer(ModelProto model, std::string file, const OnnxOptions& options, std::int64_t file_bytes)
    : model_(std::move(model)), file_(std::move(file)), options_(options), budget_(budget_for(file_bytes)) {}

void Importer::fail(const std::string& what) const {
  throw Error(ErrorKind::corrupt, text(file_, ": ", what));
}

void Importer::index_graph() {
  for (const OperatorSetIdProto& set : model_.opset_import())
    if (is_standard(set.domain())) opset_ = set.version();
  GraphProto& graph = *model_.mutable_graph();
  for (TensorProto& tensor : *graph.mutable_initializer())
    if (!initializers_.emplace(tensor.name(), &tensor).second)
      fail(text("has two initialisers called \"", shown(tensor.name()), "\""));
  for (int i = 0; i < graph.node_size(); ++i)
    for (const std::string& output : graph.node(i).output())
      if (!output.empty() && (!producer_.emplace(output, i).second || initializers_.contains(output)))
        fail(text("makes the value \"", shown(output), "\" twice"));
}

/// Only what the outputs need is looked at: the walk goes from values to the nodes that make them.
void Importer::find_needed() {
  const GraphProto& graph = model_.graph();
  needed_.assign(static_cast<std::size_t>(graph.node_size()), false);
  std::vector<int> open;
  const auto read = [&](const std::string& name) {
    if (name.empty()) return;
    ++readers_[name];
    const auto made_by = producer_.find(name);
    if (made_by == producer_.end() || needed_[static_cast<std::size_t>(made_by->second)]) return;
    needed_[static_cast<std::size_t>(made_by->second)] = true;
    open.push_back(made_by->second);
  };
  for (const ValueInfoProto& output : graph.output()) read(output.name());
  while (!open.empty()) {
    const int node = open.back();
    open.pop_back();
    for (const std::string& input : graph.node(node).input()) read(input);
  }
}

/// The picture that goes in. Sizes {n, c, h, w}, {n, c, l} or {n, c}; {n, h, w, c} where only the last size
/// can be that of channels.
Value Importer::input_value(const ValueInfoProto& input, Shape& image) const {
  const std::string what = text("input \"", shown(input.name()), "\"");
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorKind::unsupported, text(file_, ": ", what, " ", why));
  };
  const TypeProto::Tensor& type = input.type().tensor_type();
  if (!type.has_shape()) refuse("has no sizes; export the model with the sizes of its input");
  Sizes dims;
  for (const auto& dim : type.shape().dim()) dims.push_back(dim.has_dim_value() ? dim.dim_value() : 0);
  if (dims.size() < 2 || dims.size() > 4)
    refuse(
        text("has ", dims.size(), " sizes; a network for pictures has 4 (batch, channels, height, width)"));
  if (dims[0] > 1)
    refuse(
        text("takes exactly ", dims[0], " pictures at once; export the model with an open batch, or with 1"));
  dims[0] = 1;
  const auto is_side = [&](std::int64_t size) { return size <= 0 || size > dims[3]; };  // or open
  // What we wrote ourselves (pictures 4 wide, say) needs no guess.
  const bool channels_last = model_.producer_name() != producer_name && dims.size() == 4 &&
                             (dims[3] == 1 || dims[3] == 3 || dims[3] == 4) && is_side(dims[1]) &&
                             is_side(dims[2]) && dims[1] != 1 && dims[1] != 3;
  if (dims.size() == 4) {
    std::int64_t& height = dims[channels_last ? 1 : 2];
    std::int64_t& width = dims[channels_last ? 2 : 3];
    if (height <= 0) height = options_.height;
    if (width <= 0) width = options_.width;
  }
  for (const std::int64_t size : dims)
    if (size <= 0)
      refuse("leaves the sizes of the picture open; give them, or export the model with fixed ones");
  count_of(dims);
  if (!channels_last) {
    image = picture_shape(dims);
    if (dims.size() == 4) image = {.c = dims[1], .h = dims[2], .w = dims[3]};
    return {.node = 0, .view = plain(dims)};
  }
  image = {.c = dims[3], .h = dims[1], .w = dims[2]};
  return {.node = 0, .view = onnx::permuted(plain({1, image.c, image.h, image.w}), {0, 2, 3, 1})};
}

void Importer::make_input() {
  const ValueInfoProto* found = nullptr;
  for (const ValueInfoProto& input : model_.graph().input()) {
    if (initializers_.contains(input.name())) continue;  // old files name their weights as inputs too
    if (!readers_.contains(input.name()) && model_.graph().input_size() > 1) continue;
    if (found != nullptr)
      throw Error(ErrorKind::unsupported, text(file_, ": has the inputs \"", shown(found->name()),
                                               "\" and \"", shown(input.name()), "\"; a Graph has one"));
    found = &input;
  }
  if (found == nullptr) fail("has no input");
  if (producer_.contains(found->name())) fail(text("makes its own input \"", shown(found->name()), "\""));
  Shape image;
  Value value = input_value(*found, image);
  builder_.emplace(image, budget_);
  values_[found->name()] = std::move(value);
}

const Value& Importer::value(const std::string& name) {
  if (const auto found = values_.find(name); found != values_.end()) return found->second;
  const auto initializer = initializers_.find(name);
  if (initializer == initializers_.end())
    fail(text("uses the value \"", shown(name), "\" before any node makes it"));
  TensorProto& tensor = *initializer->second;
  try {
    Value made = constant_value(decode(tensor), name);
    tensor.Clear();  // held once from here on
    return values_[name] = std::move(made);
  } catch (const Error& error) {
    throw Error(error.kind(), text(file_, ": initialiser \"", shown(name), "\": ", error.what()));
  }
}

void Importer::run_operator(Call& call, const NodeProto& proto) {
  const Operator found = is_standard(proto.domain()) ? find_operator(proto.op_type()) : nullptr;
  if (found == nullptr) throw Refused{""};
  bool constants = true;
  for (const std::string& input : proto.input()) {
    if (input.empty()) continue;
    const Value& given = value(input);
    if (!given.is_known()) return;  // what cannot be taken stands before it
    constants = constants && given.constant != nullptr;
  }
  const Operator fold = find_fold(proto.op_type());
  (constants && fold != nullptr ? fold : found)(call);
}

void Importer::take(const NodeProto& proto) {
  Call call(*this, proto);
  const auto trouble = [&](const std::string& why) {
    const std::string domain = is_standard(proto.domain()) ? "" : proto.domain() + ".";
    troubles_.push_back({domain + proto.op_type(), call.name(), why});
  };
  try {
    run_operator(call, proto);
  } catch (const Refused& refused) {
    trouble(refused.why);
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(file_)) throw;
    if (error.kind() == ErrorKind::corrupt) call.fail(error.what());
    trouble(error.what());
  }
  for (const std::string& output : proto.output())
    if (!output.empty()) values_.try_emplace(output);
}

void Importer::refuse_all() const {
  std::vector<std::string> lines;
  std::unordered_set<std::string> seen;
  for (const Trouble& trouble : troubles_) {
    if (!seen.insert(trouble.op + "\n" + trouble.why).second) continue;
    constexpr std::size_t most = 50;
    if (lines.size() == most) {
      lines.push_back("...");
      break;
    }
    lines.push_back(text(shown(trouble.op), " (node \"", shown(trouble.node), "\"",
                         trouble.why.empty() ? "" : ": ", trouble.why, ")"));
  }
  throw Error(ErrorKind::unsupported, text(file_, ": these operators cannot be taken: ", join(lines, ", ")));
}

OnnxModel Importer::finish() {
  const GraphProto& graph = model_.graph();
  if (graph.output_size() == 0) fail("has no output");
  std::vector<int> nodes;
  std::vector<std::string> names;
  for (const ValueInfoProto& output : graph.output()) {
    const Value& given = value(output.name());
    if (!given.is_traced())
      throw Error(ErrorKind::unsupported,
                  text(file_, ": the output \"", shown(output.name()), "\" does not depend on the picture"));
    const Sizes dims = given.dims();
    const Shape shape = picture_shape(dims);
    int node = builder_->arrange(given.node, given.view, shape, output.name());
    // Each output has a node of its own, and none of them is the input.
    if (node == 0 || std::ranges::find(nodes, node) != nodes.end())
      node = builder_->copy(node, output.name());
    nodes.push_back(node);
    names.push_back(output.name());
  }
  // The last node is an output that no other one needs: the first such one.
  std::size_t last = 0;
  const auto is_needed = [&](std::size_t i) -> bool {
    std::vector<int> others = nodes;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    return builder_->needed_by(others)[static_cast<std::size_t>(nodes[i])];
  };
  while (last < nodes.size() && is_needed(last)) ++last;
  ensure(last < nodes.size(), "the last of the outputs in order is needed by no other");
  const auto to_front = [&](auto& list) {
    const auto found = list.begin() + static_cast<std::ptrdiff_t>(last);
    std::rotate(list.begin(), found, found + 1);
  };
  to_front(nodes);
  to_front(names);
  values_.clear();
  OnnxModel made{builder_->finish(nodes), names, {}};
  for (const StringStringEntryProto& entry : model_.metadata_props())
    made.metadata.emplace(entry.key(), entry.value());
  return made;
}

OnnxModel Importer::run() try {
  constexpr int nodes_limit = 100'000, outputs_limit = 1'000;
  if (model_.graph().node_size() > nodes_limit || model_.graph().output_size() > outputs_limit)
    throw Error(ErrorKind::unsupported, text(file_, ": has more than ", with_commas(nodes_limit),
                                             " nodes or ", with_commas(outputs_limit), " outputs"));
  strip_own_preprocess(model_, file_);
  index_graph();
  find_needed();
  make_input();
  for (int i = 0; i < model_.graph().node_size(); ++i)
    if (needed_[static_cast<std::size_t>(i)]) take(model_.graph().node(i));
  if (!troubles_.empty()) refuse_all();
  return finish();
} catch (const Error& error) {
  if (std::string_view(error.what()).starts_with(file_)) throw;
  throw Error(error.kind() == ErrorKind::usage ? ErrorKind::unsupported : error.kind(),
              text(file_, ": ", error.what()));
}

}  // namespace onnx

OnnxModel parse_onnx(std::span<const std::uint8_t> bytes, const std::string& file,
                     const OnnxOptions& options) {
  return onnx::Importer(onnx::parse_model(bytes, file), file, options,
                        static_cast<std::int64_t>(bytes.size()))
      .run();
}

OnnxModel load_onnx(const std::filesystem::path& path, const OnnxOptions& options) {
  onnx::ModelProto model = onnx::load_model(path);
  const auto bytes = static_cast<std::int64_t>(model.ByteSizeLong());
  return onnx::Importer(std::move(model), path.string(), options, bytes).run();
}

NamedTensors load_onnx_tensors(const std::filesystem::path& path) {
  onnx::ModelProto model = onnx::load_model(path);
  NamedTensors tensors;
  std::unordered_set<std::string> names;
  for (onnx::TensorProto& tensor : *model.mutable_graph()->mutable_initializer()) {
    const std::string what = text(path.string(), ": initialiser \"", onnx::shown(tensor.name()), "\"");
    if (!names.insert(tensor.name()).second) throw Error(ErrorKind::corrupt, what + " is there twice");
    try {
      const onnx::Constant constant = onnx::decode(tensor);
      NamedTensor made{tensor.name(), constant.dims, Tensor(shape_of(constant.dims))};
      std::ranges::copy(constant.as_floats(), made.value.data().begin());
      tensors.push_back(std::move(made));
    } catch (const Error& error) {
      throw Error(error.kind(), text(what, ": ", error.what()));
    }
    tensor.Clear();
  }
  return tensors;
}

}  // namespace enxerto
