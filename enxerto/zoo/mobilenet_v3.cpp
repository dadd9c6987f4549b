#include <algorithm>
#include <span>
#include <string>

#include "enxerto/core/text.h"
#include "enxerto/zoo/chain.h"
#include "enxerto/zoo/families.h"

namespace enxerto {
namespace {

/// Howard et al. 2019, tables 1 and 2.
struct Block {
  int kernel, expanded, channels;
  bool squeezes;
  Activation activation;
  int stride;
};
constexpr auto re = Activation::relu, hs = Activation::hard_swish;
constexpr Block large_blocks[] = {
    {3, 16, 16, false, re, 1},  {3, 64, 24, false, re, 2},  {3, 72, 24, false, re, 1},
    {5, 72, 40, true, re, 2},   {5, 120, 40, true, re, 1},  {5, 120, 40, true, re, 1},
    {3, 240, 80, false, hs, 2}, {3, 200, 80, false, hs, 1}, {3, 184, 80, false, hs, 1},
    {3, 184, 80, false, hs, 1}, {3, 480, 112, true, hs, 1}, {3, 672, 112, true, hs, 1},
    {5, 672, 160, true, hs, 2}, {5, 960, 160, true, hs, 1}, {5, 960, 160, true, hs, 1},
};
constexpr Block small_blocks[] = {
    {3, 16, 16, true, re, 2},  {3, 72, 24, false, re, 2}, {3, 88, 24, false, re, 1},
    {5, 96, 40, true, hs, 2},  {5, 240, 40, true, hs, 1}, {5, 240, 40, true, hs, 1},
    {5, 120, 48, true, hs, 1}, {5, 144, 48, true, hs, 1}, {5, 288, 96, true, hs, 2},
    {5, 576, 96, true, hs, 1}, {5, 576, 96, true, hs, 1},
};
std::span<const Block> blocks_of(MobilenetV3 size) {
  if (size == MobilenetV3::small) return small_blocks;
  return large_blocks;
}
int last_channels(MobilenetV3 size) { return size == MobilenetV3::small ? 1024 : 1280; }

/// The nearest multiple of 8, but never more than a tenth below.
int divisible(int channels) {
  const int near = std::max(8, (channels + 4) / 8 * 8);
  return 10 * near < 9 * channels ? near + 8 : near;
}

}  // namespace

Graph make_mobilenet_v3(const Shape& image, int classes, bool include_top, MobilenetV3 size) {
  const BatchNorm norm{.eps = 1e-3f, .momentum = 0.01f};
  Graph net;
  Chain x(net, net.input(image));
  const auto unit = [&](const std::string& name, Conv2d layer, Activation activation) {
    x.conv_bn(name + ".0", layer, name + ".1", norm);
    if (activation != Activation::none) x.activate(name + ".2", activation);
  };
  unit("features.0", {.out = 16, .kernel = 3, .stride = 2, .pad = 1}, hs);
  int number = 1;
  for (const Block& block : blocks_of(size)) {
    const std::string name = text("features.", number++);
    const NodeId from = x.end();
    const int inputs = x.channels();
    int part = 0;
    const auto next = [&] { return text(name, ".block.", part++); };
    if (block.expanded != inputs) unit(next(), {.out = block.expanded}, block.activation);
    unit(next(),
         {.out = block.expanded,
          .kernel = block.kernel,
          .stride = block.stride,
          .pad = block.kernel / 2,
          .groups = block.expanded},
         block.activation);
    if (block.squeezes) {
      const std::string squeeze = next();
      Chain gate = x;
      gate.then(squeeze + ".avgpool", GlobalAvgPool{});
      gate.then(squeeze + ".fc1", Conv2d{.out = divisible(block.expanded / 4)});
      gate.activate(squeeze + ".activation").then(squeeze + ".fc2", Conv2d{.out = block.expanded});
      gate.activate(squeeze + ".scale_activation", Activation::hard_sigmoid);
      x = Chain(net, net.add(squeeze + ".multiply", Multiply{}, {x.end(), gate.end()}));
    }
    unit(next(), {.out = block.channels}, Activation::none);
    if (block.stride == 1 && inputs == block.channels) x.plus(name + ".add", from);
  }
  unit(text("features.", number), {.out = 6 * x.channels()}, hs);
  if (!include_top) return net;
  x.then("avgpool", GlobalAvgPool{}).then("classifier.0", Linear{.out = last_channels(size)});
  x.activate("classifier.1", hs).then("classifier.2", Dropout{.p = 0.2f});
  x.then("classifier.3", Linear{.out = classes});
  return net;
}

Graph make_mobilenet_v3_minimalistic(const Shape& image, int classes, bool include_top, MobilenetV3 size) {
  const BatchNorm norm{.eps = 1e-3f, .momentum = 0.001f};
  const Padding same = Padding::same_as_tensorflow();
  Graph net;
  Chain x(net, net.input(image));
  const auto unit = [&](const std::string& name, Conv2d layer) {
    x.conv_bn(name, layer, name + "_bn", norm);
  };
  unit("conv", {.out = 16, .kernel = 3, .stride = 2, .pad = same});
  x.activate("conv_relu");
  int number = 0;
  for (const Block& block : blocks_of(size)) {
    const std::string name = number ? text("expanded_conv_", number, "_") : "expanded_conv_";
    const NodeId from = x.end();
    const int inputs = x.channels(), hidden = block.expanded;
    if (number++ > 0) {
      unit(name + "expand", {.out = hidden});
      x.activate(name + "expand_relu");
    }
    unit(name + "depthwise",
         {.out = hidden, .kernel = 3, .stride = block.stride, .pad = same, .groups = hidden});
    x.activate(name + "depthwise_relu");
    unit(name + "project", {.out = block.channels});
    if (block.stride == 1 && inputs == block.channels) x.plus(name + "add", from);
  }
  unit("conv_1", {.out = 6 * x.channels()});
  x.activate("conv_1_relu");
  if (!include_top) return net;
  x.then("global_average_pooling2d", GlobalAvgPool{}).then("conv_2", Conv2d{.out = last_channels(size)});
  x.activate("conv_2_relu").then("dropout", Dropout{.p = 0.2f}).then("logits", Conv2d{.out = classes});
  return net;
}

}  // namespace enxerto
