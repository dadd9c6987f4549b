// Residual networks as Caffe and Keras have them: the stride of a bottleneck is on its first 1x1.
#include <string>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/zoo/chain.h"
#include "enxerto/zoo/families.h"
#include "enxerto/zoo/resnet_plan.h"

namespace enxerto {
namespace {

/// "2a", "2b", "2c"; but of ResNet-101 and -152, whose middle stages have more blocks than the alphabet has
/// letters: "3a", "3b1", "3b2", ...
std::string caffe_block(int depth, std::size_t stage, int i) {
  const bool numbered = depth > 50 && (stage == 1 || stage == 2);
  if (numbered && i > 0) return text(stage + 2, "b", i);
  return text(stage + 2, std::string(1, static_cast<char>('a' + i)));
}

/// Adds one branch's convolution and batch norm, "res2a_branch2b" and "bn2a_branch2b".
void add_caffe_conv(Chain& x, const std::string& branch, Conv2d layer) {
  x.conv_bn("res" + branch, layer, "bn" + branch);
}

void add_caffe_block(Chain& x, const std::string& block, int channels, int stride, bool bottleneck) {
  Chain shortcut = x;
  const int widened = bottleneck ? 4 * channels : channels;
  const std::string a = block + "_branch2a", b = block + "_branch2b", c = block + "_branch2c";
  if (stride > 1 || x.channels() != widened)
    add_caffe_conv(shortcut, block + "_branch1", {.out = widened, .stride = stride});
  if (bottleneck) {
    add_caffe_conv(x, a, {.out = channels, .stride = stride});
    x.activate("res" + a + "_relu");
    add_caffe_conv(x, b, {.out = channels, .kernel = 3, .pad = 1});
    x.activate("res" + b + "_relu");
    add_caffe_conv(x, c, {.out = widened});
  } else {
    add_caffe_conv(x, a, {.out = channels, .kernel = 3, .stride = stride, .pad = 1});
    x.activate("res" + a + "_relu");
    add_caffe_conv(x, b, {.out = channels, .kernel = 3, .pad = 1});
  }
  x.plus("res" + block, shortcut.end()).activate("res" + block + "_relu");
}

constexpr BatchNorm keras_norm{.eps = 1.001e-5f, .momentum = 0.01f};

void add_keras_conv(Chain& x, const std::string& name, Conv2d layer) {
  x.then(name + "_conv", layer).then(name + "_bn", keras_norm);
}

void add_keras_block(Chain& x, const std::string& block, int channels, int stride, bool projects) {
  Chain shortcut = x;
  if (projects) add_keras_conv(shortcut, block + "_0", {.out = 4 * channels, .stride = stride});
  add_keras_conv(x, block + "_1", {.out = channels, .stride = stride});
  x.activate(block + "_1_relu");
  add_keras_conv(x, block + "_2", {.out = channels, .kernel = 3, .pad = 1});
  x.activate(block + "_2_relu");
  add_keras_conv(x, block + "_3", {.out = 4 * channels});
  x.plus(block + "_add", shortcut.end()).activate(block + "_out");
}

}  // namespace

Graph make_resnet_caffe(const Shape& image, int classes, bool include_top, int depth) {
  const ResnetPlan plan = resnet_plan(depth);
  Graph net;
  Chain x(net, net.input(image));
  x.then("conv1", Conv2d{.out = 64, .kernel = 7, .stride = 2, .pad = 3, .bias = depth == 50});
  x.then("bn_conv1", BatchNorm{}).activate("conv1_relu");
  x.then("pool1", MaxPool2d{.kernel = 3, .ceil_mode = true});
  for (std::size_t stage = 0; stage < plan.blocks.size(); ++stage)
    for (int i = 0; i < plan.blocks[stage]; ++i)
      add_caffe_block(x, caffe_block(depth, stage, i), 64 << stage, stage > 0 && i == 0 ? 2 : 1,
                      plan.bottleneck);
  if (include_top) x.then("pool5", GlobalAvgPool{}).then("fc1000", Linear{.out = classes});
  return net;
}

Graph make_resnet_keras(const Shape& image, int classes, bool include_top, int depth) {
  const ResnetPlan plan = resnet_plan(depth);
  ensure(plan.bottleneck, "Keras has no ResNet below 50 layers");
  Graph net;
  Chain x(net, net.input(image));
  add_keras_conv(x, "conv1", {.out = 64, .kernel = 7, .stride = 2, .pad = 3});
  // Keras pads with zeros what ReLU left: the maximum is the same as without.
  x.activate("conv1_relu").then("pool1_pool", MaxPool2d{.kernel = 3, .stride = 2, .pad = 1});
  for (std::size_t stage = 0; stage < plan.blocks.size(); ++stage)
    for (int i = 0; i < plan.blocks[stage]; ++i)
      add_keras_block(x, text("conv", stage + 2, "_block", i + 1), 64 << stage, stage > 0 && i == 0 ? 2 : 1,
                      i == 0);
  if (include_top) x.then("avg_pool", GlobalAvgPool{}).then("predictions", Linear{.out = classes});
  return net;
}

}  // namespace enxerto
