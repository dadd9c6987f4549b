#include "enxerto/zoo/zoo.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

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

/// Fails for every tensor that is not there.
void expect_params(std::string_view net, const NetOptions& options,
                   std::initializer_list<std::pair<std::string_view, Shape>> wanted) {
  const Graph graph = make_net(net, options);
  for (const auto& [name, shape] : wanted) EXPECT_TRUE(has_param(graph, name, shape)) << net << ": " << name;
}

/// torchvision's pages of its weights: parameters, and multiply-adds as "GFLOPS".
struct Published {
  std::string_view net;
  std::int64_t parameters;
  double giga_multiply_adds;
};
constexpr Published torchvision[] = {
    {"alexnet", 61100840, 0.714},           {"vgg11", 132863336, 7.609},
    {"vgg13", 133047848, 11.308},           {"vgg16", 138357544, 15.47},
    {"vgg19", 143667240, 19.632},           {"vgg11_bn", 132868840, 7.609},
    {"vgg13_bn", 133053736, 11.308},        {"vgg16_bn", 138365992, 15.47},
    {"vgg19_bn", 143678248, 19.632},        {"googlenet", 6624904, 1.498},
    {"resnet18", 11689512, 1.814},          {"resnet34", 21797672, 3.664},
    {"resnet50", 25557032, 4.089},          {"resnet101", 44549160, 7.801},
    {"resnet152", 60192808, 11.514},        {"mobilenet_v2", 3504872, 0.301},
    {"mobilenet_v3_small", 2542856, 0.057}, {"mobilenet_v3_large", 5483032, 0.217},
    {"squeezenet1_0", 1248424, 0.819},      {"squeezenet1_1", 1235496, 0.349},
};

TEST(Zoo, CountsAreThoseThatTorchvisionPublishes) {
  for (const Published& wanted : torchvision) {
    const Summary summary = summarize(make_net(wanted.net));
    EXPECT_EQ(summary.parameters, wanted.parameters) << wanted.net;
    EXPECT_NEAR(static_cast<double>(summary.multiply_adds) / 1e9, wanted.giga_multiply_adds,
                0.015 * wanted.giga_multiply_adds)
        << wanted.net;
  }
  EXPECT_EQ(parameters("googlenet_aux"), 13004888);
}

TEST(Zoo, CountsAreThoseOfKerasApplications) {
  struct Counts {
    std::string_view net;
    std::int64_t parameters, trainable;
  };
  for (const Counts& wanted : {Counts{"resnet50_keras", 25636712, 25583592},
                               {"resnet101_keras", 44707176, 44601832},
                               {"resnet152_keras", 60419944, 60268520},
                               {"mobilenet_v1", 4253864, 4231976},
                               {"mobilenet_v1_0.75", 2601976, 2585560},
                               {"mobilenet_v1_0.5", 1342536, 1331592},
                               {"mobilenet_v1_0.25", 475544, 470072},
                               {"mobilenet_v2_keras", 3538984, 3504872},
                               {"mobilenet_v3_small_minimalistic", 2056848, 2044736},
                               {"mobilenet_v3_large_minimalistic", 3948688, 3924288}}) {
    const Summary summary = summarize(make_net(wanted.net), SummaryStyle::keras);
    EXPECT_EQ(summary.parameters, wanted.parameters) << wanted.net;
    EXPECT_EQ(summary.trainable, wanted.trainable) << wanted.net;
  }
}

TEST(Zoo, KerasResNet50CountsAsItsTutorialsSay) {
  Graph net = make_net("resnet50_keras", {.include_top = false});
  EXPECT_EQ(summarize(net, SummaryStyle::keras).parameters, 23587712);
  net = make_net("resnet50_keras", {.classes = 10});
  const Summary whole = summarize(net, SummaryStyle::keras);
  EXPECT_EQ(whole.parameters, 23608202);
  EXPECT_EQ(whole.trainable, 23555082);
  EXPECT_EQ(whole.non_trainable, 53120);
  net.freeze_through("avg_pool");
  const Summary frozen = summarize(net, SummaryStyle::keras);
  EXPECT_EQ(frozen.trainable, 20490);
  EXPECT_EQ(frozen.non_trainable, 23587712);
}

TEST(Zoo, CountsAreThoseOfThePapers) {
  EXPECT_EQ(parameters("alexnet_caffe"), 60965224);  // bvlc_alexnet
  EXPECT_EQ(parameters("zfnet"), 62357608);          // 5x5 and 3x3 without groups; 6x6x256 into fc6
  EXPECT_EQ(parameters("vgg16_c") / 1000000, 133);   // table 2 says 134 million
  EXPECT_EQ(parameters("vgg11_lrn"), 132863336);
  EXPECT_EQ(parameters("resnet50_caffe"), 25557032 + 64);  // conv1's bias
  EXPECT_EQ(parameters("resnet101_caffe"), 44549160);
  EXPECT_EQ(parameters("resnet152_caffe"), 60192808);
  EXPECT_EQ(parameters("resnet18_caffe"), 11689512);
  EXPECT_EQ(parameters("resnet34_caffe"), 21797672);
  EXPECT_EQ(parameters("squeezenet1_0_caffe"), 1248424);
  EXPECT_EQ(parameters("squeezenet1_1_caffe"), 1235496);
  // He et al. 2015, table 6: 0.27, 0.46, 0.66, 0.85 and 1.7 million.
  EXPECT_EQ(parameters("resnet20_cifar"), 269722);
  // By hand: 3x3 kernels c^2 * 9, twice in a block, and the ways round.
  EXPECT_EQ(parameters("resnet16_0.5", {.include_top = false}), 1618208 + 256 * 768 + 2 * 768);
  EXPECT_EQ(parameters("resnet32_cifar"), 464154);
  EXPECT_EQ(parameters("resnet44_cifar"), 658586);
  EXPECT_EQ(parameters("resnet56_cifar"), 853018);
  EXPECT_EQ(parameters("resnet110_cifar"), 1727962);
}

