// Files of other programs become networks that compute what they did there, and learn on.
#include "enxerto/zoo/pretrained.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/image/decode.h"
#include "enxerto/interop/onnx_write.h"
#include "enxerto/testing/random.h"
#include "enxerto/train/loss.h"
#include "enxerto/weights/safetensors.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;
using tests::random_tensor;

const fs::path shared = "../shared/data/weights";

/// Why a test is skipped where the data are missing.
std::string missing(const fs::path& path) { return path.string() + " is missing: this file was NOT tried"; }

double relative_error(std::span<const float> wanted, std::span<const float> got) {
  double apart = 0, size = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    apart += std::pow(static_cast<double>(wanted[i]) - got[i], 2);
    size += static_cast<double>(wanted[i]) * wanted[i];
  }
  return wanted.size() == got.size() ? std::sqrt(apart / size) : INFINITY;
}

/// What the network makes of these pictures.
std::vector<float> run(const Graph& graph, const Tensor& images) {
  Executor executor(graph, {.batch = static_cast<int>(images.shape().n)});
  const ConstView out = executor.forward(images.view());
  return {out.data.begin(), out.data.end()};
}

class Scratch : public testing::Test {
 protected:
  Scratch() { fs::create_directories(folder); }
  ~Scratch() override { fs::remove_all(folder); }
  const fs::path folder = fs::temp_directory_path() / text("enxerto_pretrained_", ::getpid());
};
using Pretraining = Scratch;

TEST_F(Pretraining, SqueezenetHasCaffesSevenActivations) {
  const fs::path weights = shared / "safetensors/squeezenet1_0_imagenet_caffe.safetensors",
                 stored = shared / "safetensors/squeezenet1_0_reference_activations.safetensors";
  if (!fs::exists(weights)) GTEST_SKIP() << missing(weights);
  const NamedTensors activations = load_safetensors(stored).tensors;
  ASSERT_EQ(activations.size(), 7u);
  const NamedTensor* input = find_tensor(activations, "1_data");
  ASSERT_NE(input, nullptr);
  Tensor image({1, 3, 227, 227});
  std::ranges::copy(input->value.data(), image.data().begin());
  const Pretrained loaded = load_pretrained(weights);
  EXPECT_EQ(loaded.net, "squeezenet1_0_caffe");
  for (const auto& [blob, node] :
       {std::pair{"3_pool1", "pool1"}, std::pair{"9_fire2_concat", "fire2/concat"},
        std::pair{"46_fire8_concat", "fire8/concat"}, std::pair{"53_fire9_concat", "fire9/concat"},
        std::pair{"55_pool10", "pool10"}}) {
    Graph part = loaded.model.graph.clone();
    part.cut_after(node);
    EXPECT_LT(relative_error(find_tensor(activations, blob)->value.data(), run(part, image)), 1e-4) << blob;
  }
  Graph whole = loaded.model.graph.clone();
  whole.add("prob", Softmax{}, {whole.last()});
  const std::vector<float> probabilities = run(whole, image);
  EXPECT_LT(relative_error(find_tensor(activations, "56_prob")->value.data(), probabilities), 1e-4);
  EXPECT_EQ(std::ranges::max_element(probabilities) - probabilities.begin(), 967);
}

