#include "enxerto/interop/keras_builder.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/interop/keras_graph.h"
#include "enxerto/weights/checks.h"

namespace enxerto {
namespace keras {
namespace {

constexpr std::size_t lines_limit = 50, nodes_limit = 20'000;

std::string format_dims(const std::vector<std::int64_t>& dims) {
  std::vector<std::string> parts;
  for (const std::int64_t size : dims) parts.push_back(size < 0 ? "any" : text(size));
  return text("{", join(parts, ","), "}");
}

std::string joined(std::vector<std::string> lines) {
  const std::size_t all = lines.size();
  if (all > lines_limit) {
    lines.resize(lines_limit);
    lines.push_back(text("and ", all - lines_limit, " more"));
  }
  return join(lines, "; ");
}

/// Configs of Keras 3 say "batch_shape", those of Keras 2 "batch_input_shape".
bool written_by_keras2(const KerasFile& keras) {
  if (!keras.version.empty()) return !keras.version.starts_with("3.");
  return keras.config.find("\"batch_shape\"") == std::string::npos;
}

}  // namespace

Weights::Weights(const NamedTensors& tensors) {
  for (const NamedTensor& tensor : tensors) tensors_.emplace(tensor.name, &tensor);
}

const NamedTensor* Weights::take(const std::string& name, const std::vector<std::int64_t>& dims) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    wrong_.push_back(text(shown(name), " is missing"));
    return nullptr;
  }
  asked_.insert(found->first);
  const std::vector<std::int64_t>& given = found->second->dims;
  const bool fits = std::ranges::equal(
      given, dims, [](std::int64_t has, std::int64_t wanted) { return wanted < 0 || has == wanted; });
  if (fits) return found->second;
  wrong_.push_back(
      text(shown(name), " has shape ", format_dims(given), ", the model wants ", format_dims(dims)));
  return nullptr;
}

void Weights::ignore(const std::string& layer) {
  const std::string prefix = layer + "/";
  for (auto at = tensors_.lower_bound(prefix); at != tensors_.end() && at->first.starts_with(prefix); ++at)
    asked_.insert(at->first);
}

void Weights::check(const std::string& file) const {
  std::vector<std::string> lines = wrong_;
  for (const auto& [name, tensor] : tensors_)
    if (asked_.count(name) == 0) lines.push_back(text(shown(std::string(name)), " belongs to no layer"));
  if (!lines.empty()) throw Error(ErrorKind::corrupt, text(file, ": ", joined(std::move(lines))));
}

Builder::Builder(const FlatModel& model, const KerasFile& keras, const std::string& file, const Shape& size)
    : model_(model), file_(file), weights_(keras.tensors), keras2_(written_by_keras2(keras)) {
  const std::size_t count = model.operations.size();
  values_.resize(count);
  consumers_.resize(count, 0);
  only_consumer_.resize(count, nullptr);
  for (const Operation& operation : model.operations)
    for (const Operand& input : operation.inputs) {
      if (input.operation < 0) continue;
      const auto at = static_cast<std::size_t>(input.operation);
      only_consumer_[at] = ++consumers_[at] == 1 ? &operation : nullptr;
    }
  take_picture(size);
}

