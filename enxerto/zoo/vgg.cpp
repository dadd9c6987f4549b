#include <array>
#include <string>

#include "enxerto/core/text.h"
#include "enxerto/zoo/chain.h"
#include "enxerto/zoo/families.h"

namespace enxerto {
namespace {

/// How many 3x3 convolutions each of the five stages has (table 1), and of C also its 1x1.
struct Stages {
  std::array<int, 5> wide;
  bool pointwise = false;
};
Stages stages_of(VggConfiguration configuration) {
  switch (configuration) {
    case VggConfiguration::a:
    case VggConfiguration::a_lrn:
      return {{1, 1, 2, 2, 2}};
    case VggConfiguration::b:
      return {{2, 2, 2, 2, 2}};
    case VggConfiguration::c:
      return {{2, 2, 2, 2, 2}, true};
    case VggConfiguration::d:
      return {{2, 2, 3, 3, 3}};
    case VggConfiguration::e:
      break;
  }
  return {{2, 2, 4, 4, 4}};
}

/// Numbers modules as torchvision's make_layers does.
class Features {
 public:
  Features(Chain& x, bool batch_norm) : x_(x), batch_norm_(batch_norm) {}
  void conv(int channels, int kernel) {
    x_.then(next(), Conv2d{.out = channels, .kernel = kernel, .pad = kernel / 2});
    if (batch_norm_) x_.then(next(), BatchNorm{});
    x_.activate(next());
  }
  void pool() { x_.then(next(), MaxPool2d{}); }

 private:
  std::string next() { return text("features.", number_++); }

  Chain& x_;
  bool batch_norm_;
  int number_ = 0;
};

}  // namespace

Graph make_vgg(const Shape& image, int classes, bool include_top, VggConfiguration configuration,
               bool batch_norm) {
  Graph net;
  Chain x(net, net.input(image));
  Features features(x, batch_norm);
  const Stages stages = stages_of(configuration);
  for (std::size_t stage = 0; stage < 5; ++stage) {
    const int channels = stage < 3 ? 64 << stage : 512;
    for (int i = 0; i < stages.wide[stage]; ++i) features.conv(channels, 3);
    if (stages.pointwise && stage >= 2) features.conv(channels, 1);
    // Krizhevsky et al. 2012: alpha 1e-4 for each of five squares, where ours is for their mean.
    if (configuration == VggConfiguration::a_lrn && stage == 0)
      x.then("features.lrn", LocalResponseNorm{.alpha = 5e-4f, .k = 2});
    features.pool();
  }
  if (!include_top) return net;
  x.then("avgpool", AdaptiveAvgPool2d{.out = 7}).then("flatten", Flatten{});
  x.then("classifier.0", Linear{.out = 4096}).activate("classifier.1").then("classifier.2", Dropout{});
  x.then("classifier.3", Linear{.out = 4096}).activate("classifier.4").then("classifier.5", Dropout{});
  x.then("classifier.6", Linear{.out = classes});
  return net;
}

}  // namespace enxerto
