#include <array>
#include <string>
#include <vector>

#include "enxerto/core/text.h"
#include "enxerto/zoo/chain.h"
#include "enxerto/zoo/families.h"

namespace enxerto {
namespace {

/// Of table 1: channels of the 1x1, the 3x3 and what reduces to it, the 5x5 alike, and after the pooling.
struct Module {
  const char* name;
  int one, reduced_three, three, reduced_five, five, pooled;
};
constexpr std::array<Module, 9> modules = {{
    {"3a", 64, 96, 128, 16, 32, 32},
    {"3b", 128, 128, 192, 32, 96, 64},
    {"4a", 192, 96, 208, 16, 48, 64},
    {"4b", 160, 112, 224, 24, 64, 64},
    {"4c", 128, 128, 256, 24, 64, 64},
    {"4d", 112, 144, 288, 32, 64, 64},
    {"4e", 256, 160, 320, 32, 128, 128},
    {"5a", 256, 160, 320, 32, 128, 128},
    {"5b", 384, 192, 384, 48, 128, 128},
}};

/// Convolution, batch norm and ReLU, without changing height and width where the stride is 1.
void add_unit(Chain& x, const std::string& name, int channels, int kernel, int stride = 1) {
  x.conv_bn(name + ".conv", {.out = channels, .kernel = kernel, .stride = stride, .pad = kernel / 2},
            name + ".bn", {.eps = 1e-3f});
  x.activate(name + ".relu");
}

void add_module(Graph& net, Chain& x, const Module& module) {
  const std::string name = text("inception", module.name);
  Chain one = x, three = x, five = x, pooled = x;
  add_unit(one, name + ".branch1", module.one, 1);
  add_unit(three, name + ".branch2.0", module.reduced_three, 1);
  add_unit(three, name + ".branch2.1", module.three, 3);
  add_unit(five, name + ".branch3.0", module.reduced_five, 1);
  add_unit(five, name + ".branch3.1", module.five, 3);
  pooled.then(name + ".branch4.0", MaxPool2d{.kernel = 3, .stride = 1, .pad = 1, .ceil_mode = true});
  add_unit(pooled, name + ".branch4.1", module.pooled, 1);
  x = Chain(net, net.add(name + ".concat", Concat{}, {one.end(), three.end(), five.end(), pooled.end()}));
}

NodeId add_auxiliary(Chain x, const std::string& name, int classes) {
  x.then(name + ".avgpool", AdaptiveAvgPool2d{.out = 4});
  add_unit(x, name + ".conv", 128, 1);
  x.then(name + ".flatten", Flatten{}).then(name + ".fc1", Linear{.out = 1024}).activate(name + ".relu");
  x.then(name + ".dropout", Dropout{.p = 0.7f}).then(name + ".fc2", Linear{.out = classes});
  return x.end();
}

}  // namespace

Graph make_googlenet(const Shape& image, int classes, bool include_top, bool auxiliary) {
  Graph net;
  Chain x(net, net.input(image));
  const MaxPool2d halve{.kernel = 3, .ceil_mode = true};
  add_unit(x, "conv1", 64, 7, 2);
  x.then("maxpool1", halve);
  add_unit(x, "conv2", 64, 1);
  add_unit(x, "conv3", 192, 3);
  x.then("maxpool2", halve);
  std::vector<NodeId> heads;
  for (const Module& module : modules) {
    add_module(net, x, module);
    const std::string_view name = module.name;
    if (name == "3b") x.then("maxpool3", halve);
    if (name == "4e") x.then("maxpool4", MaxPool2d{.ceil_mode = true});
    if (!auxiliary || !include_top) continue;
    if (name == "4a") heads.push_back(add_auxiliary(x, "aux1", classes));
    if (name == "4d") heads.push_back(add_auxiliary(x, "aux2", classes));
  }
  if (!include_top) return net;
  x.then("avgpool", GlobalAvgPool{}).then("dropout", Dropout{.p = 0.2f}).then("fc", Linear{.out = classes});
  net.set_side_outputs(heads);
  return net;
}

}  // namespace enxerto
