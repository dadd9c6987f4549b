// Files that are damaged or hostile. What sound ones become, tests/onnx/ holds against onnxruntime.
#include "enxerto/interop/onnx_read.h"

#include <gtest/gtest.h>
#include <onnx.pb.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"

namespace enxerto {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes bytes_of(const onnx::ModelProto& model) {
  const std::string made = model.SerializeAsString();
  return {made.begin(), made.end()};
}

/// The text of the Error that reading throws, which has to name the file; empty where it throws none.
std::string refusal(const Bytes& bytes, ErrorKind* kind = nullptr) {
  try {
    parse_onnx(bytes, "a.onnx");
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("a.onnx: ")) << error.what();
    if (kind != nullptr) *kind = error.kind();
    return error.what();
  }
  return {};
}
std::string refusal(const onnx::ModelProto& model, ErrorKind* kind = nullptr) {
  return refusal(bytes_of(model), kind);
}

testing::AssertionResult names(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts)
    if (text.find(part) == std::string::npos)
      return testing::AssertionFailure() << text << "\nlacks " << part;
  return testing::AssertionSuccess();
}

void add_value(onnx::ValueInfoProto& to, const std::string& name, const std::vector<std::int64_t>& dims) {
  to.set_name(name);
  for (const std::int64_t size : dims) {
    auto& dim = *to.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim();
    if (size > 0) dim.set_dim_value(size);
  }
}

onnx::NodeProto& add_node(onnx::ModelProto& model, const std::string& op,
                          const std::vector<std::string>& inputs, const std::string& output) {
  onnx::NodeProto& node = *model.mutable_graph()->add_node();
  node.set_op_type(op);
  node.set_name("make " + output);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

onnx::TensorProto& add_tensor(onnx::ModelProto& model, const std::string& name,
                              const std::vector<std::int64_t>& dims, int numbers) {
  onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t size : dims) tensor.add_dims(size);
  for (int i = 0; i < numbers; ++i) tensor.add_float_data(1);
  return tensor;
}

onnx::TensorProto& add_wholes(onnx::ModelProto& model, const std::string& name,
                              const std::vector<std::int64_t>& values) {
  onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<std::int64_t>(values.size()));
  for (const std::int64_t value : values) tensor.add_int64_data(value);
  return tensor;
}

void set_whole(onnx::NodeProto& node, const std::string& name, std::int64_t value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

/// A file with the input x and the output y.
onnx::ModelProto empty_model(const std::vector<std::int64_t>& dims = {0, 2, 4, 4}) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(13);
  add_value(*model.mutable_graph()->add_input(), "x", dims);
  add_value(*model.mutable_graph()->add_output(), "y", {});
  return model;
}

onnx::ModelProto convolution() {
  onnx::ModelProto model = empty_model();
  add_tensor(model, "c.weight", {3, 2, 1, 1}, 6);
  add_node(model, "Conv", {"x", "c.weight"}, "c");
  add_node(model, "Relu", {"c"}, "y");
  return model;
}

TEST(OnnxFile, IsKnownByItsBeginning) {
  const Bytes bytes = bytes_of(convolution());
  EXPECT_TRUE(looks_like_onnx(bytes));
  EXPECT_TRUE(looks_like_onnx(std::span(bytes).first(6)));
  for (const char* other :
       {"", "\x08", "PK\x03\x04....", "\x89HDF\r\n\x1a\n", "{\"a\": 1}", "\x08\x08\x08\x08"})
    EXPECT_FALSE(looks_like_onnx(Bytes(other, other + std::strlen(other)))) << other;
  EXPECT_EQ(refusal(convolution()), "");
}

TEST(OnnxFile, ClipKeepsSmallValuesWithinWideBounds) {
  const std::vector<float> given{0, 1e-3f, -1e-3f, 0.3f, -0.7f, 5, -30, 100, -65504, 70000, 1e6f, -1e6f};
  const auto clipped = [&](float low, float high) {
    onnx::ModelProto model = empty_model({0, 3, 2, 2});
    add_tensor(model, "low", {}, 1).set_float_data(0, low);
    add_tensor(model, "high", {}, 1).set_float_data(0, high);
    add_node(model, "Clip", {"x", "low", "high"}, "y");
    const OnnxModel read = parse_onnx(bytes_of(model), "a.onnx");
    Tensor x({1, 3, 2, 2});
    std::ranges::copy(given, x.data().begin());
    Executor executor(read.graph, {.batch = 1});
    const ConstView out = executor.forward(x.view());
    return std::vector<float>(out.data.begin(), out.data.end());
  };
  constexpr float infinity = std::numeric_limits<float>::infinity(), most = std::numeric_limits<float>::max();
  for (const auto& [low, high] : std::vector<std::pair<float, float>>{{-65504, 65504},
                                                                      {-1e30f, 1e30f},
                                                                      {-3e38f, 3e38f},
                                                                      {-most, most},
                                                                      {-1e17f, 200},
                                                                      {-infinity, 65504},
                                                                      {-100, infinity},
                                                                      {-100, 6},
                                                                      {-1, 1},
                                                                      {2, 4e4f},
                                                                      {-4e4f, -2}}) {
    const std::vector<float> got = clipped(low, high);
    for (std::size_t i = 0; i < given.size(); ++i) {
      const float wanted = std::clamp(given[i], low, high);
      EXPECT_NEAR(got[i], wanted, std::fabs(wanted) * 1e-6 + 1e-6)
          << given[i] << " in " << low << ".." << high;
    }
  }
}

