#include "enxerto/weights/torch_file.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;
using Dims = std::vector<std::int64_t>;
using Values = std::vector<float>;

// tools/make_torch_files.py makes the files.
const fs::path folder = "tests/files/torch";
const std::string layouts[] = {".pt", "_old.pt"};

void expect_tensor(const NamedTensors& tensors, const std::string& name, const Dims& dims,
                   const Values& want) {
  const NamedTensor* found = find_tensor(tensors, name);
  ASSERT_NE(found, nullptr) << name;
  EXPECT_EQ(found->dims, dims) << name;
  const auto got = found->value.data();
  EXPECT_EQ(Values(got.begin(), got.end()), want) << name;
}

std::vector<std::string> names_of(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const NamedTensor& tensor : tensors) names.push_back(tensor.name);
  return names;
}

std::string failure(const std::string& name, ErrorKind wanted) {
  try {
    load_torch(folder / name);
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(wanted)) << error.what();
    EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    return error.what();
  }
  return {};
}

TEST(TorchFile, EveryNumberFormatIsReadInBothLayouts) {
  for (const std::string& layout : layouts) {
    const NamedTensors read = load_torch(folder / ("formats" + layout));
    expect_tensor(read, "f32", {2, 2}, {0.1f, -2.5f, std::numeric_limits<float>::infinity(), 3e-40f});
    expect_tensor(read, "f16", {3}, {1.0f, -3.140625f, 65504.0f});
    expect_tensor(read, "bf16", {3}, {1.0f, -5.0f, std::bit_cast<float>(0x7F620000u)});
    expect_tensor(read, "f64", {2}, {0.1f, -std::numeric_limits<float>::infinity()});
    expect_tensor(read, "i64", {2}, {-0x1p40f, 7.0f});
    expect_tensor(read, "i32", {2}, {-5.0f, 6.0f});
    expect_tensor(read, "i16", {1}, {-300.0f});
    expect_tensor(read, "i8", {1}, {-100.0f});
    expect_tensor(read, "u8", {1}, {200.0f});
    expect_tensor(read, "bool", {3}, {1.0f, 0.0f, 1.0f});
    expect_tensor(read, "empty", {0, 3}, {});
    expect_tensor(read, "scalar", {}, {4.5f});
    EXPECT_EQ(read.size(), 12u);
    EXPECT_EQ(read.front().name, "f32");  // the order of the file
    EXPECT_EQ(read.back().name, "scalar");
  }
  expect_tensor(load_torch(folder / "untyped.pt"), "w", {2}, {7.0f, 60000.0f});
}

TEST(TorchFile, ViewsOfAnyStridesBecomeDense) {
  for (const std::string& layout : layouts) {
    const NamedTensors read = load_torch(folder / ("views" + layout));
    expect_tensor(read, "transposed", {3, 2}, {0, 3, 1, 4, 2, 5});
    expect_tensor(read, "slice", {2, 3}, {8, 9, 10, 14, 15, 16});
    expect_tensor(read, "steps", {5}, {3, 8, 13, 18, 23});
    expect_tensor(read, "last", {4}, {20, 21, 22, 23});
    Values ramp(24);
    for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i);
    expect_tensor(read, "channels_last", {1, 2, 3, 4}, ramp);
    expect_tensor(read, "expanded", {2, 3}, {1, 1, 1, 2, 2, 2});
    EXPECT_EQ(read.size(), 6u);
  }
}

TEST(TorchFile, ACheckpointGivesItsTensorsByThePathOfTheirKeys) {
  for (const std::string& layout : layouts) {
    const NamedTensors read = load_torch(folder / ("checkpoint" + layout));
    const std::vector<std::string> want = {"state_dict.conv.weight",
                                           "state_dict.conv.bias",
                                           "state_dict.norm.weight",
                                           "state_dict.norm.bias",
                                           "state_dict.norm.running_mean",
                                           "state_dict.norm.running_var",
                                           "state_dict.norm.num_batches_tracked",
                                           "optimizer.state.0.step",
                                           "optimizer.state.0.exp_avg",
                                           "optimizer.state.0.exp_avg_sq",
                                           "optimizer.state.1.step",
                                           "optimizer.state.1.exp_avg",
                                           "optimizer.state.1.exp_avg_sq",
                                           "optimizer.state.2.step",
                                           "optimizer.state.2.exp_avg",
                                           "optimizer.state.2.exp_avg_sq",
                                           "optimizer.state.3.step",
                                           "optimizer.state.3.exp_avg",
                                           "optimizer.state.3.exp_avg_sq",
                                           "parameter",
                                           "list.0",
                                           "list.2.0"};
    EXPECT_EQ(names_of(read), want);
    expect_tensor(read, "state_dict.conv.weight", {2, 1, 1, 1}, {0, 1});
    expect_tensor(read, "state_dict.norm.weight", {2}, {20, 21});
    expect_tensor(read, "state_dict.norm.num_batches_tracked", {}, {0});
    expect_tensor(read, "optimizer.state.3.step", {}, {1});
    expect_tensor(read, "parameter", {1}, {1.5f});
    expect_tensor(read, "list.2.0", {1}, {2});
  }
}

