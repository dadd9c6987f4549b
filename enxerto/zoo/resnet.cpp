// Residual networks under torchvision's names, and those for small pictures.
#include <string>

#include "enxerto/core/text.h"
#include "enxerto/zoo/chain.h"
#include "enxerto/zoo/families.h"
#include "enxerto/zoo/resnet_plan.h"

namespace enxerto {
namespace {

/// Two 3x3 convolutions, without the last ReLU.
void add_basic(Chain& x, const std::string& block, int channels, int stride) {
  x.conv_bn(block + ".conv1", {.out = channels, .kernel = 3, .stride = stride, .pad = 1}, block + ".bn1");
  x.activate(block + ".relu1");
  x.conv_bn(block + ".conv2", {.out = channels, .kernel = 3, .pad = 1}, block + ".bn2");
}

/// 1x1, 3x3 with the stride, 1x1 to four times the channels, without the last ReLU.
void add_bottleneck(Chain& x, const std::string& block, int channels, int stride) {
  x.conv_bn(block + ".conv1", {.out = channels}, block + ".bn1").activate(block + ".relu1");
  x.conv_bn(block + ".conv2", {.out = channels, .kernel = 3, .stride = stride, .pad = 1}, block + ".bn2");
  x.activate(block + ".relu2");
  x.conv_bn(block + ".conv3", {.out = 4 * channels}, block + ".bn3");
}

void end_block(Chain& x, const std::string& block, NodeId shortcut) {
  x.plus(block + ".add", shortcut).activate(block + ".relu");
}

/// The stages have first_channels, twice as many, and so on.
void add_stages(Chain& x, const ResnetPlan& plan, int first_channels) {
  x.conv_bn("conv1", {.out = first_channels, .kernel = 7, .stride = 2, .pad = 3}, "bn1").activate("relu");
  x.then("maxpool", MaxPool2d{.kernel = 3, .stride = 2, .pad = 1});
  for (std::size_t stage = 0; stage < plan.blocks.size(); ++stage) {
    const int channels = first_channels << stage, widened = plan.bottleneck ? 4 * channels : channels;
    for (int i = 0; i < plan.blocks[stage]; ++i) {
      const std::string block = text("layer", stage + 1, ".", i);
      const int stride = stage > 0 && i == 0 ? 2 : 1;
      Chain shortcut = x;
      if (plan.bottleneck)
        add_bottleneck(x, block, channels, stride);
      else
        add_basic(x, block, channels, stride);
      if (stride > 1 || shortcut.channels() != widened)
        shortcut.conv_bn(block + ".downsample.0", {.out = widened, .stride = stride},
                         block + ".downsample.1");
      end_block(x, block, shortcut.end());
    }
  }
}

void add_head(Chain& x, int classes) {
  x.then("avgpool", GlobalAvgPool{}).then("fc", Linear{.out = classes});
}

}  // namespace

Graph make_resnet(const Shape& image, int classes, bool include_top, int depth) {
  Graph net;
  Chain x(net, net.input(image));
  add_stages(x, resnet_plan(depth), 64);
  if (include_top) add_head(x, classes);
  return net;
}

Graph make_resnet16_half(const Shape& image, int classes, bool include_top) {
  Graph net;
  Chain x(net, net.input(image));
  add_stages(x, {.blocks = {2, 2, 2, 1}, .bottleneck = false}, 32);
  // As MobileNets do: a linear head sees far more in 768 numbers than in the 256 of the last block.
  x.conv_bn("conv5", {.out = 768}, "bn5").activate("relu5");
  if (include_top) add_head(x, classes);
  return net;
}

Graph make_resnet_cifar(const Shape& image, int classes, bool include_top, int blocks) {
  Graph net;
  Chain x(net, net.input(image));
  x.conv_bn("conv1", {.out = 16, .kernel = 3, .pad = 1}, "bn1").activate("relu");
  for (int stage = 0; stage < 3; ++stage) {
    const int channels = 16 << stage;
    for (int i = 0; i < blocks; ++i) {
      const std::string block = text("layer", stage + 1, ".", i);
      const bool halves = stage > 0 && i == 0;
      Chain shortcut = x;
      add_basic(x, block, channels, halves ? 2 : 1);
      // A mean over one pixel is that pixel: with stride 2 every second one remains.
      if (halves)
        shortcut.then(block + ".shortcut.pixels", AvgPool2d{.kernel = 1, .stride = 2})
            .then(block + ".shortcut.channels", ChannelPad{.before = channels / 4, .after = channels / 4});
      end_block(x, block, shortcut.end());
    }
  }
  if (include_top) x.then("avgpool", GlobalAvgPool{}).then("linear", Linear{.out = classes});
  return net;
}

}  // namespace enxerto