TEST_F(Pretraining, WinogradIsWithinABitOfDoubleOnRealWeightsAndPictures) {
  const fs::path file = shared / "safetensors/resnet50_imagenet_caffe_conv1_to_res4f_fp16.safetensors";
  if (!fs::exists(file)) GTEST_SKIP() << missing(file);
  const Pretrained loaded = load_pretrained(file, {.size = 64});
  Graph graph = loaded.model.graph.clone();
  graph.cut_after("res2c_relu");
  constexpr int batch = 4;  // enough tiles for Winograd
  std::vector<fs::path> photos;
  for (const auto& entry : fs::directory_iterator(shared / "../photos/imagenet_check"))
    if (entry.path().extension() == ".JPEG") photos.push_back(entry.path());
  ASSERT_GE(photos.size(), std::size_t{batch});
  std::ranges::sort(photos);
  Tensor images({batch, 3, 64, 64});
  const std::size_t one = images.data().size() / batch;
  for (std::size_t i = 0; i < batch; ++i)
    Preprocess::from_json(loaded.model.preprocess)
        .apply(load_image(photos[i], 3), images.data().subspan(i * one, one));
  Executor all(graph, {.batch = batch, .train = true});
  Executor reference(graph, {.batch = batch, .train = true, .reference = true});
  const ConstView wanted = reference.forward(images.view()), got = all.forward(images.view());
  EXPECT_LT(relative_error(wanted.data, got.data), 1e-4);
  // Gradients layer by layer: through the whole network a relu at zero turns one way here and the other
  // there.
  for (const auto& [before, name] : {std::pair{"res2a_branch2a_relu", "res2a_branch2b"},
                                     std::pair{"res2c_branch2a_relu", "res2c_branch2b"}}) {
    Graph prefix = graph.clone(), alone;
    prefix.cut_after(before);
    const Node& node = *std::ranges::find(graph.nodes(), name, &Node::name);
    alone.add(name, node.layer, {alone.input(prefix.output_shape())});
    std::ranges::copy(graph.params()[static_cast<std::size_t>(node.params[0])].value.data(),
                      alone.params()[0].value.data().begin());
    alone.add("again", node.layer,
              {alone.last()});  // so that the first one's input gradient is asked for too
    std::ranges::copy(alone.params()[0].value.data(), alone.params()[1].value.data().begin());
    Shape shape = prefix.output_shape();
    shape.n = batch;
    Tensor activations(shape);
    std::ranges::copy(run(prefix, images), activations.data().begin());
    const Tensor dout = random_tensor(shape, 3);
    Executor fast(alone, {.batch = batch, .train = true}),
        slow(alone, {.batch = batch, .train = true, .reference = true});
    EXPECT_NE(fast.profile().back().implementation.find("winograd"), std::string::npos);
    EXPECT_LT(relative_error(slow.forward(activations.view()).data, fast.forward(activations.view()).data),
              1e-4);
    slow.backward(dout.view()), fast.backward(dout.view());
    for (std::size_t i = 0; i < fast.updates().size(); ++i) {
      const Tensor a = slow.unpack(i, slow.updates()[i].grad), b = fast.unpack(i, fast.updates()[i].grad);
      EXPECT_LT(relative_error(a.data(), b.data()), 1e-4) << fast.updates()[i].name;
    }
  }
}

TEST_F(Pretraining, CifarsResnet20IsPyTorchs) {
  const fs::path weights = shared / "pth/cifar10_resnet20-12fca82f.pth";
  if (!fs::exists(weights)) GTEST_SKIP() << missing(weights);
  const Pretrained loaded = load_pretrained(weights);
  EXPECT_EQ(loaded.net, "resnet20_cifar");
  EXPECT_EQ(loaded.model.classes[9], "truck");
  // Made by tools/make_golden_cifar.py: pixel i of the picture is sin(i / 7).
  const auto golden = nlohmann::json::parse(read_text_file("tests/pretrained/cifar_resnet20.json"));
  Tensor image({1, 3, 32, 32});
  for (std::size_t i = 0; i < image.data().size(); ++i)
    image.data()[i] = static_cast<float>(std::sin(static_cast<double>(i) / 7));
  EXPECT_LT(relative_error(golden.at("logits").get<std::vector<float>>(), run(loaded.model.graph, image)),
            1e-4);
}

TEST_F(Pretraining, TheResnetTrunkEndsWhereItsWeightsDo) {
  const fs::path weights = shared / "safetensors/resnet50_imagenet_caffe_conv1_to_res4f_fp16.safetensors";
  if (!fs::exists(weights)) GTEST_SKIP() << missing(weights);
  const Pretrained loaded = load_pretrained(weights);
  EXPECT_EQ(loaded.net, "resnet50_caffe");
  EXPECT_EQ(loaded.model.graph.output_shape(), (Shape{1, 1024, 14, 14}));
  EXPECT_TRUE(loaded.model.classes.empty());
  const std::vector<float> out = run(loaded.model.graph, random_tensor({1, 3, 224, 224}, 1));
  EXPECT_TRUE(std::ranges::all_of(out, [](float x) { return std::isfinite(x); }));
}

