#include <array>
#include <string>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/zoo/chain.h"
#include "enxerto/zoo/families.h"

namespace enxerto {
namespace {

/// Channels of the squeezing convolutions of fire2 to fire9; each expanding one has four times as many.
constexpr std::array<int, 8> squeezed = {16, 16, 32, 32, 48, 48, 64, 64};

/// After which of them, counted from 0, a pooling follows.
bool pools_after(int minor, std::size_t fire) {
  return minor == 0 ? fire == 2 || fire == 6 : fire == 1 || fire == 3;
}

Conv2d first_conv(int minor) {
  return minor == 0 ? Conv2d{.out = 96, .kernel = 7, .stride = 2}
                    : Conv2d{.out = 64, .kernel = 3, .stride = 2};
}

struct FireNames {
  std::string squeeze, squeeze_relu, one, one_relu, three, three_relu, concat;
};

void add_fire(Graph& net, Chain& x, int channels, const FireNames& names) {
  x.then(names.squeeze, Conv2d{.out = channels}).activate(names.squeeze_relu);
  Chain one = x, three = x;
  one.then(names.one, Conv2d{.out = 4 * channels}).activate(names.one_relu);
  three.then(names.three, Conv2d{.out = 4 * channels, .kernel = 3, .pad = 1}).activate(names.three_relu);
  x = Chain(net, net.add(names.concat, Concat{}, {one.end(), three.end()}));
}

constexpr MaxPool2d halve{.kernel = 3, .ceil_mode = true};

}  // namespace

Graph make_squeezenet(const Shape& image, int classes, bool include_top, int minor) {
  ensure(minor == 0 || minor == 1, "there are SqueezeNet 1.0 and 1.1");
  Graph net;
  Chain x(net, net.input(image));
  int number = 0;
  const auto next = [&] { return text("features.", number++); };
  x.then(next(), first_conv(minor)).activate(next()).then(next(), halve);
  for (std::size_t fire = 0; fire < squeezed.size(); ++fire) {
    const std::string name = next();
    add_fire(
        net, x, squeezed[fire],
        {name + ".squeeze", name + ".squeeze_activation", name + ".expand1x1", name + ".expand1x1_activation",
         name + ".expand3x3", name + ".expand3x3_activation", name + ".concat"});
    if (pools_after(minor, fire)) x.then(next(), halve);
  }
  if (!include_top) return net;
  x.then("classifier.0", Dropout{}).then("classifier.1", Conv2d{.out = classes}).activate("classifier.2");
  x.then("classifier.3", GlobalAvgPool{});
  return net;
}

Graph make_squeezenet_caffe(const Shape& image, int classes, bool include_top, int minor) {
  ensure(minor == 0 || minor == 1, "there are SqueezeNet 1.0 and 1.1");
  Graph net;
  Chain x(net, net.input(image));
  x.then("conv1", first_conv(minor)).activate("relu_conv1").then("pool1", halve);
  for (std::size_t fire = 0; fire < squeezed.size(); ++fire) {
    const std::string name = text("fire", fire + 2, "/");
    add_fire(net, x, squeezed[fire],
             {name + "squeeze1x1", name + "relu_squeeze1x1", name + "expand1x1", name + "relu_expand1x1",
              name + "expand3x3", name + "relu_expand3x3", name + "concat"});
    if (pools_after(minor, fire)) x.then(text("pool", fire + 2), halve);
  }
  if (!include_top) return net;
  x.then("drop9", Dropout{}).then("conv10", Conv2d{.out = classes, .pad = minor == 0 ? 1 : 0});
  x.activate("relu_conv10").then("pool10", GlobalAvgPool{});
  return net;
}

}  // namespace enxerto
