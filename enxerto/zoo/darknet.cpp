#include <array>
#include <string>

#include "enxerto/core/text.h"
#include "enxerto/zoo/chain.h"
#include "enxerto/zoo/families.h"

namespace enxerto {
namespace {

struct Step {
  int channels, kernel;
  bool pools = false;  ///< afterwards
};
constexpr std::array<Step, 15> steps = {{{16, 3, true},
                                         {32, 3, true},
                                         {16, 1},
                                         {128, 3},
                                         {16, 1},
                                         {128, 3, true},
                                         {32, 1},
                                         {256, 3},
                                         {32, 1},
                                         {256, 3, true},
                                         {64, 1},
                                         {512, 3},
                                         {64, 1},
                                         {512, 3},
                                         {128, 1}}};

}  // namespace

Graph make_darknet_tiny(const Shape& image, int classes, bool include_top) {
  Graph net;
  Chain x(net, net.input(image));
  int number = 0, pools = 0;
  for (const Step& step : steps) {
    const std::string n = text(++number);
    x.conv_bn("conv2d_" + n, {.out = step.channels, .kernel = step.kernel, .pad = step.kernel / 2},
              "batch_normalization_" + n, {.eps = 1e-3f, .momentum = 0.01f});
    x.then("leaky_re_lu_" + n, Activate{Activation::leaky_relu, 0.1f});
    if (step.pools) x.then(text("max_pooling2d_", ++pools), MaxPool2d{});
  }
  if (!include_top) return net;
  x.then(text("conv2d_", ++number), Conv2d{.out = classes});
  x.then("global_average_pooling2d_1", GlobalAvgPool{});
  return net;
}

}  // namespace enxerto