TEST(TorchFile, OtherProtocolsOfPickleAreReadToo) {
  for (const int protocol : {1, 3, 4, 5})
    for (const std::string& layout : layouts)
      expect_tensor(load_torch(folder / text("protocol", protocol, layout)), "w", {3}, {0, 1, 2});
  expect_tensor(load_torch(folder / "bare.pt"), "tensor", {2}, {1, 2});
}

TEST(TorchFile, WhatIsNotReadIsNamed) {
  for (const char* name : {"sparse.pt", "quantised.pt", "complex.pt"})
    EXPECT_NE(failure(name, ErrorKind::unsupported).find(R"(tensor "a" )"), std::string::npos) << name;
  const std::string module = failure("module.pt", ErrorKind::unsupported);
  for (const char* said :
       {"GLOBAL at byte ", "torch.nn.modules.activation.ReLU", "state_dict()", "safetensors"})
    EXPECT_NE(module.find(said), std::string::npos) << module;
  EXPECT_NE(failure("expanded.pt", ErrorKind::unsupported).find("contiguous"), std::string::npos);
  EXPECT_NE(failure("nothing.pt", ErrorKind::corrupt).find("holds no tensors"), std::string::npos);
  EXPECT_NE(failure("twice.pt", ErrorKind::corrupt).find(R"(two tensors called "a.b")"), std::string::npos);
  EXPECT_THROW(load_torch(folder / "none.pt"), Error);
}

TEST(TorchFile, FilesAreToldByTheirContent) {
  for (const std::string& layout : layouts)
    EXPECT_TRUE(looks_like_torch(read_file(folder / ("views" + layout)))) << layout;
  for (const int protocol : {1, 3, 4, 5})
    EXPECT_TRUE(looks_like_torch(read_file(folder / text("protocol", protocol, "_old.pt")))) << protocol;
  for (const std::string& other : {std::string(), std::string("PK\3\4"), std::string("\x80"),
                                   std::string("\x80\2\x95"), std::string(100, 'x')})
    EXPECT_FALSE(looks_like_torch(std::vector<std::uint8_t>(other.begin(), other.end())));
  const auto views = read_file(folder / "views.pt");
  EXPECT_FALSE(looks_like_torch(std::span(views).first(views.size() - 30)));
}

TEST(TorchFile, RealFilesAreRead) {
  const fs::path shared = "../shared/data/weights/pth";
  if (!fs::exists(shared)) GTEST_SKIP() << shared << " is missing: real PyTorch files were NOT tested";
  struct Real {
    const char *file, *name;
    std::size_t tensors;
    Dims dims;
    float first;
  };
  const Real files[] = {
      {"cifar10_resnet20-12fca82f.pth", "state_dict.module.linear.bias", 97, {10}, 0x1.8c68b2p-3f},
      {"fastestdet_coco.pth", "detect_head.cls_layers.conv5x5.4.running_var", 420, {80}, 0x1.5d1054p-5f},
      {"ultraface_rfb320.pth", "regression_headers.3.bias", 244, {12}, -0x1.cedb9cp-9f},
  };
  for (const Real& file : files) {
    const NamedTensors read = load_torch(shared / file.file);
    EXPECT_EQ(read.size(), file.tensors) << file.file;
    const NamedTensor* found = find_tensor(read, file.name);
    ASSERT_NE(found, nullptr) << file.file;
    EXPECT_EQ(found->dims, file.dims) << file.file;
    EXPECT_EQ(found->value.data()[0], file.first) << file.file;
  }
}

}  // namespace
}  // namespace enxerto
