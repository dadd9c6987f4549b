#include <string>

#include "enxerto/core/text.h"
#include "enxerto/zoo/families.h"

namespace enxerto {
namespace {

/// Adds the parts of residual networks to a graph, under names that start with that of the block.
struct Builder {
  Graph& net;

  NodeId conv_bn(const std::string& conv, const std::string& bn, NodeId from, Conv2d layer) {
    layer.bias = false;  // the shift of the batch norm that follows does its work
    return net.add(bn, BatchNorm{}, {net.add(conv, layer, {from})});
  }
  NodeId relu(const std::string& name, NodeId from) { return net.add(name, Activate{}, {from}); }

  /// The end of each block: the sum with its shortcut, then ReLU.
  NodeId join(const std::string& block, NodeId branch, NodeId shortcut) {
    return relu(block + ".relu", net.add(block + ".add", Add{}, {branch, shortcut}));
  }

  /// Two 3x3 convolutions, without the last ReLU.
  NodeId basic(const std::string& block, NodeId from, int channels, int stride) {
    const NodeId first = conv_bn(block + ".conv1", block + ".bn1", from,
                                 {.out = channels, .kernel = 3, .stride = stride, .pad = 1});
    return conv_bn(block + ".conv2", block + ".bn2", relu(block + ".relu1", first),
                   {.out = channels, .kernel = 3, .pad = 1});
  }

  /// 1x1, 3x3 with the stride, 1x1 to four times the channels, without the last ReLU.
  NodeId bottleneck(const std::string& block, NodeId from, int channels, int stride) {
    const NodeId first = conv_bn(block + ".conv1", block + ".bn1", from, {.out = channels});
    const NodeId second = conv_bn(block + ".conv2", block + ".bn2", relu(block + ".relu1", first),
                                  {.out = channels, .kernel = 3, .stride = stride, .pad = 1});
    return conv_bn(block + ".conv3", block + ".bn3", relu(block + ".relu2", second), {.out = 4 * channels});
  }
};

}  // namespace

Graph make_resnet(const Shape& image, int classes, bool include_top, const std::array<int, 4>& blocks,
                  bool bottleneck) {
  Graph net;
  Builder build{net};
  NodeId x = build.conv_bn("conv1", "bn1", net.input(image), {.out = 64, .kernel = 7, .stride = 2, .pad = 3});
  x = net.add("maxpool", MaxPool2d{.kernel = 3, .stride = 2, .pad = 1}, {build.relu("relu", x)});
  for (int stage = 0; stage < 4; ++stage) {
    const int channels = 64 << stage, widened = bottleneck ? 4 * channels : channels;
    for (int i = 0; i < blocks[static_cast<std::size_t>(stage)]; ++i) {
      const std::string block = text("layer", stage + 1, ".", i);
      const int stride = stage > 0 && i == 0 ? 2 : 1;
      const NodeId branch =
          bottleneck ? build.bottleneck(block, x, channels, stride) : build.basic(block, x, channels, stride);
      const bool same = stride == 1 && net.node(x).out.c == widened;
      const NodeId shortcut = same ? x
                                   : build.conv_bn(block + ".downsample.0", block + ".downsample.1", x,
                                                   {.out = widened, .stride = stride});
      x = build.join(block, branch, shortcut);
    }
  }
  if (!include_top) return net;
  net.add("fc", Linear{.out = classes}, {net.add("avgpool", GlobalAvgPool{}, {x})});
  return net;
}

Graph make_resnet_cifar(const Shape& image, int classes, bool include_top, int blocks) {
  Graph net;
  Builder build{net};
  const NodeId first = build.conv_bn("conv1", "bn1", net.input(image), {.out = 16, .kernel = 3, .pad = 1});
  NodeId x = build.relu("relu", first);
  for (int stage = 0; stage < 3; ++stage) {
    const int channels = 16 << stage;
    for (int i = 0; i < blocks; ++i) {
      const std::string block = text("layer", stage + 1, ".", i);
      const bool halves = stage > 0 && i == 0;
      const NodeId branch = build.basic(block, x, channels, halves ? 2 : 1);
      NodeId shortcut = x;
      if (halves) {
        // A mean over one pixel is that pixel: with stride 2 every second one remains.
        const NodeId thinned = net.add(block + ".shortcut.pixels", AvgPool2d{.kernel = 1, .stride = 2}, {x});
        shortcut = net.add(block + ".shortcut.channels",
                           ChannelPad{.before = channels / 4, .after = channels / 4}, {thinned});
      }
      x = build.join(block, branch, shortcut);
    }
  }
  if (!include_top) return net;
  net.add("linear", Linear{.out = classes}, {net.add("avgpool", GlobalAvgPool{}, {x})});
  return net;
}

}  // namespace enxerto
