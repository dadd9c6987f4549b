#include "enxerto/zoo/zoo.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/graph/summary.h"

namespace enxerto {
namespace {

std::int64_t parameters(std::string_view name, const NetOptions& options = {}) {
  return summarize(make_net(name, options)).parameters;
}

bool has_param(const Graph& graph, std::string_view name, const Shape& shape) {
  const Param* param = graph.find_param(name);
  return param && param->spec.shape == shape;
}

TEST(Zoo, ResNet18IsTorchvisions) {
  const Graph net = make_net("resnet18");
  const Summary summary = summarize(net);
  EXPECT_EQ(summary.parameters, 11689512);
  EXPECT_EQ(summary.multiply_adds / 10000000, 181);  // torchvision's page: 1.81 GFLOPS
  EXPECT_TRUE(has_param(net, "conv1.weight", {64, 3, 7, 7}));
  EXPECT_TRUE(has_param(net, "bn1.running_mean", {.n = 64}));
  EXPECT_TRUE(has_param(net, "layer1.0.bn2.bias", {.n = 64}));
  EXPECT_TRUE(has_param(net, "layer2.0.downsample.0.weight", {128, 64, 1, 1}));
  EXPECT_TRUE(has_param(net, "layer2.0.downsample.1.running_var", {.n = 128}));
  EXPECT_TRUE(has_param(net, "fc.bias", {.n = 1000}));
  EXPECT_EQ(net.find_param("layer1.0.downsample.0.weight"), nullptr);
  EXPECT_EQ(net.params().size(), 102u);  // torchvision's 122 less num_batches_tracked of 20 batch norms
}

TEST(Zoo, ResNet34IsTorchvisions) {
  const Summary summary = summarize(make_net("resnet34"));
  EXPECT_EQ(summary.parameters, 21797672);
  EXPECT_EQ(summary.multiply_adds / 10000000, 366);
}

TEST(Zoo, ResNet50IsTorchvisionsAndKerasWouldCountItsStatisticsToo) {
  const Graph net = make_net("resnet50");
  const Summary summary = summarize(net);
  EXPECT_EQ(summary.parameters, 25557032);
  EXPECT_EQ(summary.multiply_adds / 10000000, 408);
  const Summary keras = summarize(net, SummaryStyle::keras);
  EXPECT_EQ(keras.trainable, 25557032);
  EXPECT_EQ(keras.non_trainable, 53120);  // as in the summary of Keras's own ResNet50
  EXPECT_TRUE(has_param(net, "layer1.0.downsample.0.weight", {256, 64, 1, 1}));
  EXPECT_TRUE(has_param(net, "layer4.2.conv3.weight", {2048, 512, 1, 1}));
  EXPECT_EQ(net.params().size(), 267u);  // 320 less 53
}

TEST(Zoo, ResNet20HasShortcutsWithoutParameters) {
  const Graph net = make_net("resnet20_cifar");
  // He et al. 2015, table 6: 0.27 million.
  EXPECT_EQ(summarize(net).parameters, 269722);
  EXPECT_EQ(net.params().size(), 19u * 5 + 2);
  EXPECT_TRUE(has_param(net, "layer1.0.conv1.weight", {16, 16, 3, 3}));
  EXPECT_TRUE(has_param(net, "layer3.2.bn2.running_var", {.n = 64}));
  EXPECT_TRUE(has_param(net, "linear.weight", {.n = 10, .c = 64}));
}

TEST(Zoo, Lenet5IsThePapers) {
  EXPECT_EQ(parameters("lenet5"), 61706);
  EXPECT_EQ(parameters("lenet5", {.image = Shape{.c = 1, .h = 32, .w = 32}}), 61706);
}

TEST(Zoo, TheLecturesNetTakesPicturesOfAnySize) {
  const Graph net = make_net("lecture3", {.classes = 6});
  EXPECT_EQ(net.output_shape(), (Shape{.c = 6}));
  EXPECT_EQ(summarize(net).parameters, 896 + 18496 + 36928 + (64 * 24 * 24) * 6 + 6);
  EXPECT_EQ(make_net("lecture3", {.image = Shape{.c = 1, .h = 37, .w = 50}}).output_shape(), (Shape{.c = 2}));
}

TEST(Zoo, WithoutItsTopANetEndsAtTheLastFeatureMap) {
  EXPECT_EQ(make_net("lecture3", {.include_top = false}).output_shape(), (Shape{1, 64, 24, 24}));
  EXPECT_EQ(make_net("lenet5", {.include_top = false}).output_shape(), (Shape{1, 16, 5, 5}));
  EXPECT_EQ(make_net("resnet18", {.include_top = false}).output_shape(), (Shape{1, 512, 7, 7}));
  EXPECT_EQ(parameters("resnet18", {.include_top = false}), 11689512 - 513000);
}

TEST(Zoo, EveryNetIsMadeAsItsInfoSays) {
  for (const NetInfo& info : nets()) {
    const Graph net = make_net(info.name);
    EXPECT_EQ(net.input_shape(), info.image) << info.name;
    EXPECT_EQ(net.output_shape(), (Shape{.c = info.classes})) << info.name;
  }
}

TEST(Zoo, AnUnknownNameIsToldWhatThereIsAndATooSmallPictureItsNet) {
  try {
    make_net("resnet19");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    for (const NetInfo& info : nets())
      EXPECT_NE(std::string_view(error.what()).find(info.name), std::string_view::npos);
  }
  try {
    make_net("lenet5", {.image = Shape{.c = 1, .h = 4, .w = 4}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string_view(error.what()).find("lenet5 for pictures of 1x4x4"), std::string_view::npos);
  }
  EXPECT_THROW(make_net("lenet5", {.classes = -1}), Error);
}

}  // namespace
}  // namespace enxerto
