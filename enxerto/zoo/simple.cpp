// Nets that are one chain of layers.
#include "enxerto/zoo/families.h"

namespace enxerto {

Graph make_lecture3(const Shape& image, int classes, bool include_top) {
  Graph net;
  net.input(image);
  const auto chain = [&](const char* name, AnyLayer layer) { net.add(name, std::move(layer), {net.last()}); };
  chain("conv1", Conv2d{.out = 32, .kernel = 3, .pad = 1});
  chain("relu1", Activate{});
  chain("pool1", MaxPool2d{});
  chain("conv2", Conv2d{.out = 64, .kernel = 3, .pad = 1});
  chain("relu2", Activate{});
  chain("pool2", MaxPool2d{});
  chain("conv3", Conv2d{.out = 64, .kernel = 3, .pad = 1});
  chain("relu3", Activate{});
  if (!include_top) return net;
  chain("flatten", Flatten{});
  chain("fc", Linear{.out = classes});
  return net;
}

Graph make_lenet5(const Shape& image, int classes, bool include_top) {
  Graph net;
  net.input(image);
  const auto chain = [&](const char* name, AnyLayer layer) { net.add(name, std::move(layer), {net.last()}); };
  const int pad = image.h < 32 ? 2 : 0;
  chain("conv1", Conv2d{.out = 6, .kernel = 5, .pad = pad});
  chain("relu1", Activate{});
  chain("pool1", MaxPool2d{});
  chain("conv2", Conv2d{.out = 16, .kernel = 5});
  chain("relu2", Activate{});
  chain("pool2", MaxPool2d{});
  if (!include_top) return net;
  chain("flatten", Flatten{});
  chain("fc1", Linear{.out = 120});
  chain("relu3", Activate{});
  chain("fc2", Linear{.out = 84});
  chain("relu4", Activate{});
  chain("fc3", Linear{.out = classes});
  return net;
}

}  // namespace enxerto