TEST(Zoo, NamesAreTorchvisions) {
  const NetOptions small{.classes = 7};
  expect_params("resnet18", small,
                {{"conv1.weight", {64, 3, 7, 7}},
                 {"bn1.running_mean", {.n = 64}},
                 {"layer1.0.bn2.bias", {.n = 64}},
                 {"layer2.0.downsample.0.weight", {128, 64, 1, 1}},
                 {"layer2.0.downsample.1.running_var", {.n = 128}},
                 {"fc.bias", {.n = 7}}});
  expect_params(
      "resnet50", small,
      {{"layer1.0.downsample.0.weight", {256, 64, 1, 1}}, {"layer4.2.conv3.weight", {2048, 512, 1, 1}}});
  expect_params("alexnet", small,
                {{"features.10.weight", {256, 256, 3, 3}}, {"classifier.6.bias", {.n = 7}}});
  expect_params("vgg11_bn", small,
                {{"features.26.running_mean", {.n = 512}}, {"classifier.3.weight", {.n = 4096, .c = 4096}}});
  expect_params("vgg11_lrn", small, {{"features.3.weight", {128, 64, 3, 3}}});
  expect_params("googlenet_aux", small,
                {{"inception3a.branch2.0.conv.weight", {96, 192, 1, 1}},
                 {"inception5b.branch4.1.bn.running_var", {.n = 128}},
                 {"aux1.conv.conv.weight", {128, 512, 1, 1}},
                 {"aux2.fc2.weight", {.n = 7, .c = 1024}}});
  expect_params("mobilenet_v2", small,
                {{"features.1.conv.0.0.weight", {32, 1, 3, 3}},
                 {"features.1.conv.2.running_mean", {.n = 16}},
                 {"features.17.conv.3.weight", {.n = 320}},
                 {"features.18.1.weight", {.n = 1280}},
                 {"classifier.1.bias", {.n = 7}}});
  expect_params("mobilenet_v3_small", small,
                {{"features.1.block.1.fc1.weight", {8, 16, 1, 1}},
                 {"features.1.block.2.1.bias", {.n = 16}},
                 {"features.12.0.weight", {576, 96, 1, 1}},
                 {"classifier.3.weight", {.n = 7, .c = 1024}}});
  expect_params("squeezenet1_1", small,
                {{"features.12.expand3x3.bias", {.n = 256}}, {"classifier.1.weight", {7, 512, 1, 1}}});
  const Graph net = make_net("resnet18", small);
  EXPECT_EQ(net.find_param("layer1.0.downsample.0.weight"), nullptr);
  EXPECT_EQ(net.params().size(), 102u);  // torchvision's 122 less num_batches_tracked of 20 batch norms
}

TEST(Zoo, NamesAreKerass) {
  const NetOptions small{.classes = 7};
  expect_params("resnet101_keras", small,
                {{"conv1_conv.bias", {.n = 64}},
                 {"conv4_block23_3_bn.running_var", {.n = 1024}},
                 {"conv2_block1_0_conv.weight", {256, 64, 1, 1}},
                 {"predictions.bias", {.n = 7}}});
  expect_params("mobilenet_v1_0.25", small,
                {{"conv_dw_13.weight", {256, 1, 3, 3}},
                 {"conv_pw_13_bn.running_var", {.n = 256}},
                 {"conv_preds.weight", {7, 256, 1, 1}}});
  expect_params("mobilenet_v2_keras", small,
                {{"bn_Conv1.weight", {.n = 32}},
                 {"expanded_conv_depthwise.weight", {32, 1, 3, 3}},
                 {"block_16_project_BN.bias", {.n = 320}}});
  expect_params("mobilenet_v3_large_minimalistic", small,
                {{"expanded_conv_14_depthwise_bn.weight", {.n = 960}}, {"logits.bias", {.n = 7}}});
  expect_params("darknet_tiny", small,
                {{"batch_normalization_15.running_mean", {.n = 128}}, {"conv2d_16.weight", {7, 128, 1, 1}}});
}

