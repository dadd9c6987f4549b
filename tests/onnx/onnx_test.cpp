// ONNX files against onnxruntime: small ones that have every operator (tools/make_onnx_files.py made them and
// expected.json), and the networks of ../shared (tools/make_onnx_golden.py made golden.json).
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/interop/onnx_read.h"
#include "enxerto/testing/tolerance.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;
using Doubles = std::vector<double>;
using Floats = std::vector<float>;

const std::filesystem::path small_files = "tests/files/onnx";
const std::filesystem::path networks = "../shared/data/weights/onnx";

// ---- As in tools/hashed.py.

Rng hashed(std::string_view name) {
  std::uint64_t seed = 0xCBF29CE484222325ull;
  for (const char letter : name) seed = (seed ^ static_cast<unsigned char>(letter)) * 0x100000001B3ull;
  return Rng(seed);
}

Floats picture_of(std::string_view name, std::int64_t count) {
  const Rng rng = hashed(name);
  Floats made;
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(count); ++i)
    made.push_back(4 * (static_cast<float>(rng.at(i) >> 40) * 0x1p-23f - 1.0f));
  return made;
}

Doubles sketch(std::span<const float> values) {
  const Rng signs = hashed("signs");
  Doubles made(9, 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t bits = signs.at(i);
    const double x = values[i];
    made[0] += x * x;
    for (std::size_t k = 0; k < 8; ++k) made[k + 1] += bits >> k & 1 ? -x : x;
  }
  made[0] = std::sqrt(made[0]);
  return made;
}

/// An estimate of |got - wanted| / |wanted|.
double relative_error(const Doubles& got, const Doubles& wanted) {
  double sum = 0;
  for (std::size_t k = 1; k < 9; ++k) sum += (got[k] - wanted[k]) * (got[k] - wanted[k]) / 8;
  const double error = std::max(std::sqrt(sum), std::abs(got[0] - wanted[0]));
  return wanted[0] == 0 ? error : error / wanted[0];
}

// ---- Files, run.

/// A picture whose numbers are in the order of the file: channels may be the last of its sizes.
Floats in_our_order(const Floats& given, const Shape& shape, bool channels_last) {
  if (!channels_last) return given;
  Floats made(given.size());
  for (std::int64_t c = 0; c < shape.c; ++c)
    for (std::int64_t i = 0; i < shape.h * shape.w; ++i)
      made[static_cast<std::size_t>(c * shape.h * shape.w + i)] =
          given[static_cast<std::size_t>(i * shape.c + c)];
  return made;
}

/// {output: numbers of each picture}.
std::map<std::string, std::vector<Floats>> run(const OnnxModel& model, const std::vector<Floats>& pictures) {
  Shape shape = model.graph.input_shape();
  shape.n = static_cast<std::int64_t>(pictures.size());
  Executor executor(model.graph, {.batch = static_cast<int>(shape.n), .side_outputs = true});
  Floats images;
  for (const Floats& picture : pictures) images.insert(images.end(), picture.begin(), picture.end());
  std::map<std::string, std::vector<Floats>> made;
  const ConstView last = executor.forward({shape, images});
  for (std::size_t i = 0; i < model.outputs.size(); ++i) {
    const ConstView view = i == 0 ? last : executor.side_output(i - 1);
    const std::size_t size = view.data.size() / pictures.size();
    for (std::size_t n = 0; n < pictures.size(); ++n) {
      const auto row = view.data.subspan(n * size, size);
      made[model.outputs[i]].emplace_back(row.begin(), row.end());
    }
  }
  return made;
}

/// One picture against onnxruntime's sketches, and two different ones at once against each alone.
void expect_agreement(const OnnxModel& model, const std::string& name, const Json& expected, double bound,
                      bool channels_last = false) {
  const Shape shape = model.graph.input_shape();
  const Floats first = in_our_order(picture_of(name, shape.size()), shape, channels_last);
  const Floats second = picture_of("another", shape.size());
  const auto alone = run(model, {first}), other = run(model, {second}), both = run(model, {first, second});
  ASSERT_EQ(alone.size(), expected.size());
  for (const auto& [output, numbers] : expected.items()) {
    SCOPED_TRACE(text(name, " output ", output));
    const Floats& got = alone.at(output)[0];
    const auto wanted = numbers.get<Doubles>();
    ASSERT_EQ(got.size(), static_cast<std::size_t>(wanted[0]));
    EXPECT_LE(relative_error(sketch(got), {wanted.begin() + 1, wanted.end()}), bound);
    const auto apart = [&](const Floats& a, const Floats& b) {
      Floats difference;
      for (std::size_t i = 0; i < a.size(); ++i) difference.push_back(a[i] - b[i]);
      return sketch(difference)[0] / (sketch(b)[0] + 1e-30);
    };
    EXPECT_LE(apart(both.at(output)[0], got), 1e-6);
    EXPECT_LE(apart(both.at(output)[1], other.at(output)[0]), 1e-6);
  }
}