TEST(OnnxFile, ResizingByAScaleGivesOnnxruntimesSizes) {
  const auto size_of = [](std::int64_t side, float scale) {
    onnx::ModelProto model = empty_model({0, 1, side, side});
    onnx::TensorProto& scales = add_tensor(model, "scales", {4}, 4);
    scales.set_float_data(2, scale);
    scales.set_float_data(3, scale);
    onnx::NodeProto& node = add_node(model, "Resize", {"x", "", "scales"}, "y");
    onnx::AttributeProto& mode = *node.add_attribute();
    mode.set_name("mode");
    mode.set_type(onnx::AttributeProto::STRING);
    mode.set_s("nearest");
    return parse_onnx(bytes_of(model), "a.onnx").graph.output_shape().h;
  };
  EXPECT_EQ(size_of(10, 0.7f), 7);
  EXPECT_EQ(size_of(10, 0.5f), 5);
  EXPECT_EQ(size_of(10, 0.69f), 6);
  EXPECT_EQ(size_of(7, 2), 14);
}

TEST(OnnxFile, IsRefusedWhereverItIsCutOff) {
  for (const char* file : {"outputs_13", "rows_11", "resizes_9"}) {
    const Bytes bytes = read_file(text("tests/files/onnx/", file, ".onnx"));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      // Where a whole field ends, only what stands after the graph is missing.
      const bool is_read = refusal(cut).empty();
      EXPECT_TRUE(!is_read || size > bytes.size() - 64) << file << " " << size;
    }
  }
}

TEST(OnnxFile, SurvivesEveryFlippedBit) {
  for (const char* file : {"outputs_13", "resizes_9", "paddings_7"}) {
    Bytes bytes = read_file(text("tests/files/onnx/", file, ".onnx"));
    for (std::size_t i = 0; i < bytes.size(); ++i)
      for (int bit = 0; bit < 8; bit += 1 + static_cast<int>(i % 3)) {
        bytes[i] ^= static_cast<std::uint8_t>(1u << bit);
        refusal(bytes);
        bytes[i] ^= static_cast<std::uint8_t>(1u << bit);
      }
  }
}

TEST(OnnxFile, ListsAllThatCannotBeTaken) {
  onnx::ModelProto model = empty_model();
  add_node(model, "If", {"x"}, "a");
  add_node(model, "Erf", {"x"}, "b");
  add_node(model, "Erf", {"b"}, "c");
  add_node(model, "Gelu", {"a"}, "d").set_domain("com.microsoft");
  add_node(model, "NonZero", {"x"}, "unused");
  model.mutable_graph()->mutable_node(0)->add_input("b");
  add_node(model, "Sum", {"a", "b", "c", "d"}, "y");
  std::swap(*model.mutable_graph()->mutable_node(0), *model.mutable_graph()->mutable_node(1));
  ErrorKind kind = ErrorKind::usage;
  const std::string found = refusal(model, &kind);
  EXPECT_EQ(kind, ErrorKind::unsupported);
  EXPECT_TRUE(names(
      found, {"Erf (node \"make b\")", "If (node \"make a\")", "com.microsoft.Gelu (node \"make d\")"}));
  EXPECT_EQ(found.find("NonZero"), std::string::npos);
}

