#include "enxerto/zoo/zoo.h"

#include <algorithm>
#include <string>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/zoo/families.h"

namespace enxerto {
namespace {

constexpr Shape cifar{1, 3, 32, 32}, imagenet{1, 3, 224, 224};
constexpr std::array<NetInfo, 6> all_nets = {{
    {"lecture3",
     "three convolutions and a linear layer, the lecture's own",
     {1, 3, 96, 96},
     2,
     Normalization::half,
     1,
     make_lecture3},
    {"lenet5",
     "LeNet-5 with ReLU and max pooling (LeCun et al. 1998)",
     {1, 1, 28, 28},
     10,
     Normalization::mnist,
     1,
     make_lenet5},
    {"resnet20_cifar", "ResNet-20 for small pictures (He et al. 2015, section 4.2)", cifar, 10,
     Normalization::imagenet, 1,
     [](const Shape& image, int classes, bool top) { return make_resnet_cifar(image, classes, top, 3); }},
    {"resnet18", "ResNet-18 (He et al. 2015), torchvision's form", imagenet, 1000, Normalization::imagenet,
     0.875,
     [](const Shape& image, int classes, bool top) {
       return make_resnet(image, classes, top, {2, 2, 2, 2}, false);
     }},
    {"resnet34", "ResNet-34 (He et al. 2015), torchvision's form", imagenet, 1000, Normalization::imagenet,
     0.875,
     [](const Shape& image, int classes, bool top) {
       return make_resnet(image, classes, top, {3, 4, 6, 3}, false);
     }},
    {"resnet50", "ResNet-50 (He et al. 2015), torchvision's form", imagenet, 1000, Normalization::imagenet,
     0.875,
     [](const Shape& image, int classes, bool top) {
       return make_resnet(image, classes, top, {3, 4, 6, 3}, true);
     }},
}};

}  // namespace

std::span<const NetInfo> nets() { return all_nets; }

const NetInfo& find_net(std::string_view name) {
  const auto found = std::ranges::find(all_nets, name, &NetInfo::name);
  if (found != all_nets.end()) return *found;
  std::vector<std::string> names;
  for (const NetInfo& net : all_nets) names.emplace_back(net.name);
  throw Error(ErrorKind::usage, text("there is no net \"", name, "\"; there are ", join(names, ", ")));
}

Graph make_net(std::string_view name, const NetOptions& options) {
  const NetInfo& info = find_net(name);
  const Shape image = options.image.value_or(info.image);
  if (options.classes < 0) throw Error(ErrorKind::usage, text(options.classes, " classes cannot be"));
  try {
    return info.make(image, options.classes ? options.classes : info.classes, options.include_top);
  } catch (const Error& error) {
    throw Error(error.kind(),
                text(name, " for pictures of ", image.c, "x", image.h, "x", image.w, ": ", error.what()));
  }
}

}  // namespace enxerto