Json load_json(const std::filesystem::path& path) { return Json::parse(read_text_file(path)); }

class SmallFile : public testing::TestWithParam<std::string> {};

TEST_P(SmallFile, AgreesWithOnnxruntime) {
  const OnnxModel model = load_onnx(small_files / (GetParam() + ".onnx"));
  EXPECT_EQ(model.metadata.at("maker"), "make_onnx_files.py");
  expect_agreement(model, GetParam(), load_json(small_files / "expected.json").at(GetParam()), 1e-5,
                   GetParam().starts_with("channels_last"));
}

std::vector<std::string> names_of(const std::filesystem::path& path) {
  std::vector<std::string> names;
  const Json json = load_json(path);
  for (const auto& [name, outputs] : json.items()) names.push_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Onnx, SmallFile, testing::ValuesIn(names_of(small_files / "expected.json")),
                         [](const auto& of) { return of.param; });

// ---- What the graphs look like.

std::vector<Activation> activations_of(const Graph& graph) {
  std::vector<Activation> made;
  for (const Node& node : graph.nodes())
    if (const auto* layer = std::get_if<Activate>(&node.layer)) made.push_back(layer->function);
  return made;
}

const Node* find_node(const Graph& graph, std::string_view name) {
  const auto found = std::ranges::find(graph.nodes(), name, &Node::name);
  return found == graph.nodes().end() ? nullptr : &*found;
}

template <class Layer>
std::size_t count_of(const Graph& graph) {
  return static_cast<std::size_t>(std::ranges::count_if(
      graph.nodes(), [](const Node& node) { return std::holds_alternative<Layer>(node.layer); }));
}

TEST(OnnxGraph, NodesAreCalledAfterTheirWeights) {
  const Graph graph = load_onnx(small_files / "convolutions_11.onnx").graph;
  for (const char* name :
       {"features.0", "depthwise", "typed", "weight_of_a_node", "with_shift", "read_twice"})
    EXPECT_NE(find_node(graph, name), nullptr) << name;
  EXPECT_NE(graph.find_param("features.0.bias"), nullptr);
  const Graph rows = load_onnx(small_files / "statistics_15.onnx").graph;
  EXPECT_NE(find_node(rows, "bn1"), nullptr);
  EXPECT_NEAR(std::get<BatchNorm>(find_node(rows, "bn1")->layer).momentum, 0.01, 1e-6);
}

TEST(OnnxGraph, AShiftBecomesTheBiasWhereNobodyElseReadsTheProduct) {
  const Graph graph = load_onnx(small_files / "convolutions_11.onnx").graph;
  EXPECT_TRUE(std::get<Conv2d>(find_node(graph, "with_shift")->layer).bias);
  EXPECT_FALSE(std::get<Conv2d>(find_node(graph, "read_twice")->layer).bias);
  EXPECT_EQ(count_of<Affine>(graph), 1u);
  const Graph matrices = load_onnx(small_files / "matrices_13.onnx").graph;
  EXPECT_TRUE(std::get<Linear>(find_node(matrices, "matmul")->layer).bias);
  EXPECT_TRUE(std::get<Conv2d>(find_node(matrices, "over_rows_3")->layer).bias);
  EXPECT_EQ(count_of<Affine>(matrices), 0u);
}

TEST(OnnxGraph, WrittenOutActivationsAreRecognised) {
  for (const char* file : {"activations_6.onnx", "activations_10.onnx", "activations_14.onnx"}) {
    const auto found = activations_of(load_onnx(small_files / file).graph);
    EXPECT_EQ(std::ranges::count(found, Activation::silu), 1) << file;
    EXPECT_GE(std::ranges::count(found, Activation::hard_swish), 4) << file;
    EXPECT_EQ(std::ranges::count(found, Activation::relu6), 3) << file;  // two bounds and one scaled, no more
  }
}

TEST(OnnxGraph, ZerosAroundBecomeTheConvolutionsPadding) {
  const Graph graph = load_onnx(small_files / "paddings_18.onnx").graph;
  EXPECT_EQ(std::get<Conv2d>(find_node(graph, "padded_conv")->layer).pad, Padding(0, 1, 1, 1));
}

TEST(OnnxGraph, AnOutputThatOthersNeedIsASideOutput) {
  const OnnxModel model = load_onnx(small_files / "outputs_13.onnx");
  EXPECT_EQ(model.outputs.size(), 4u);
  EXPECT_EQ(model.graph.side_outputs().size(), 3u);
  EXPECT_EQ(model.outputs[0], "value2_0");
  EXPECT_NE(find_node(model.graph, "backbone.conv"), nullptr);
}