TEST(OnnxFile, IsRefusedWhereItsGraphIsNone) {
  onnx::ModelProto cycle = empty_model();
  add_node(cycle, "Add", {"x", "b"}, "a");
  add_node(cycle, "Relu", {"a"}, "b");
  add_node(cycle, "Relu", {"b"}, "y");
  EXPECT_TRUE(names(refusal(cycle), {"\"b\"", "before any node makes it"}));
  onnx::ModelProto itself = empty_model();
  add_node(itself, "Relu", {"y"}, "y");
  EXPECT_TRUE(names(refusal(itself), {"input"}) || names(refusal(itself), {"before any node"}));
  onnx::ModelProto twice = convolution();
  add_node(twice, "Relu", {"c"}, "y");
  EXPECT_TRUE(names(refusal(twice), {"\"y\"", "twice"}));
  onnx::ModelProto tensors = convolution();
  add_tensor(tensors, "c.weight", {1}, 1);
  EXPECT_TRUE(names(refusal(tensors), {"two initialisers", "c.weight"}));
  onnx::ModelProto missing = convolution();
  missing.mutable_graph()->mutable_node(0)->set_input(1, "nowhere");
  EXPECT_TRUE(names(refusal(missing), {"nowhere"}));
  onnx::ModelProto no_output = convolution();
  no_output.mutable_graph()->clear_output();
  EXPECT_TRUE(names(refusal(no_output), {"output"}));
  onnx::ModelProto nothing;
  nothing.set_ir_version(8);
  EXPECT_TRUE(names(refusal(nothing), {"no ONNX graph"}));
}

TEST(OnnxFile, InputsHaveToBeOnePicture) {
  const auto with_input = [](const std::vector<std::int64_t>& dims) {
    onnx::ModelProto model = empty_model(dims);
    add_node(model, "Relu", {"x"}, "y");
    return refusal(model);
  };
  EXPECT_EQ(with_input({1, 3, 8, 8}), "");
  EXPECT_TRUE(names(with_input({4, 3, 8, 8}), {"\"x\"", "exactly 4 pictures"}));
  EXPECT_TRUE(names(with_input({0, 3, 0, 0}), {"leaves the sizes of the picture open"}));
  EXPECT_TRUE(names(with_input({0, 3, 2, 8, 8}), {"5 sizes"}));
  EXPECT_TRUE(names(with_input({0, std::int64_t{1} << 40, std::int64_t{1} << 40, 4}), {"2^28"}));
  onnx::ModelProto two = empty_model();
  add_value(*two.mutable_graph()->add_input(), "z", {0, 2, 4, 4});
  add_node(two, "Add", {"x", "z"}, "y");
  EXPECT_TRUE(names(refusal(two), {"\"x\"", "\"z\"", "a Graph has one"}));
  onnx::ModelProto open = empty_model({0, 3, 0, 0});
  add_node(open, "Relu", {"x"}, "y");
  EXPECT_EQ(parse_onnx(bytes_of(open), "a.onnx", {.height = 5, .width = 7}).graph.input_shape(),
            (Shape{.c = 3, .h = 5, .w = 7}));
}

TEST(OnnxFile, TensorsAreAsLargeAsTheySay) {
  onnx::ModelProto model = convolution();
  onnx::TensorProto& weight = *model.mutable_graph()->mutable_initializer(0);
  weight.set_dims(0, std::int64_t{1} << 40);
  EXPECT_TRUE(names(refusal(model), {"c.weight", "2^28"}));
  weight.set_dims(0, 1000);
  EXPECT_TRUE(names(refusal(model), {"c.weight", "6 numbers", "need 2000"}));
  weight.set_dims(0, -3);
  EXPECT_NE(refusal(model), "");
  weight.set_dims(0, 0);
  weight.clear_float_data();
  EXPECT_NE(refusal(model), "");
  weight.set_data_location(onnx::TensorProto::EXTERNAL);
  EXPECT_TRUE(names(refusal(model), {"c.weight", "another file"}));
}

TEST(OnnxFile, AttributesHaveTheirTypes) {
  onnx::ModelProto model = convolution();
  onnx::NodeProto& node = *model.mutable_graph()->mutable_node(0);
  onnx::AttributeProto& strides = *node.add_attribute();
  strides.set_name("strides");
  strides.set_type(onnx::AttributeProto::STRING);
  strides.set_s("2");
  EXPECT_TRUE(names(refusal(model), {"make c", "Conv", "strides", "wrong type"}));
  strides.set_type(onnx::AttributeProto::INTS);
  for (const std::int64_t wrong : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40}) {
    strides.clear_ints();
    strides.add_ints(wrong);
    strides.add_ints(1);
    EXPECT_TRUE(names(refusal(model), {"strides"})) << wrong;
  }
  strides.add_ints(1);
  EXPECT_TRUE(names(refusal(model), {"strides should be 2 numbers"}));
}

TEST(OnnxFile, AWeightUsedVeryOftenDoesNotTakeAllMemory) {
  onnx::ModelProto model = empty_model({0, 512, 1, 1});
  add_tensor(model, "w", {512, 512, 1, 1}, 512 * 512);
  std::string before = "x";
  for (int i = 0; i < 3000; ++i) {
    const std::string output = i == 2999 ? "y" : text("v", i);
    add_node(model, "Conv", {before, "w"}, output);
    before = output;
  }
  ErrorKind kind = ErrorKind::usage;
  EXPECT_TRUE(names(refusal(model, &kind), {"far more numbers than its file holds"}));
  EXPECT_EQ(kind, ErrorKind::unsupported);
}