void Builder::take_picture(const Shape& size) {
  constexpr std::int64_t largest = 1 << 20;
  const std::vector<std::int64_t>& dims = model_.input;
  if (dims.size() != 1 && dims.size() != 3)
    throw Error(ErrorKind::unsupported,
                text(file_, ": its input ", format_dims(dims), " is neither a picture {h,w,c} nor a vector"));
  Shape wanted{.c = dims.back()};
  if (dims.size() == 3) wanted.h = dims[0], wanted.w = dims[1];
  const auto complete = [&](std::int64_t& have, std::int64_t given) {
    if (have == -1) have = size.n == 0 ? -1 : given;
  };
  complete(wanted.c, size.c);
  complete(wanted.h, size.h);
  complete(wanted.w, size.w);
  for (const std::int64_t side : {wanted.c, wanted.h, wanted.w}) {
    if (side == -1)
      throw Error(ErrorKind::unsupported, text(file_, ": the model leaves the size of its input open (",
                                               format_dims(dims), " as h, w, c); say which one is wanted"));
    if (side < 1 || side > largest)
      throw Error(ErrorKind::corrupt, text(file_, ": its input ", format_dims(dims), " cannot be"));
  }
  try {
    values_[0] = Value{.node = graph_.input(wanted), .is_map = dims.size() == 3};
  } catch (const Error& error) {
    throw Error(error.kind(), text(file_, ": ", error.what()));
  }
}

Graph Builder::run() {
  for (std::size_t i = 1; i < model_.operations.size(); ++i) step(i);
  if (!refused_.empty())
    throw Error(ErrorKind::unsupported,
                text(file_, ": ", refused_.size(), refused_.size() == 1 ? " layer" : " layers",
                     " cannot be taken: ", joined(refused_)));
  weights_.check(file_);
  const Value last = keras_order(plain(*values_.back()));
  // A model of layers that do nothing, or whose last one does nothing.
  graph_.cut_after(graph_.node(last.node).name);
  return std::move(graph_);
}

void Builder::step(std::size_t index) {
  const Operation& operation = model_.operations[index];
  try {
    if (method_for(operation) == nullptr)
      throw Refusal{operation.kind.find(':') == std::string::npos ? "no such layer here"
                                                                  : "no such function here"};
    if (operation.shared && !weight_names(*operation.layer).empty())
      throw Refusal{"is used more than once with the same weights"};
    std::vector<Value> inputs;
    for (const Operand& input : operation.inputs) {
      if (input.operation < 0) continue;
      const std::optional<Value>& value = values_[static_cast<std::size_t>(input.operation)];
      if (!value) return;  // what is wrong has been noted there
      inputs.push_back(*value);
    }
    if (inputs.empty()) throw Refusal{"has no input"};
    const std::size_t before = graph_.nodes().size();
    values_[index] = build(operation, inputs);
    if (weight_names(*operation.layer).empty()) weights_.ignore(operation.path);
    if (!operation.trainable)
      for (std::size_t i = before; i < graph_.nodes().size(); ++i)
        graph_.set_frozen({static_cast<int>(i)}, true);
  } catch (const Refusal& refusal) {
    refused_.push_back(text(shown(operation.path), " (", operation.kind, "): ", refusal.why));
  } catch (const Error& error) {
    // The layer's own check of its options and shapes.
    refused_.push_back(text(shown(operation.path), " (", operation.kind, "): ", error.what()));
  }
}

Value Builder::build(const Operation& operation, Inputs inputs) {
  const Method method = method_for(operation);
  // Only these two know what to do with padding that is still to come.
  if (method == &Builder::conv2d || method == &Builder::depthwise || method == &Builder::separable)
    return (this->*method)(operation, inputs);
  std::vector<Value> ready;
  for (const Value& input : inputs) ready.push_back(plain(input));
  return (this->*method)(operation, ready);
}

