// MobileNetV1 and V2.
#include <array>
#include <string>

#include "enxerto/core/text.h"
#include "enxerto/zoo/chain.h"
#include "enxerto/zoo/families.h"

namespace enxerto {
namespace {

constexpr auto relu6 = Activation::relu6;

/// Howard et al. 2017, table 1: channels of the 13 separable convolutions, and which have stride 2.
struct Separable {
  int channels, stride;
};
constexpr std::array<Separable, 13> separable = {{{64, 1},
                                                  {128, 2},
                                                  {128, 1},
                                                  {256, 2},
                                                  {256, 1},
                                                  {512, 2},
                                                  {512, 1},
                                                  {512, 1},
                                                  {512, 1},
                                                  {512, 1},
                                                  {512, 1},
                                                  {1024, 2},
                                                  {1024, 1}}};

/// Sandler et al. 2018, table 2: expansion, channels, repetitions, stride of the first.
struct Inverted {
  int expansion, channels, count, stride;
};
constexpr std::array<Inverted, 7> inverted = {{{1, 16, 1, 1},
                                               {6, 24, 2, 2},
                                               {6, 32, 3, 2},
                                               {6, 64, 4, 2},
                                               {6, 96, 3, 1},
                                               {6, 160, 3, 2},
                                               {6, 320, 1, 1}}};

/// Calls block(number, expansion, channels, stride) for each of V2's 17 blocks.
template <class Block>
void for_each_block(Block block) {
  int number = 0;
  for (const Inverted& row : inverted)
    for (int i = 0; i < row.count; ++i) block(number++, row.expansion, row.channels, i == 0 ? row.stride : 1);
}

}  // namespace

Graph make_mobilenet_v1(const Shape& image, int classes, bool include_top, int percent) {
  const auto scaled = [&](int channels) { return channels * percent / 100; };
  const BatchNorm norm{.eps = 1e-3f, .momentum = 0.01f};
  const Padding same = Padding::same_as_tensorflow();
  Graph net;
  Chain x(net, net.input(image));
  x.conv_bn("conv1", {.out = scaled(32), .kernel = 3, .stride = 2, .pad = same}, "conv1_bn", norm);
  x.activate("conv1_relu", relu6);
  int number = 0;
  for (const auto& [channels, stride] : separable) {
    const std::string n = text(++number), dw = "conv_dw_" + n, pw = "conv_pw_" + n;
    // Keras pads by one at the bottom and on the right here, of odd sizes too, where SAME would not.
    const Padding pad = stride == 2 ? Padding(0, 0, 1, 1) : Padding(1);
    x.conv_bn(dw, {.out = x.channels(), .kernel = 3, .stride = stride, .pad = pad, .groups = x.channels()},
              dw + "_bn", norm);
    x.activate(dw + "_relu", relu6);
    x.conv_bn(pw, {.out = scaled(channels)}, pw + "_bn", norm).activate(pw + "_relu", relu6);
  }
  if (!include_top) return net;
  x.then("global_average_pooling2d", GlobalAvgPool{}).then("dropout", Dropout{.p = 1e-3f});
  x.then("conv_preds", Conv2d{.out = classes});
  return net;
}

Graph make_mobilenet_v2(const Shape& image, int classes, bool include_top) {
  Graph net;
  Chain x(net, net.input(image));
  x.conv_bn("features.0.0", {.out = 32, .kernel = 3, .stride = 2, .pad = 1}, "features.0.1");
  x.activate("features.0.2", relu6);
  for_each_block([&](int number, int expansion, int channels, int stride) {
    const std::string block = text("features.", number + 1);
    const NodeId from = x.end();
    const int inputs = x.channels(), hidden = inputs * expansion;
    int part = 0;
    const auto next = [&] { return text(block, ".conv.", part++); };
    const auto unit = [&](Conv2d layer) {
      const std::string name = next();
      x.conv_bn(name + ".0", layer, name + ".1").activate(name + ".2", relu6);
    };
    if (expansion > 1) unit({.out = hidden});
    unit({.out = hidden, .kernel = 3, .stride = stride, .pad = 1, .groups = hidden});
    const std::string projection = next();
    x.conv_bn(projection, {.out = channels}, next());
    if (stride == 1 && inputs == channels) x.plus(block + ".add", from);
  });
  x.conv_bn("features.18.0", {.out = 1280}, "features.18.1").activate("features.18.2", relu6);
  if (!include_top) return net;
  x.then("avgpool", GlobalAvgPool{}).then("classifier.0", Dropout{.p = 0.2f});
  x.then("classifier.1", Linear{.out = classes});
  return net;
}

Graph make_mobilenet_v2_keras(const Shape& image, int classes, bool include_top) {
  const BatchNorm norm{.eps = 1e-3f, .momentum = 0.001f};
  const Padding same = Padding::same_as_tensorflow();
  Graph net;
  Chain x(net, net.input(image));
  x.conv_bn("Conv1", {.out = 32, .kernel = 3, .stride = 2, .pad = same}, "bn_Conv1", norm);
  x.activate("Conv1_relu", relu6);
  for_each_block([&](int number, int expansion, int channels, int stride) {
    const std::string block = number ? text("block_", number, "_") : "expanded_conv_";
    const NodeId from = x.end();
    const int inputs = x.channels(), hidden = inputs * expansion;
    const auto unit = [&](const std::string& name, Conv2d layer) {
      x.conv_bn(name, layer, name + "_BN", norm);
    };
    if (expansion > 1) {
      unit(block + "expand", {.out = hidden});
      x.activate(block + "expand_relu", relu6);
    }
    unit(block + "depthwise", {.out = hidden, .kernel = 3, .stride = stride, .pad = same, .groups = hidden});
    x.activate(block + "depthwise_relu", relu6);
    unit(block + "project", {.out = channels});
    if (stride == 1 && inputs == channels) x.plus(block + "add", from);
  });
  x.conv_bn("Conv_1", {.out = 1280}, "Conv_1_bn", norm).activate("out_relu", relu6);
  if (include_top)
    x.then("global_average_pooling2d", GlobalAvgPool{}).then("predictions", Linear{.out = classes});
  return net;
}

}  // namespace enxerto