/// One step on random pictures of three classes, everything trained, brings their loss down.
void expect_learns(const Graph& whole, double lr = 0.01) {
  Graph graph = rebuilt(whole, {.classes = 3, .logits = true});
  const Node& head = head_of(graph);
  for (const int index : head.params) {
    Rng rng(7);
    for (float& x : graph.params()[static_cast<std::size_t>(index)].value.data()) x = 0.01f * rng.normal();
  }
  for (int i = 0; i <= graph.last().index; ++i)
    if (!std::holds_alternative<Affine>(graph.node({i}).layer)) graph.set_frozen({i}, false);
  constexpr int batch = 6;
  Shape shape = graph.input_shape();
  shape.n = batch;
  const Tensor images = random_tensor(shape, 3);
  const std::vector<std::int32_t> labels = {0, 1, 2, 0, 1, 2};
  Executor executor(graph, {.batch = batch, .train = true});
  Tensor dout({.n = batch, .c = 3});
  const auto loss = [&] {
    const ConstView out = executor.forward(images.view());
    return cross_entropy({}, out, labels, {out.shape, dout.data()});
  };
  const double before = loss();
  executor.backward({{.n = batch, .c = 3}, dout.data()});
  // Along the gradient, however large it is: the step's length is chosen, its direction is not.
  double norm = 0;
  for (const Update& update : executor.updates())
    for (const float g : update.grad) norm += static_cast<double>(g) * g;
  ASSERT_TRUE(std::isfinite(norm) && norm > 0);
  const auto step = static_cast<float>(lr / std::sqrt(norm));
  for (const Update& update : executor.updates())
    for (std::size_t i = 0; i < update.value.size(); ++i) update.value[i] -= step * update.grad[i];
  EXPECT_LT(loss(), before);
}