Builder::Method Builder::method_for(const Operation& operation) {
  static const std::unordered_map<std::string, Method> methods = {
      {"Conv2D", &Builder::conv2d},
      {"DepthwiseConv2D", &Builder::depthwise},
      {"SeparableConv2D", &Builder::separable},
      {"Dense", &Builder::dense},
      {"BatchNormalization", &Builder::batch_norm},
      {"Normalization", &Builder::normalization},
      {"Rescaling", &Builder::rescaling},
      {"Activation", &Builder::activation_layer},
      {"ReLU", &Builder::relu_layer},
      {"LeakyReLU", &Builder::leaky_relu_layer},
      {"Softmax", &Builder::softmax_layer},
      {"ZeroPadding2D", &Builder::zero_padding},
      {"Cropping2D", &Builder::cropping},
      {"UpSampling2D", &Builder::upsampling},
      {"MaxPooling2D", &Builder::pooling},
      {"AveragePooling2D", &Builder::pooling},
      {"GlobalAveragePooling2D", &Builder::global_pooling},
      {"GlobalMaxPooling2D", &Builder::global_pooling},
      {"Flatten", &Builder::flatten},
      {"Reshape", &Builder::reshape},
      {"Dropout", &Builder::dropout},
      {"SpatialDropout2D", &Builder::dropout},
      {"Add", &Builder::sum},
      {"Multiply", &Builder::product},
      {"Concatenate", &Builder::concatenate},
      {"op:Add", &Builder::sum},
      {"tf:math.add", &Builder::sum},
      {"tf:__operators__.add", &Builder::sum},
      {"op:Multiply", &Builder::product},
      {"tf:math.multiply", &Builder::product},
      {"tf:__operators__.mul", &Builder::product},
      {"op:Subtract", &Builder::difference},
      {"tf:math.subtract", &Builder::difference},
      {"tf:__operators__.sub", &Builder::difference},
      {"op:Divide", &Builder::quotient},
      {"op:TrueDivide", &Builder::quotient},
      {"tf:math.divide", &Builder::quotient},
      {"tf:math.truediv", &Builder::quotient},
      {"tf:__operators__.truediv", &Builder::quotient}};
  static const std::set<std::string> nothing = {"GaussianNoise",     "GaussianDropout",
                                                "AlphaDropout",      "ActivityRegularization",
                                                "RandomFlip",        "RandomRotation",
                                                "RandomZoom",        "RandomTranslation",
                                                "RandomContrast",    "RandomBrightness",
                                                "RandomShear",       "RandomColorJitter",
                                                "RandomSaturation",  "RandomHue",
                                                "RandomGrayscale",   "RandomErasing",
                                                "RandomSharpness",   "RandomPosterization",
                                                "RandomInvert",      "RandomGaussianBlur",
                                                "RandomPerspective", "RandomColorDegeneration",
                                                "tf:cast",           "op:Cast"};
  auto found = methods.find(operation.kind);
  // The .h5 files of Keras 3 do not say that these are functions.
  if (found == methods.end()) found = methods.find("op:" + operation.kind);
  if (found != methods.end()) return found->second;
  if (nothing.count(operation.kind) != 0) return &Builder::identity;
  static const std::set<std::string> functions = {"Relu", "Relu6",       "Sigmoid",  "Tanh",
                                                  "Silu", "HardSigmoid", "HardSilu", "Exp"};
  return functions.count(operation.kind) != 0 || operation.kind.starts_with("op:") ||
                 operation.kind.starts_with("tf:nn.") || operation.kind.starts_with("tf:math.") ||
                 operation.kind.starts_with("tf:keras.activations.")
             ? &Builder::function_layer
             : nullptr;
}

Value Builder::add(const std::string& name, AnyLayer layer, std::vector<NodeId> inputs, bool is_map) {
  if (graph_.nodes().size() == nodes_limit)
    throw Refusal{text("makes more than ", with_commas(std::int64_t{nodes_limit}), " layers of the network")};
  return {.node = graph_.add(names_.give(name), std::move(layer), std::move(inputs)), .is_map = is_map};
}

Value Builder::stand_in(const std::string& name, const Value& in, const Shape& out, bool is_map) {
  const Rearrange nothing{
      .c = static_cast<int>(out.c),
      .h = static_cast<int>(out.h),
      .w = static_cast<int>(out.w),
      .sizes = {static_cast<int>(out.c), static_cast<int>(out.h), static_cast<int>(out.w)},
      .strides = {0, 0, 0}};
  return add(name, nothing, {in.node}, is_map);
}

