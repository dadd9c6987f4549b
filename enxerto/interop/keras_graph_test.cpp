// Keras's own files (tools/make_keras_files.py) against what Keras computes with them.
#include "enxerto/interop/keras_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/graph/executor.h"
#include "enxerto/testing/tolerance.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

const std::filesystem::path files = "tests/files/keras";

/// The picture of make_keras_files.py.
Tensor picture(const Shape& shape) {
  Tensor made({.n = 1, .c = shape.c, .h = shape.h, .w = shape.w});
  const auto data = made.data();
  for (std::size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<float>(static_cast<double>(i * 7919 % 251) / 125.0 - 1.0);
  return made;
}

std::vector<double> answer(const Graph& graph, bool reference = false) {
  Executor executor(graph, {.batch = 1, .reference = reference});
  const Tensor input = picture(graph.input_shape());
  const ConstView out = executor.forward(input.view());
  return {out.data.begin(), out.data.end()};
}

double relative_error(const std::vector<double>& wanted, const std::vector<double>& got) {
  if (wanted.size() != got.size()) return INFINITY;
  double error = 0, size = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    error += (wanted[i] - got[i]) * (wanted[i] - got[i]);
    size += wanted[i] * wanted[i];
  }
  return std::sqrt(error / size);
}

Graph load(const std::filesystem::path& path, const Shape& size = {.n = 0}) {
  return graph_from_keras(load_keras(path), path.string(), size);
}