TEST(Zoo, NamesAreCaffes) {
  const NetOptions small{.classes = 7};
  expect_params("alexnet_caffe", small,
                {{"conv2.weight", {256, 48, 5, 5}}, {"fc6.weight", {.n = 4096, .c = 9216}}});
  expect_params("resnet50_caffe", small,
                {{"conv1.bias", {.n = 64}},
                 {"bn_conv1.weight", {.n = 64}},
                 {"res2a_branch1.weight", {256, 64, 1, 1}},
                 {"bn4f_branch2c.running_mean", {.n = 1024}},
                 {"fc1000.weight", {.n = 7, .c = 2048}}});
  expect_params("resnet152_caffe", small,
                {{"res2c_branch2a.weight", {64, 256, 1, 1}},
                 {"res3b7_branch2a.weight", {128, 512, 1, 1}},
                 {"bn4b35_branch2b.bias", {.n = 256}},
                 {"res5c_branch2c.weight", {2048, 512, 1, 1}}});
  expect_params("squeezenet1_0_caffe", small,
                {{"fire9/expand1x1.weight", {256, 64, 1, 1}}, {"conv10.bias", {.n = 7}}});
}

TEST(Zoo, FeatureMapsHaveTheSizesOfPapersAndFiles) {
  const auto size_at = [](const Graph& net, std::string_view name) {
    for (const Node& node : net.nodes())
      if (node.name == name) return node.out;
    return Shape{};
  };
  const Graph zfnet = make_net("zfnet", {.include_top = false});
  EXPECT_EQ(size_at(zfnet, "conv1"), (Shape{1, 96, 110, 110}));
  EXPECT_EQ(size_at(zfnet, "pool1"), (Shape{1, 96, 55, 55}));
  EXPECT_EQ(size_at(zfnet, "conv2"), (Shape{1, 256, 26, 26}));
  EXPECT_EQ(size_at(zfnet, "pool2"), (Shape{1, 256, 13, 13}));
  EXPECT_EQ(zfnet.output_shape(), (Shape{1, 256, 6, 6}));
  const Graph alexnet = make_net("alexnet_caffe", {.include_top = false});
  EXPECT_EQ(size_at(alexnet, "conv1"), (Shape{1, 96, 55, 55}));
  EXPECT_EQ(alexnet.output_shape(), (Shape{1, 256, 6, 6}));
  const Graph squeezenet = make_net("squeezenet1_0_caffe");
  EXPECT_EQ(size_at(squeezenet, "pool1"), (Shape{1, 96, 55, 55}));
  EXPECT_EQ(size_at(squeezenet, "fire8/concat"), (Shape{1, 512, 27, 27}));
  EXPECT_EQ(size_at(squeezenet, "fire9/concat"), (Shape{1, 512, 13, 13}));
  EXPECT_EQ(size_at(squeezenet, "conv10"), (Shape{1, 1000, 15, 15}));
  EXPECT_EQ(size_at(make_net("resnet50_caffe"), "pool1"), (Shape{1, 64, 56, 56}));
  EXPECT_EQ(make_net("darknet_tiny", {.include_top = false}).output_shape(), (Shape{1, 128, 14, 14}));
}

TEST(Zoo, AuxiliaryHeadsAreSideOutputs) {
  const Graph net = make_net("googlenet_aux", {.classes = 5});
  ASSERT_EQ(net.side_outputs().size(), 2u);
  EXPECT_EQ(net.node(net.side_outputs()[0]).name, "aux1.fc2");
  EXPECT_EQ(net.node(net.side_outputs()[1]).name, "aux2.fc2");
  EXPECT_EQ(net.nodes().back().name, "fc");
  EXPECT_TRUE(make_net("googlenet", {.classes = 5}).side_outputs().empty());
  EXPECT_EQ(parameters("googlenet_aux", {.include_top = false}),
            parameters("googlenet", {.include_top = false}));
}

TEST(Zoo, TheFirstUnitOfABottleneckStridesInTheOlderForms) {
  const auto stride_of = [](const Graph& net, std::string_view name) {
    for (const Node& node : net.nodes())
      if (node.name == name) return std::get<Conv2d>(node.layer).stride.h;
    return 0;
  };
  EXPECT_EQ(stride_of(make_net("resnet50", {.include_top = false}), "layer2.0.conv2"), 2);
  EXPECT_EQ(stride_of(make_net("resnet50_caffe", {.include_top = false}), "res3a_branch2a"), 2);
  EXPECT_EQ(stride_of(make_net("resnet50_keras", {.include_top = false}), "conv3_block1_1_conv"), 2);
}

TEST(Zoo, EveryNetTakesPicturesOfOtherSizesAndShapes) {
  for (const NetInfo& info : nets()) {
    if (info.name == "lenet5" || info.name.find("alexnet_caffe") == 0 || info.name == "zfnet") continue;
    // VGG's and AlexNet's linear layers are the same at all sizes: only their features are asked here.
    const bool large = info.name.find("vgg") == 0 || info.name == "alexnet" || info.name == "lecture3";
    const Shape image{.c = 1, .h = 97, .w = 130};
    const Graph net = make_net(info.name, {.image = image, .classes = 3, .include_top = !large});
    EXPECT_EQ(net.input_shape(), image) << info.name;
    EXPECT_TRUE(large || net.output_shape() == (Shape{.c = 3})) << info.name;
  }
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
