#include "enxerto/zoo/chain.h"
#include "enxerto/zoo/families.h"

namespace enxerto {

Graph make_alexnet(const Shape& image, int classes, bool include_top) {
  Graph net;
  Chain x(net, net.input(image));
  x.then("features.0", Conv2d{.out = 64, .kernel = 11, .stride = 4, .pad = 2}).activate("features.1");
  x.then("features.2", MaxPool2d{.kernel = 3});
  x.then("features.3", Conv2d{.out = 192, .kernel = 5, .pad = 2}).activate("features.4");
  x.then("features.5", MaxPool2d{.kernel = 3});
  x.then("features.6", Conv2d{.out = 384, .kernel = 3, .pad = 1}).activate("features.7");
  x.then("features.8", Conv2d{.out = 256, .kernel = 3, .pad = 1}).activate("features.9");
  x.then("features.10", Conv2d{.out = 256, .kernel = 3, .pad = 1}).activate("features.11");
  x.then("features.12", MaxPool2d{.kernel = 3});
  if (!include_top) return net;
  x.then("avgpool", AdaptiveAvgPool2d{.out = 6}).then("flatten", Flatten{});
  x.then("classifier.0", Dropout{}).then("classifier.1", Linear{.out = 4096}).activate("classifier.2");
  x.then("classifier.3", Dropout{}).then("classifier.4", Linear{.out = 4096}).activate("classifier.5");
  x.then("classifier.6", Linear{.out = classes});
  return net;
}

namespace {

/// The three linear layers under Caffe's names.
void add_caffe_top(Chain& x, int classes) {
  x.then("flatten", Flatten{});
  x.then("fc6", Linear{.out = 4096}).activate("relu6").then("drop6", Dropout{});
  x.then("fc7", Linear{.out = 4096}).activate("relu7").then("drop7", Dropout{});
  x.then("fc8", Linear{.out = classes});
}

/// conv3 to pool5.
void add_caffe_end(Chain& x, int groups) {
  x.then("conv3", Conv2d{.out = 384, .kernel = 3, .pad = 1}).activate("relu3");
  x.then("conv4", Conv2d{.out = 384, .kernel = 3, .pad = 1, .groups = groups}).activate("relu4");
  x.then("conv5", Conv2d{.out = 256, .kernel = 3, .pad = 1, .groups = groups}).activate("relu5");
  x.then("pool5", MaxPool2d{.kernel = 3, .ceil_mode = true});
}

}  // namespace

Graph make_alexnet_caffe(const Shape& image, int classes, bool include_top) {
  Graph net;
  Chain x(net, net.input(image));
  x.then("conv1", Conv2d{.out = 96, .kernel = 11, .stride = 4}).activate("relu1");
  x.then("norm1", LocalResponseNorm{}).then("pool1", MaxPool2d{.kernel = 3, .ceil_mode = true});
  x.then("conv2", Conv2d{.out = 256, .kernel = 5, .pad = 2, .groups = 2}).activate("relu2");
  x.then("norm2", LocalResponseNorm{}).then("pool2", MaxPool2d{.kernel = 3, .ceil_mode = true});
  add_caffe_end(x, 2);
  if (include_top) add_caffe_top(x, classes);
  return net;
}

Graph make_zfnet(const Shape& image, int classes, bool include_top) {
  Graph net;
  Chain x(net, net.input(image));
  x.then("conv1", Conv2d{.out = 96, .kernel = 7, .stride = 2, .pad = 1}).activate("relu1");
  x.then("pool1", MaxPool2d{.kernel = 3, .ceil_mode = true}).then("norm1", LocalResponseNorm{});
  x.then("conv2", Conv2d{.out = 256, .kernel = 5, .stride = 2}).activate("relu2");
  x.then("pool2", MaxPool2d{.kernel = 3, .ceil_mode = true}).then("norm2", LocalResponseNorm{});
  add_caffe_end(x, 1);
  if (include_top) add_caffe_top(x, classes);
  return net;
}

}  // namespace enxerto
