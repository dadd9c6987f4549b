#include "enxerto/interop/onnx_write.h"

#include <gtest/gtest.h>
#include <onnx.pb.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/graph/executor.h"
#include "enxerto/interop/onnx_emit.h"
#include "enxerto/interop/onnx_preprocess.h"
#include "enxerto/interop/onnx_read.h"
#include "enxerto/testing/onnx_cases.h"

namespace enxerto {
namespace {

using onnx::GraphProto;
using onnx::ModelProto;

ModelProto parsed(const std::vector<std::uint8_t>& bytes) {
  ModelProto model;
  EXPECT_TRUE(model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return model;
}

ModelProto written(const Graph& graph, const OnnxExtras& extras = {}) {
  return parsed(serialize_onnx(graph, extras));
}

/// A classifier of a few layers for pictures of 3x6x6.
Graph small_net() {
  Graph g;
  NodeId at = g.input({.c = 3, .h = 6, .w = 6});
  at = g.add("conv1", Conv2d{.out = 4, .kernel = 3, .pad = 1}, {at});
  at = g.add("relu1", Activate{}, {at});
  at = g.add("pool", GlobalAvgPool{}, {at});
  at = g.add("drop", Dropout{}, {at});
  g.add("fc", Linear{.out = 3}, {at});
  tests::fill_for_onnx(g);
  return g;
}

std::string dims_text(const onnx::ValueInfoProto& info) {
  std::string made;
  for (const auto& dim : info.type().tensor_type().shape().dim())
    made +=
        (made.empty() ? "" : " ") + (dim.has_dim_param() ? dim.dim_param() : std::to_string(dim.dim_value()));
  return made;
}

std::string metadata(const ModelProto& model, const std::string& key) {
  for (const auto& entry : model.metadata_props())
    if (entry.key() == key) return entry.value();
  return "(none)";
}

template <class Call>
Error refusal(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorKind::io, ""};
}

TEST(OnnxWrite, AClassifierHasOurNamesAndAnyNumberOfPictures) {
  const ModelProto model = written(small_net());
  EXPECT_EQ(model.producer_name(), "enxerto");
  EXPECT_FALSE(model.producer_version().empty());
  EXPECT_EQ(model.ir_version(), 7);
  ASSERT_EQ(model.opset_import_size(), 1);
  EXPECT_EQ(model.opset_import(0).version(), 14);
  const GraphProto& graph = model.graph();
  ASSERT_EQ(graph.input_size(), 1);
  EXPECT_EQ(graph.input(0).name(), "input");
  EXPECT_EQ(dims_text(graph.input(0)), "n 3 6 6");
  ASSERT_EQ(graph.output_size(), 1);
  EXPECT_EQ(graph.output(0).name(), "logits");
  EXPECT_EQ(dims_text(graph.output(0)), "n 3");
  std::string nodes;
  for (const auto& node : graph.node()) nodes += node.name() + ":" + node.op_type() + " ";
  EXPECT_EQ(nodes, "conv1:Conv relu1:Relu pool:GlobalAveragePool drop:Dropout fc/flatten:Flatten fc:Gemm ");
  std::string names;
  for (const auto& tensor : graph.initializer()) names += tensor.name() + " ";
  EXPECT_EQ(names, "conv1.weight conv1.bias constant/0.5 fc.weight fc.bias ");
}

TEST(OnnxWrite, WeightsAreThoseOfTheGraph) {
  const Graph net = small_net();
  const ModelProto model = written(net);
  for (const auto& tensor : model.graph().initializer()) {
    const Param* param = net.find_param(tensor.name());
    if (param == nullptr) continue;
    const auto values = param->value.data();
    ASSERT_EQ(tensor.raw_data().size(), values.size_bytes()) << tensor.name();
    EXPECT_EQ(std::memcmp(tensor.raw_data().data(), values.data(), values.size_bytes()), 0) << tensor.name();
  }
  EXPECT_EQ(model.graph().initializer(3).dims_size(), 2);
}

TEST(OnnxWrite, EveryValueHasItsOwnNameAndIsMadeBeforeItIsRead) {
  std::set<std::size_t> kinds;
  for (const tests::OnnxCase& test : tests::onnx_cases()) {
    for (const Node& node : test.graph.nodes()) kinds.insert(node.layer.index());
    for (const bool inside : {false, true}) {
      OnnxExtras extras;
      const Shape in = test.graph.input_shape();
      if (in.c == 3)
        extras.preprocess =
            Preprocess::of(Normalization::caffe, static_cast<int>(in.h), static_cast<int>(in.w));
      extras.preprocess_inside = inside;
      const ModelProto model = written(test.graph, extras);
      std::set<std::string> made, nodes;
      for (const auto& tensor : model.graph().initializer())
        EXPECT_TRUE(made.insert(tensor.name()).second) << test.name << ": " << tensor.name();
      EXPECT_TRUE(made.insert(model.graph().input(0).name()).second) << test.name;
      for (const auto& node : model.graph().node()) {
        EXPECT_TRUE(nodes.insert(node.name()).second) << test.name << ": " << node.name();
        for (const auto& input : node.input())
          EXPECT_TRUE(made.contains(input)) << test.name << ": " << input;
        for (const auto& output : node.output())
          EXPECT_TRUE(made.insert(output).second) << test.name << ": " << output;
      }
      for (const auto& output : model.graph().output()) {
        EXPECT_TRUE(made.contains(output.name())) << test.name << ": " << output.name();
        EXPECT_EQ(dims_text(output).substr(0, 2), "n ") << test.name;
      }
    }
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<AnyLayer>) << "a layer without a case";
}

TEST(OnnxWrite, TheSameGraphGivesTheSameBytes) {
  EXPECT_EQ(serialize_onnx(small_net()), serialize_onnx(small_net()));
  for (const tests::OnnxCase& test : tests::onnx_cases())
    EXPECT_EQ(serialize_onnx(test.graph), serialize_onnx(test.graph.clone())) << test.name;
}

TEST(OnnxWrite, SoftmaxAndFeatureMapsHaveOutputsOfTheirOwn) {
  Graph net = small_net();
  net.add("softmax", Softmax{}, {net.last()});
  EXPECT_EQ(written(net).graph().output(0).name(), "probabilities");
  net.cut_after("relu1");
  const ModelProto model = written(net);
  EXPECT_EQ(model.graph().output(0).name(), "relu1");
  EXPECT_EQ(dims_text(model.graph().output(0)), "n 4 6 6");
}

TEST(OnnxWrite, SideOutputsHaveTheNamesOfTheirNodes) {
  Graph net = small_net();
  net.set_side_outputs({{2}, {3}});
  const ModelProto model = written(net);
  ASSERT_EQ(model.graph().output_size(), 3);
  EXPECT_EQ(model.graph().output(1).name(), "relu1");
  EXPECT_EQ(model.graph().output(2).name(), "pool");
  EXPECT_EQ(dims_text(model.graph().output(2)), "n 4");
}

TEST(OnnxWrite, PreprocessingAndClassesAreInTheMetadata) {
  OnnxExtras extras;
  extras.preprocess = Preprocess::imagenet(6, 6);
  extras.classes = {"cat", "dog's", "b\\ird"};
  extras.metadata = {{"licence", "CC0"}, {"enxerto.graph", "{}"}};
  const ModelProto model = written(small_net(), extras);
  EXPECT_EQ(Preprocess::from_json(nlohmann::json::parse(metadata(model, "enxerto.preprocess"))),
            *extras.preprocess);
  EXPECT_EQ(metadata(model, "preprocess"), format_preprocess(*extras.preprocess));
  EXPECT_EQ(metadata(model, "enxerto.classes"), R"(["cat","dog's","b\\ird"])");
  EXPECT_EQ(metadata(model, "names"), R"({0: 'cat', 1: 'dog\'s', 2: 'b\\ird'})");
  EXPECT_EQ(metadata(model, "licence"), "CC0");
  EXPECT_EQ(metadata(model, "enxerto.graph"), "(none)");
}

TEST(OnnxWrite, PreprocessingInsideTakesPixels) {
  OnnxExtras extras;
  extras.preprocess = Preprocess::of(Normalization::caffe, 6, 6);
  const ModelProto model = written(small_net(), extras);
  EXPECT_EQ(model.graph().input(0).name(), "pixels");
  EXPECT_EQ(dims_text(model.graph().input(0)), "n 3 6 6");
  EXPECT_EQ(model.graph().node(0).name(), "preprocess/to_bgr");
  EXPECT_EQ(model.graph().node(1).name(), "preprocess/less_mean");
  EXPECT_EQ(model.graph().node(1).output(0), "input");
  EXPECT_EQ(model.graph().node(2).name(), "conv1");
}

TEST(OnnxWrite, PreprocessingInsideIsTakenOutAgain) {
  for (const Preprocess& preprocess :
       {Preprocess::of(Normalization::caffe, 6, 6), Preprocess::imagenet(6, 6), Preprocess::plain(6, 6, 3),
        Preprocess{.height = 6, .width = 6, .scale = 1}}) {
    OnnxExtras extras;
    extras.preprocess = preprocess;
    ModelProto model = written(small_net(), extras);
    EXPECT_TRUE(onnx::strip_own_preprocess(model, "net.onnx"));
    EXPECT_FALSE(onnx::strip_own_preprocess(model, "net.onnx"));
    extras.preprocess_inside = false;
    EXPECT_EQ(model.SerializeAsString(), written(small_net(), extras).SerializeAsString());
  }
}

std::vector<float> answers(const Graph& graph, std::span<const float> in, std::int64_t n) {
  Shape shape = graph.input_shape();
  shape.n = n;
  Executor executor(graph, {.batch = static_cast<int>(n), .side_outputs = true});
  const ConstView out = executor.forward({shape, in});
  std::vector<float> all(out.data.begin(), out.data.end());
  for (std::size_t i = 0; i < graph.side_outputs().size(); ++i) {
    const ConstView side = executor.side_output(i);
    all.insert(all.end(), side.data.begin(), side.data.end());
  }
  return all;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double apart = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    apart += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    norm += double{b[i]} * b[i];
  }
  return std::sqrt(apart / std::max(norm, 1e-60));
}

TEST(OnnxWrite, WhatIsReadBackComputesTheSame) {
  for (const tests::OnnxCase& test : tests::onnx_cases()) {
    SCOPED_TRACE(test.name);
    // Written as Pad with the lowest number for onnxruntime's sake, and we read no such Pad. PyTorch cannot
    // have it.
    if (test.name == "max_pool_dilated_wide_pads") continue;
    const OnnxModel read = parse_onnx(serialize_onnx(test.graph), test.name + ".onnx");
    const std::vector<float> in = tests::onnx_input(test.graph, 2);
    EXPECT_EQ(read.graph.input_shape(), test.graph.input_shape());
    EXPECT_LE(distance(answers(read.graph, in, 2), answers(test.graph, in, 2)), 1e-5);
  }
}

TEST(OnnxWrite, WhatIsReadBackIsNormalisedAsTheMetadataSay) {
  const Graph net = small_net();
  OnnxExtras extras;
  extras.preprocess = Preprocess::of(Normalization::caffe, 6, 6);
  const OnnxModel read = parse_onnx(serialize_onnx(net, extras), "net.onnx");
  EXPECT_EQ(Preprocess::from_json(nlohmann::json::parse(read.metadata.at("enxerto.preprocess"))),
            *extras.preprocess);
  EXPECT_EQ(read.outputs, std::vector<std::string>{"logits"});
  const std::vector<float> in = tests::onnx_input(net, 2);
  EXPECT_LE(distance(answers(read.graph, in, 2), answers(net, in, 2)), 1e-5);
  // Parameters keep their names, so the weights of one fit the other.
  for (const Param& param : net.params()) EXPECT_NE(read.graph.find_param(param.name), nullptr) << param.name;
}

TEST(OnnxWrite, PreprocessingThatSomebodyChangedStaysInTheGraph) {
  OnnxExtras extras;
  extras.preprocess = Preprocess::of(Normalization::caffe, 6, 6);
  extras.preprocess->crop_fraction = 0.5;
  ModelProto model = written(small_net(), extras);
  for (auto& tensor : *model.mutable_graph()->mutable_initializer())
    if (tensor.name() == "preprocess/mean") tensor.set_raw_data(std::string(12, '\0'));
  EXPECT_FALSE(onnx::strip_own_preprocess(model, "net.onnx"));
  EXPECT_EQ(model.graph().input(0).name(), "pixels");
  Preprocess plain{.height = 6, .width = 6, .scale = 1};
  plain.crop_fraction = 0.5;
  EXPECT_EQ(Preprocess::from_json(nlohmann::json::parse(metadata(model, "enxerto.preprocess"))), plain);
}

TEST(OnnxWrite, DamagedMetadataIsAnError) {
  for (const std::string bad : {"", "{", "[]", "{\"height\": 1e99}"}) {
    ModelProto model = written(small_net());
    EXPECT_FALSE(onnx::strip_own_preprocess(model, "net.onnx"));
    auto& entry = *model.add_metadata_props();
    entry.set_key("enxerto.preprocess");
    entry.set_value(bad);
    const Error error = refusal([&] { onnx::strip_own_preprocess(model, "net.onnx"); });
    EXPECT_EQ(error.kind(), ErrorKind::corrupt) << bad;
    EXPECT_EQ(std::string(error.what()).rfind("net.onnx: ", 0), 0u) << error.what();
  }
}

TEST(OnnxWrite, DamagedFilesOfOurOwnAreErrorsOrNetworks) {
  OnnxExtras extras;
  extras.preprocess = Preprocess::of(Normalization::caffe, 6, 6);
  const std::vector<std::uint8_t> whole = serialize_onnx(small_net(), extras);
  const auto read = [](std::vector<std::uint8_t> bytes) {
    try {
      parse_onnx(bytes, "net.onnx");
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).rfind("net.onnx", 0), 0u) << error.what();
    }
  };
  for (std::size_t size = 0; size < whole.size(); ++size)
    read({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::vector<std::uint8_t> bytes = whole;
    bytes[i] ^= static_cast<std::uint8_t>(1u << (i % 8));
    read(bytes);
  }
}

TEST(OnnxWrite, WhatDoesNotFitIsRefused) {
  OnnxExtras extras;
  extras.classes = {"cat", "dog"};
  EXPECT_EQ(refusal([&] { serialize_onnx(small_net(), extras); }).kind(), ErrorKind::usage);
  extras.classes = {"cat", "dog", "\xff"};
  EXPECT_EQ(refusal([&] { serialize_onnx(small_net(), extras); }).kind(), ErrorKind::usage);
  extras.classes = {};
  extras.preprocess = Preprocess::imagenet(7, 6);
  EXPECT_EQ(refusal([&] { serialize_onnx(small_net(), extras); }).kind(), ErrorKind::usage);
  EXPECT_EQ(refusal([&] { serialize_onnx(Graph{}); }).kind(), ErrorKind::usage);
}

TEST(OnnxWrite, AFileHasTheBytesAndAFailedOneLeavesNothing) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "onnx_write_test";
  make_folder(folder);
  save_onnx(folder / "net.onnx", small_net());
  EXPECT_EQ(read_file(folder / "net.onnx"), serialize_onnx(small_net()));
  EXPECT_EQ(refusal([&] { save_onnx(folder / "none" / "net.onnx", small_net()); }).kind(),
            ErrorKind::not_found);
  std::filesystem::remove_all(folder);
}

TEST(OnnxWrite, MoreThanTwoGigabytesAreRefused) {
  onnx::check_file_size((std::uint64_t{1} << 31) - 1);
  const Error error = refusal([] { onnx::check_file_size(std::uint64_t{1} << 31); });
  EXPECT_EQ(error.kind(), ErrorKind::unsupported);
  EXPECT_NE(std::string(error.what()).find("2 GiB"), std::string::npos) << error.what();
}

}  // namespace
}  // namespace enxerto