TEST(OnnxFile, ConstantsStaySmall) {
  onnx::ModelProto model = empty_model();
  add_wholes(model, "sizes", {1 << 14, 1 << 13});
  add_node(model, "ConstantOfShape", {"sizes"}, "zeros");
  add_node(model, "Add", {"x", "zeros"}, "y");
  EXPECT_TRUE(names(refusal(model), {"ConstantOfShape", "far more numbers"}));
  onnx::ModelProto wide = empty_model({0, 1, 1, 1});
  add_wholes(wide, "sizes", {1 << 20, 1 << 20, 1, 1});
  add_node(wide, "Expand", {"x", "sizes"}, "y");
  EXPECT_TRUE(names(refusal(wide), {"Expand", "2^28"}));
  onnx::ModelProto doubled = empty_model();
  add_wholes(doubled, "v0", std::vector<std::int64_t>(1000, 1));
  for (int i = 0; i < 60; ++i) {
    const std::string from = text("v", i);
    set_whole(add_node(doubled, "Concat", {from, from}, text("v", i + 1)), "axis", 0);
  }
  add_node(doubled, "Reshape", {"x", "v60"}, "y");
  EXPECT_TRUE(names(refusal(doubled), {"Concat"}));
}

TEST(OnnxFile, ManyNodesOfOneNameAreFast) {
  onnx::ModelProto model = empty_model();
  std::string before = "x";
  for (int i = 0; i < 2000; ++i) {
    const std::string output = i == 1999 ? "y" : text("v", i);
    add_node(model, "Tanh", {before}, output).set_name("same");
    before = output;
  }
  const OnnxModel made = parse_onnx(bytes_of(model), "a.onnx");
  EXPECT_EQ(made.graph.nodes().back().name, "same_2000");
}

TEST(OnnxFile, NestsNoDeeperThanTheFormat) {
  // A graph within an attribute within a node..., a thousand deep: skipped, as its operator is unknown.
  std::string inner;
  for (int depth = 0; depth < 1000; ++depth) {
    onnx::GraphProto graph;
    graph.add_node()->add_attribute()->set_g(inner);
    inner = graph.SerializeAsString();
  }
  onnx::ModelProto model = empty_model();
  onnx::NodeProto& node = add_node(model, "Loop", {"x"}, "y");
  node.add_attribute()->set_g(inner);
  EXPECT_TRUE(names(refusal(model), {"Loop (node \"make y\")"}));
  // Groups, a kind of field that ONNX has not, would nest without an end.
  EXPECT_TRUE(names(refusal(Bytes(100'000, 0x0B)), {"a kind that ONNX does not use"}));
  // Two bytes make an empty node.
  std::string nodes;
  for (int i = 0; i < 1'100'000; ++i) nodes += std::string("\x0A\x00", 2);
  Bytes many = {0x08, 0x08, 0x3A};
  for (std::size_t size = nodes.size(); size > 0; size >>= 7)
    many.push_back(static_cast<std::uint8_t>((size & 0x7F) | (size > 0x7F ? 0x80 : 0)));
  many.insert(many.end(), nodes.begin(), nodes.end());
  EXPECT_TRUE(names(refusal(many), {"more than 1,000,000 messages"}));
}

TEST(OnnxFile, AWindowThatCannotBePlacedIsNamed) {
  onnx::ModelProto model = convolution();
  model.mutable_graph()->mutable_initializer(0)->set_dims(2, 6);
  onnx::TensorProto& weight = *model.mutable_graph()->mutable_initializer(0);
  weight.set_dims(0, 1);
  weight.set_dims(1, 1);
  EXPECT_TRUE(names(refusal(model), {"Conv", "1 channels in each of 1 groups", "has 2"}));
  weight.set_dims(0, 1);
  weight.set_dims(1, 2);
  weight.set_dims(2, 3);
  onnx::AttributeProto& dilations = *model.mutable_graph()->mutable_node(0)->add_attribute();
  dilations.set_name("dilations");
  dilations.add_ints(60000);
  dilations.add_ints(1);
  EXPECT_TRUE(names(refusal(model), {"Conv (node \"c\"", "the window covers"}));
}

TEST(OnnxHostile, WhatFuzzingFoundIsRefused) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/files/onnx_hostile")) {
    ++files;
    EXPECT_THROW(load_onnx(entry.path()), Error) << entry.path();
  }
  EXPECT_GT(files, 0);
}

}  // namespace
}  // namespace enxerto