void Builder::fill(const Value& value, std::size_t param, const std::vector<float>& numbers) {
  const auto index = static_cast<std::size_t>(graph_.node(value.node).params[param]);
  std::ranges::copy(numbers, graph_.params()[index].value.data().begin());
}

Value Builder::plain(const Value& value) {
  if (value.pad == Padding()) return value;
  // The mean of one pixel each.
  Value padded = add(graph_.node(value.node).name + "_pad",
                     AvgPool2d{.kernel = 1, .stride = 1, .pad = value.pad}, {value.node}, value.is_map);
  return padded;
}

Value Builder::keras_order(const Value& value) {
  if (value.flattened.n == 0) return value;
  const int c = static_cast<int>(value.flattened.c), h = static_cast<int>(value.flattened.h),
            w = static_cast<int>(value.flattened.w);
  return add(graph_.node(value.node).name + "_hwc",
             Rearrange{.c = c * h * w, .sizes = {h, w, c}, .strides = {w, 1, h * w}}, {value.node}, false);
}

std::vector<int> ints_at(const Json& config, std::string_view key, std::size_t count, int least,
                         int otherwise) {
  constexpr std::int64_t largest = 1 << 24;
  std::vector<int> values(count, otherwise);
  const Json* found = find(config, key);
  if (found == nullptr) return values;
  const bool list = found->is_array();
  if (list && found->size() != count) throw Refusal{text(key, " has not ", count, " numbers")};
  for (std::size_t i = 0; i < count; ++i) {
    const Json& one = list ? (*found)[i] : *found;
    const std::int64_t value = one.is_number_integer() ? one.get<std::int64_t>() : -1;
    if (value < least || value > largest) throw Refusal{text(key, " is no number from ", least, " on")};
    values[i] = static_cast<int>(value);
  }
  return values;
}

Size2 size_at(const Json& config, std::string_view key, int otherwise) {
  const std::vector<int> both = ints_at(config, key, 2, 1, otherwise);
  return {both[0], both[1]};
}

double number_at(const Json& config, std::string_view key, double otherwise) {
  const Json* found = find(config, key);
  if (found == nullptr) return otherwise;
  const double value = found->is_number() ? found->get<double>() : std::nan("");
  if (!std::isfinite(value)) throw Refusal{text(key, " is not a number")};
  return value;
}

std::vector<float> numbers_at(const Json& config, std::string_view key) {
  std::vector<float> numbers;
  std::vector<const Json*> open;
  if (const Json* found = find(config, key)) open.push_back(found);
  while (!open.empty()) {
    const Json* at = open.back();
    open.pop_back();
    if (at->is_number())
      numbers.push_back(at->get<float>());
    else if (at->is_array())
      for (auto inner = at->rbegin(); inner != at->rend(); ++inner) open.push_back(&*inner);
    else
      throw Refusal{text(key, " is not a list of numbers")};
  }
  return numbers;
}

bool same_padding(const Json& config) {
  const std::string padding = text_at(config, "padding", "valid");
  if (padding != "same" && padding != "valid") throw Refusal{text("padding ", shown(padding))};
  return padding == "same";
}

void want_channels_last(const Json& config) {
  if (text_at(config, "data_format", "channels_last") != "channels_last")
    throw Refusal{"keeps channels first; save the model with data_format=\"channels_last\""};
}

void want_map(const Value& value) {
  if (!value.is_map) throw Refusal{"wants a picture {h,w,c} as its input, and gets a vector"};
}

}  // namespace keras

Graph graph_from_keras(const KerasFile& keras, const std::string& file, const Shape& size) {
  if (keras.config.empty())
    throw Error(
        ErrorKind::unsupported,
        text(file, ": has weights alone, no structure; save the whole model, or say which network it is"));
  const keras::Json model = keras::parse_json(keras.config, file);
  const keras::FlatModel flat = keras::flatten_model(model, file);
  return keras::Builder(flat, keras, file, size).run();
}

}  // namespace enxerto