TEST(OnnxTensors, AreThereByName) {
  const NamedTensors tensors = load_onnx_tensors(small_files / "convolutions_11.onnx");
  const NamedTensor* weight = find_tensor(tensors, "features.0.weight");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->dims, (std::vector<std::int64_t>{3, 4, 3, 3}));
  const NamedTensor* typed = find_tensor(tensors, "typed.weight");
  ASSERT_NE(typed, nullptr);
  EXPECT_EQ(Floats(typed->value.data().begin(), typed->value.data().end()), (Floats{0.5f, -1, 0.25f, 2}));
}

// ---- The networks of ../shared.

class Network : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    path_ = networks / (GetParam() + ".onnx");
    if (!std::filesystem::exists(path_)) GTEST_SKIP() << path_ << " is missing";
  }
  std::filesystem::path path_;
};

TEST_P(Network, AgreesWithOnnxruntime) {
  const std::vector<std::uint8_t> bytes = read_file(path_);
  EXPECT_TRUE(looks_like_onnx(std::span(bytes).first(300)));
  expect_agreement(load_onnx(path_), GetParam(), load_json("tests/onnx/golden.json").at(GetParam()),
                   tests::golden_logits);
}

INSTANTIATE_TEST_SUITE_P(Onnx, Network, testing::ValuesIn(names_of("tests/onnx/golden.json")),
                         [](const auto& of) { return of.param; });

/// The mean cross-entropy of two pictures of classes 0 and 1, and its gradient.
double cross_entropy(const ConstView& logits, Floats& gradient) {
  const auto classes = static_cast<std::size_t>(logits.shape.c);
  double loss = 0;
  gradient.assign(logits.data.size(), 0.0f);
  for (std::size_t n = 0; n < 2; ++n) {
    const auto row = logits.data.subspan(n * classes, classes);
    double sum = 0;
    for (const float x : row) sum += std::exp(double{x});
    loss += (std::log(sum) - row[n]) / 2;
    for (std::size_t c = 0; c < classes; ++c)
      gradient[n * classes + c] = static_cast<float>((std::exp(double{row[c]}) / sum - (c == n ? 1 : 0)) / 2);
  }
  return loss;
}

class Backbone : public Network {};

TEST_P(Backbone, LearnsWithANewHead) {
  Graph graph = load_onnx(path_).graph;
  // The last convolution but one and what follows it go; a new head comes.
  std::size_t at = graph.nodes().size();
  for (int convolutions = 0; convolutions < 3;
       convolutions += std::holds_alternative<Conv2d>(graph.nodes()[at].layer))
    --at;
  graph.cut_after(graph.nodes()[at - 1].name);
  const NodeId pooled = graph.add("pooled", GlobalAvgPool{}, {graph.last()});
  graph.add("head", Linear{.out = 3}, {pooled});
  const Rng rng(1);
  Param& weight = graph.params()[static_cast<std::size_t>(graph.nodes().back().params[0])];
  for (std::size_t i = 0; i < weight.value.data().size(); ++i)
    weight.value.data()[i] = 0.05f * (static_cast<float>(rng.at(i) >> 40) * 0x1p-23f - 1.0f);
  Executor executor(graph, {.batch = 2, .train = true});
  EXPECT_GT(executor.updates().size(), 20u);
  Shape shape = graph.input_shape();
  Floats images = picture_of("two pictures", 2 * shape.size());
  shape.n = 2;
  for (float& x : images) x /= 4;
  Floats gradient;
  const double before = cross_entropy(executor.forward({shape, images}), gradient);
  executor.backward({{.n = 2, .c = 3}, gradient});
  double squares = 0;
  for (const Update& update : executor.updates())
    for (const float g : update.grad) squares += double{g} * g;
  ASSERT_TRUE(std::isfinite(squares) && squares > 0) << squares;
  const auto step = static_cast<float>(0.05 * before / squares);
  for (const Update& update : executor.updates())
    for (std::size_t i = 0; i < update.value.size(); ++i) update.value[i] -= step * update.grad[i];
  const double after = cross_entropy(executor.forward({shape, images}, 1), gradient);
  EXPECT_LT(after, before);
  EXPECT_GT(after, 0.85 * before);  // a step of a twentieth, by the gradient
}

INSTANTIATE_TEST_SUITE_P(Onnx, Backbone,
                         testing::Values("mobilenet_v1_1_0_imagenet", "mobilenet_v2_1_0_imagenet",
                                         "mobilenet_v3_large_minimalistic_imagenet"),
                         [](const auto& of) { return of.param; });

}  // namespace
}  // namespace enxerto