/// Every model of a folder against its expected.json.
void check_folder(const std::filesystem::path& folder) {
  const Json expected = Json::parse(read_text_file(folder / "expected.json"));
  for (const auto& [name, wanted] : expected.items()) {
    SCOPED_TRACE(name);
    try {
      const std::vector<std::int64_t> sizes = wanted.at("input");
      const Shape size =
          sizes.size() == 1 ? Shape{.c = sizes[0]} : Shape{.c = sizes[2], .h = sizes[0], .w = sizes[1]};
      const Graph graph = load(folder / name, size);
      EXPECT_EQ(graph.input_shape(), size);
      const std::vector<double> output = wanted.at("output");
      EXPECT_LT(relative_error(output, answer(graph)), tests::golden_logits);
      EXPECT_LT(relative_error(output, answer(graph, true)), tests::golden_logits);
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST(KerasGraph, ComputesWhatKerasComputes) { check_folder(files); }

TEST(KerasGraph, ComputesWhatKerasApplicationsCompute) {
  const std::filesystem::path folder = "build/keras_applications";
  if (!std::filesystem::exists(folder))
    GTEST_SKIP() << folder << " is made by tools/make_keras_files.py --applications; it is too large to keep";
  check_folder(folder);
}

// ---- The files that people have (tools/make_keras_golden.py computes them without Keras).

TEST(KerasGraph, TheSharedFilesComputeWhatPyTorchComputesInDouble) {
  const std::filesystem::path folder = "../shared/data/weights/h5";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not there";
  const Json expected = Json::parse(read_text_file("tests/files/keras_shared.json"));
  ASSERT_EQ(expected.size(), 3u);
  for (const auto& [name, wanted] : expected.items()) {
    SCOPED_TRACE(name);
    const std::vector<double> all = answer(load(folder / name));
    ASSERT_EQ(all.size(), wanted.at("sizes").get<std::size_t>());
    std::vector<double> got;
    for (const std::size_t at : wanted.at("at").get<std::vector<std::size_t>>()) got.push_back(all[at]);
    EXPECT_LT(relative_error(wanted.at("output"), got), tests::golden_logits);
  }
}

// ---- What becomes of the structure.

const Node* find_node(const Graph& graph, std::string_view name) {
  const auto found = std::ranges::find(graph.nodes(), name, &Node::name);
  return found == graph.nodes().end() ? nullptr : &*found;
}

TEST(KerasGraph, NodesAreCalledAsLayersAndWhatIsNotTrainableIsFrozen) {
  const Graph graph = load(files / "nested.keras");
  for (const char* name : {"base/conv2d", "base/batch_normalization", "base/conv2d_1", "rescaling"}) {
    ASSERT_NE(find_node(graph, name), nullptr) << name;
    EXPECT_TRUE(find_node(graph, name)->frozen) << name;
  }
  for (const char* name : {"outer/inner/conv2d", "outer/norm", "head"}) {
    ASSERT_NE(find_node(graph, name), nullptr) << name;
    EXPECT_FALSE(find_node(graph, name)->frozen) << name;
  }
  EXPECT_EQ(graph.nodes().back().name, "head");
}

TEST(KerasGraph, MomentumCountsTheOtherWay) {
  const Graph graph = load(files / "plain.keras");
  const BatchNorm& norm = std::get<BatchNorm>(find_node(graph, "norm")->layer);
  EXPECT_FLOAT_EQ(norm.momentum, 0.1f);
  EXPECT_FLOAT_EQ(norm.eps, 0.01f);
}

TEST(KerasGraph, PaddingGoesIntoTheConvolutionThatAloneUsesIt) {
  const Graph graph = load(files / "every_layer.keras");
  EXPECT_EQ(find_node(graph, "pad"), nullptr);
  EXPECT_EQ(std::get<Conv2d>(find_node(graph, "conv")->layer).pad, Padding(0, 1, 1, 2));
  ASSERT_NE(find_node(graph, "pad_twice"), nullptr);
  EXPECT_TRUE(std::holds_alternative<AvgPool2d>(find_node(graph, "pad_twice")->layer));
}

TEST(KerasGraph, AnOpenSizeHasToBeSaid) {
  try {
    load(files / "open_size.keras");
    FAIL() << "was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_NE(std::string_view(error.what()).find("size"), std::string_view::npos);
  }
  EXPECT_EQ(load(files / "open_size.keras", {.c = 3, .h = 20, .w = 30}).input_shape(),
            (Shape{.c = 3, .h = 20, .w = 30}));
}

// ---- What is refused.

KerasFile with_layers(const std::string& layers) {
  return {.tensors = {},
          .config = R"({"class_name":"Sequential","config":{"name":"s","layers":[
            {"class_name":"InputLayer","config":{"batch_shape":[null,8,8,3],"name":"in"}},)" +
                    layers + "]}}",
          .version = "3.0.0"};
}

std::pair<ErrorKind, std::string> refusal(const KerasFile& keras) {
  try {
    graph_from_keras(keras, "some.keras");
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  }
  ADD_FAILURE() << "was taken";
  return {};
}

bool names(const std::string& what, std::initializer_list<std::string_view> words) {
  return std::ranges::all_of(words, [&](auto word) { return what.find(word) != std::string::npos; });
}

TEST(KerasGraph, EveryLayerThatCannotBeTakenIsListedAtOnce) {
  const auto [kind, what] = refusal(with_layers(R"(
    {"class_name":"Conv3D","config":{"name":"a"}},
    {"class_name":"Lambda","config":{"name":"b"}},
    {"class_name":"Activation","config":{"name":"c","activation":"gelu"}})"));
  EXPECT_EQ(kind, ErrorKind::unsupported);
  EXPECT_TRUE(names(what, {"some.keras", "\"a\" (Conv3D)"})) << what;
  EXPECT_TRUE(names(what, {"\"b\" (Lambda)", "Lambda"})) << what;

  const auto [other, first] = refusal(with_layers(R"(
    {"class_name":"MaxPooling2D","config":{"name":"p","data_format":"channels_first"}},
    {"class_name":"Activation","config":{"name":"c","activation":"gelu"}})"));
  EXPECT_EQ(other, ErrorKind::unsupported);
  EXPECT_TRUE(names(first, {"channels first", "data_format"})) << first;
}

TEST(KerasGraph, EveryTensorThatDoesNotFitIsListedAtOnce) {
  KerasFile keras = load_keras(files / "plain.keras");
  std::erase_if(keras.tensors, [](const NamedTensor& tensor) { return tensor.name == "conv/bias"; });
  for (NamedTensor& tensor : keras.tensors) {
    if (tensor.name == "logits/kernel") tensor.dims = {4, 5};
    if (tensor.name == "norm/gamma") tensor.name = "norm/delta";
  }
  const auto [kind, what] = refusal(keras);
  EXPECT_EQ(kind, ErrorKind::corrupt);
  EXPECT_TRUE(
      names(what, {"\"conv/bias\" is missing", "\"logits/kernel\" has shape {4,5}, the model wants {5,4}",
                   "\"norm/gamma\" is missing", "\"norm/delta\" belongs to no layer"}))
      << what;
}

TEST(KerasGraph, WeightsAloneAreNoModel) {
  EXPECT_EQ(refusal(load_keras(files / "plain.weights.h5")).first, ErrorKind::unsupported);
}

TEST(KerasGraph, StructuresThatContradictThemselvesAreErrors) {
  const std::string open = R"({"class_name":"Functional","config":{"name":"f","layers":[
    {"class_name":"InputLayer","config":{"batch_shape":[null,4,4,1],"name":"in"},"name":"in","inbound_nodes":[]},)";
  const std::string close = R"(],"input_layers":[["in",0,0]],"output_layers":[["a",0,0]]}})";
  const auto layer = [](const std::string& name, const std::string& from) {
    return R"({"class_name":"Activation","config":{"name":")" + name + R"(","activation":"relu"},"name":")" +
           name + R"(","inbound_nodes":[[[")" + from + R"(",0,0,{}]]]})";
  };
  const auto kind = [&](const std::string& layers) {
    return refusal({.tensors = {}, .config = open + layers + close, .version = {}});
  };
  EXPECT_TRUE(names(kind(layer("a", "b") + "," + layer("b", "a")).second, {"circle"}));
  EXPECT_TRUE(names(kind(layer("a", "a")).second, {"circle"}));
  EXPECT_TRUE(names(kind(layer("a", "nobody")).second, {"no layer", "nobody"}));
  EXPECT_TRUE(names(kind(layer("a", "in") + "," + layer("a", "in")).second, {"two layers"}));
  EXPECT_TRUE(names(kind(layer("b", "in")).second, {"no layer", "\"a\""}));
  EXPECT_EQ(refusal({.tensors = {}, .config = "[]", .version = {}}).first, ErrorKind::unsupported);
  EXPECT_EQ(refusal({.tensors = {}, .config = "{", .version = {}}).first, ErrorKind::corrupt);
}

TEST(KerasGraph, AbsurdSizesTakeNoMemory) {
  for (const char* layer :
       {R"({"class_name":"Dense","config":{"name":"d","units":16777216}})",
        R"({"class_name":"Conv2D","config":{"name":"d","filters":16777216,"kernel_size":[8,8]}})",
        R"({"class_name":"UpSampling2D","config":{"name":"d","size":[16777216,16777216]}})",
        R"({"class_name":"ZeroPadding2D","config":{"name":"d","padding":[16777216,16777216]}})",
        R"({"class_name":"Reshape","config":{"name":"d","target_shape":[16777216,16777216,-1]}})",
        R"({"class_name":"Dense","config":{"name":"d","units":1e300}})"})
    EXPECT_THROW(graph_from_keras(with_layers(layer), "some.keras"), Error) << layer;
}

}  // namespace
}  // namespace enxerto