class Learning : public testing::TestWithParam<const char*> {};
TEST_P(Learning, GoesOnFromTheFile) {
  const fs::path weights = shared / GetParam();
  if (!fs::exists(weights)) GTEST_SKIP() << missing(weights);
  expect_learns(load_pretrained(weights).model.graph);
}
INSTANTIATE_TEST_SUITE_P(
    Files, Learning,
    testing::Values("safetensors/squeezenet1_1_imagenet.safetensors",
                    "safetensors/darknet_tiny_imagenet.safetensors",
                    "safetensors/mobilenet_v1_0.25_224_imagenet.safetensors",
                    "pth/cifar10_resnet20-12fca82f.pth", "h5/mobilenet_v1_0.25_128_imagenet_keras.h5",
                    "h5/cifar10_resnet8_keras.h5", "h5/mnist_resnet_keras.h5", "onnx/mnist.onnx",
                    "onnx/mobilenet_v1_1_0_imagenet.onnx", "onnx/mobilenet_v2_1_0_imagenet.onnx",
                    "onnx/mobilenet_v3_large_minimalistic_imagenet.onnx"),
    [](const auto& tested) {
      std::string name = tested.param;
      std::ranges::replace_if(
          name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
      return name;
    });

TEST_F(Pretraining, AModelComesBackTheSameThroughOnnxAndThroughBareWeights) {
  ModelFile model;
  model.graph = make_net("resnet20_cifar");
  model.graph.init({}, Rng(5));
  model.preprocess = preprocess_of(find_net("resnet20_cifar"), Normalization::imagenet).to_json();
  model.classes = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
  save_model(folder / "model.safetensors", model);
  save_onnx(folder / "model.onnx", model.graph,
            {.preprocess = Preprocess::from_json(model.preprocess), .classes = model.classes});
  // As PyTorch's DataParallel leaves a checkpoint.
  NamedTensors wrapped = model.graph.state();
  for (NamedTensor& tensor : wrapped) tensor.name = "state_dict.module." + tensor.name;
  save_safetensors(folder / "bare.safetensors", wrapped);

  const Tensor images = random_tensor({2, 3, 32, 32}, 1);
  const std::vector<float> wanted = run(model.graph, images);
  for (const char* file : {"model.safetensors", "model.onnx", "bare.safetensors"}) {
    const Pretrained loaded = load_pretrained(folder / file);
    EXPECT_LT(relative_error(wanted, run(loaded.model.graph, images)), 1e-5) << file;
    EXPECT_EQ(loaded.model.preprocess, model.preprocess) << file;
    if (std::string_view(file) != "bare.safetensors") {
      EXPECT_EQ(loaded.model.classes, model.classes) << file;
    } else {
      EXPECT_EQ(loaded.model.classes[0], "airplane");
    }
    expect_learns(loaded.model.graph);
  }
}

Error error_of(const fs::path& path, const PretrainedOptions& options = {}) {
  try {
    load_pretrained(path, options);
  } catch (const Error& error) {
    return error;
  }
  return {ErrorKind::interrupted, "nothing was thrown"};
}
bool mentions(const Error& error, std::initializer_list<const char*> parts) {
  return std::ranges::all_of(parts, [&](const char* part) {
    return std::string_view(error.what()).find(part) != std::string_view::npos;
  });
}

TEST_F(Pretraining, WhatDoesNotFitIsListedAtOnceAndLeftOutOnDemand) {
  Graph net = make_net("resnet20_cifar");
  net.init({}, Rng(5));
  NamedTensors tensors = net.state();
  std::erase_if(tensors, [](const NamedTensor& each) { return each.name == "layer2.0.bn1.weight"; });
  tensors.push_back({"extra.weight", {3}, Tensor({.n = 3})});
  for (NamedTensor& tensor : tensors)
    if (tensor.name == "conv1.weight") tensor = {"conv1.weight", {16, 1, 3, 3}, Tensor({16, 1, 3, 3})};
  const fs::path file = folder / "other.safetensors";
  save_safetensors(file, tensors);

  const Error unknown = error_of(file);
  EXPECT_EQ(unknown.kind(), ErrorKind::unsupported);
  EXPECT_TRUE(mentions(unknown, {"other.safetensors", "resnet20_cifar", "--net"})) << unknown.what();
  const Error named = error_of(file, {.net = "resnet20_cifar"});
  EXPECT_EQ(named.kind(), ErrorKind::corrupt);
  EXPECT_TRUE(mentions(
      named, {"layer2.0.bn1.weight is missing", "extra.weight is left over", "conv1.weight is {16,1,3,3}"}))
      << named.what();
  const Pretrained loose = load_pretrained(file, {.net = "resnet20_cifar", .strict = false});
  EXPECT_TRUE(std::ranges::equal(loose.model.graph.find_param("layer3.2.conv2.weight")->value.data(),
                                 net.find_param("layer3.2.conv2.weight")->value.data()));
  EXPECT_TRUE(std::ranges::any_of(loose.notes, [](const std::string& note) {
    return note.starts_with("not strict: ") && note.find("at rest: 2;") != std::string::npos &&
           note.find("left over: 1;") != std::string::npos;
  })) << join(loose.notes, "\n");
  // Where nothing fits, what would be left is a network that has learnt nothing.
  const Error nothing = error_of(file, {.net = "lenet5", .strict = false});
  EXPECT_EQ(nothing.kind(), ErrorKind::corrupt);
  EXPECT_TRUE(mentions(nothing, {"other.safetensors", "lenet5", "fc1.weight is missing"})) << nothing.what();
}

TEST_F(Pretraining, AnotherSizeIsRefusedWhereItLeavesLinearLayersWithoutWeights) {
  Graph net = make_net("lenet5");
  net.init({}, Rng(5));
  save_safetensors(folder / "lenet.safetensors", net.state());
  for (const char* named : {"", "lenet5"}) {
    const Error error = error_of(folder / "lenet.safetensors", {.net = named, .size = 64});
    EXPECT_EQ(error.kind(), ErrorKind::corrupt) << named;
    EXPECT_TRUE(
        mentions(error, {"lenet.safetensors", "lenet5 for pictures of 64x64", "fc1.weight is {120,400}"}))
        << error.what();
  }
  // Without linear layers on pixels any size will do.
  Graph other = make_net("resnet20_cifar");
  other.init({}, Rng(5));
  save_safetensors(folder / "resnet.safetensors", other.state());
  const Pretrained larger = load_pretrained(folder / "resnet.safetensors", {.size = 48});
  EXPECT_EQ(larger.model.graph.input_shape(), (Shape{.c = 3, .h = 48, .w = 48}));
  EXPECT_TRUE(std::ranges::equal(larger.model.graph.find_param("layer3.2.conv2.weight")->value.data(),
                                 other.find_param("layer3.2.conv2.weight")->value.data()));
}

/// A whole network of no family, of `image` with a mean over all pixels, or a linear layer on all of them.
Graph small_network(const Shape& image, bool on_pixels = false) {
  Graph graph;
  NodeId at = graph.add("first", Conv2d{.out = 5, .kernel = 3, .pad = 1}, {graph.input(image)});
  if (!on_pixels) at = graph.add("mean", GlobalAvgPool{}, {at});
  graph.add("last", Linear{.out = 3}, {at});
  graph.init({}, Rng(5));
  return graph;
}

TEST_F(Pretraining, WholeNetworksAreRebuiltForAnotherSizeOrRefused) {
  const Preprocess own = Preprocess::plain(12, 10, 3);
  save_onnx(folder / "own.onnx", small_network({1, 3, 12, 10}), {.preprocess = own});
  save_onnx(folder / "bare.onnx", small_network({1, 3, 12, 10}));
  save_onnx(folder / "pixels.onnx", small_network({1, 3, 12, 10}, true), {.preprocess = own});
  const std::vector<std::pair<const char*, std::optional<Normalization>>> files{
      {"own.onnx", {}}, {"own.onnx", Normalization::half}, {"bare.onnx", Normalization::half}};
  for (const auto& [file, normalization] : files) {
    const Pretrained loaded = load_pretrained(folder / file, {.normalization = normalization, .size = 16});
    EXPECT_EQ(loaded.model.graph.input_shape(), (Shape{1, 3, 16, 16})) << file;
    EXPECT_EQ(Preprocess::from_json(loaded.model.preprocess).shape(), (Shape{1, 3, 16, 16})) << file;
    EXPECT_EQ(loaded.model.classes.size(), 3u) << file;
  }
  EXPECT_EQ(load_pretrained(folder / "bare.onnx", {.size = 16}).model.graph.input_shape().h, 16);
  const Error error = error_of(folder / "pixels.onnx", {.size = 16});
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_TRUE(mentions(error, {"pixels.onnx", "last.weight", "keep the input's size"})) << error.what();
  const fs::path keras = "tests/files/keras";
  EXPECT_NE(load_pretrained(keras / "nested.keras").model.graph.input_shape().h, 16);
  EXPECT_EQ(load_pretrained(keras / "nested.keras", {.size = 16}).model.graph.input_shape().h, 16);
  for (const char* fixed : {"plain.keras", "plain.h5", "every_layer.keras"}) {
    const Error refused = error_of(keras / fixed, {.size = 48});
    EXPECT_TRUE(mentions(refused, {fixed, "keep the input's size"})) << refused.what();
  }
}

TEST_F(Pretraining, SmallPicturesAreSeenWhole) {
  const auto crop_of = [&](const Shape& image, Normalization normalization, int size = 0) {
    save_onnx(folder / "small.onnx", small_network(image));
    const Pretrained loaded =
        load_pretrained(folder / "small.onnx", {.normalization = normalization, .size = size});
    return Preprocess::from_json(loaded.model.preprocess).crop_fraction;
  };
  EXPECT_EQ(crop_of({1, 1, 28, 28}, Normalization::unit), 1);
  EXPECT_EQ(crop_of({1, 3, 32, 48}, Normalization::imagenet), 1);
  EXPECT_EQ(crop_of({1, 1, 112, 112}, Normalization::mnist), 1);
  EXPECT_EQ(crop_of({1, 3, 96, 96}, Normalization::imagenet), 0.875);
  // It was trained on what it was trained on.
  EXPECT_EQ(crop_of({1, 3, 96, 96}, Normalization::imagenet, 64), 0.875);
  EXPECT_EQ(crop_of({1, 3, 32, 32}, Normalization::imagenet, 128), 1);
}

TEST_F(Pretraining, OtherNumbersOfClassesAndLabelsBesideAreTaken) {
  Graph net = make_net("resnet20_cifar", {.classes = 3});
  net.init({}, Rng(5));
  save_safetensors(folder / "three.safetensors", net.state());
  EXPECT_EQ(load_pretrained(folder / "three.safetensors").model.classes,
            (std::vector<std::string>{"class 0", "class 1", "class 2"}));
  write_file(folder / "three.labels.txt", "n01440764\r\nfrog\nrio\n");
  EXPECT_EQ(load_pretrained(folder / "three.safetensors").model.classes,
            (std::vector<std::string>{"tench, Tinca tinca", "frog", "rio"}));
  write_file(folder / "three.labels.txt", "one\ntwo\n");
  EXPECT_TRUE(mentions(error_of(folder / "three.safetensors"), {"three.labels.txt", "2 names", "3 outputs"}));
  for (const char* wrong : {"one\n\nthree\n",
                            "p\xEA"
                            "ssego\nfigo\nuva\n"}) {
    write_file(folder / "three.labels.txt", wrong);
    const Error error = error_of(folder / "three.safetensors");
    EXPECT_EQ(error.kind(), ErrorKind::corrupt) << wrong;
    EXPECT_TRUE(mentions(error, {"three.labels.txt"})) << error.what();
  }
  write_file(folder / "three.labels.txt", "\xEF\xBB\xBFp\xC3\xAAssego\r\nfigo\r\nuva\r\n");
  EXPECT_EQ(load_pretrained(folder / "three.safetensors").model.classes,
            (std::vector<std::string>{"p\xC3\xAAssego", "figo", "uva"}));
}

TEST_F(Pretraining, NamesThatAreThereTwiceBecomeDistinctWhereverTheyGo) {
  Graph net = make_net("resnet20_cifar", {.classes = 5});
  net.init({}, Rng(5));
  save_safetensors(folder / "five.safetensors", net.state());
  write_file(folder / "five.labels.txt", "crane\nmaillot\ncrane\ncrane (2)\ncrane\n");
  const std::vector<std::string> distinct{"crane", "maillot", "crane (3)", "crane (2)", "crane (4)"};
  const Pretrained loaded = load_pretrained(folder / "five.safetensors");
  EXPECT_EQ(loaded.model.classes, distinct);
  EXPECT_NE(join(loaded.notes, "\n").find("\"crane (4)\""), std::string::npos);
  save_model(folder / "model.safetensors", loaded.model);
  EXPECT_EQ(load_pretrained(folder / "model.safetensors").model.classes, distinct);
  save_onnx(folder / "model.onnx", loaded.model.graph, {.classes = loaded.model.classes});
  EXPECT_EQ(load_pretrained(folder / "model.onnx").model.classes, distinct);
  // Of a file that somebody else wrote.
  save_onnx(folder / "twice.onnx", net, {.metadata = {{"enxerto.classes", R"(["a","b","a","c","d"])"}}});
  EXPECT_EQ(load_pretrained(folder / "twice.onnx").model.classes,
            (std::vector<std::string>{"a", "b", "a (2)", "c", "d"}));
  save_onnx(folder / "empty.onnx", net, {.metadata = {{"enxerto.classes", R"(["a","","e","c","d"])"}}});
  EXPECT_TRUE(mentions(error_of(folder / "empty.onnx"), {"empty.onnx", "enxerto.classes", "name 2 of 5"}));
}

TEST_F(Pretraining, AFileOfAnotherKindIsToldWhatThereIs) {
  write_file(folder / "notes.txt", "these are no weights at all");
  const Error error = error_of(folder / "notes.txt");
  EXPECT_EQ(error.kind(), ErrorKind::unsupported);
  EXPECT_TRUE(mentions(error, {"notes.txt", "safetensors", "ONNX"})) << error.what();
  EXPECT_EQ(error_of(folder / "nowhere.pth").kind(), ErrorKind::not_found);
  write_file(folder / "empty.pth", "");
  EXPECT_EQ(error_of(folder / "empty.pth").kind(), ErrorKind::unsupported);
}

}  // namespace
}  // namespace enxerto
