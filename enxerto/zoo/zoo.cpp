#include "enxerto/zoo/zoo.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/zoo/families.h"

namespace enxerto {
namespace {

constexpr Shape cifar{1, 3, 32, 32}, imagenet{1, 3, 224, 224}, caffe{1, 3, 227, 227};

/// A family's function with what is special about one of its networks.
template <auto family, auto... what>
Graph make(const Shape& image, int classes, bool include_top) {
  return family(image, classes, include_top, what...);
}

// The pictures of the CIFAR networks are normalised with ImageNet's numbers in akamaster's files.
constexpr NetInfo all_nets[] = {
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
     Normalization::imagenet, 1, make<make_resnet_cifar, 3>},
    {"resnet32_cifar", "ResNet-32 for small pictures (He et al. 2015, section 4.2)", cifar, 10,
     Normalization::imagenet, 1, make<make_resnet_cifar, 5>},
    {"resnet44_cifar", "ResNet-44 for small pictures (He et al. 2015, section 4.2)", cifar, 10,
     Normalization::imagenet, 1, make<make_resnet_cifar, 7>},
    {"resnet56_cifar", "ResNet-56 for small pictures (He et al. 2015, section 4.2)", cifar, 10,
     Normalization::imagenet, 1, make<make_resnet_cifar, 9>},
    {"resnet110_cifar", "ResNet-110 for small pictures (He et al. 2015, section 4.2)", cifar, 10,
     Normalization::imagenet, 1, make<make_resnet_cifar, 18>},
    {"alexnet", "AlexNet on one column (Krizhevsky 2014), torchvision's form", imagenet, 1000,
     Normalization::imagenet, 0.875, make_alexnet},
    {"alexnet_caffe", "AlexNet with groups and normalisation (Krizhevsky et al. 2012), Caffe's form", caffe,
     1000, Normalization::caffe, 227.0 / 256, make_alexnet_caffe},
    {"zfnet", "ZFNet (Zeiler & Fergus 2013)", imagenet, 1000, Normalization::caffe, 0.875, make_zfnet},
    {"vgg11", "VGG-11 (Simonyan & Zisserman 2014, A)", imagenet, 1000, Normalization::imagenet, 0.875,
     make<make_vgg, VggConfiguration::a, false>},
    {"vgg11_lrn", "VGG-11 with local response normalisation (A-LRN)", imagenet, 1000, Normalization::imagenet,
     0.875, make<make_vgg, VggConfiguration::a_lrn, false>},
    {"vgg13", "VGG-13 (B)", imagenet, 1000, Normalization::imagenet, 0.875,
     make<make_vgg, VggConfiguration::b, false>},
    {"vgg16_c", "VGG-16 with three 1x1 convolutions (C)", imagenet, 1000, Normalization::imagenet, 0.875,
     make<make_vgg, VggConfiguration::c, false>},
    {"vgg16", "VGG-16 (D)", imagenet, 1000, Normalization::imagenet, 0.875,
     make<make_vgg, VggConfiguration::d, false>},
    {"vgg19", "VGG-19 (E)", imagenet, 1000, Normalization::imagenet, 0.875,
     make<make_vgg, VggConfiguration::e, false>},
    {"vgg11_bn", "VGG-11 (Simonyan & Zisserman 2014, A), batch norm", imagenet, 1000, Normalization::imagenet,
     0.875, make<make_vgg, VggConfiguration::a, true>},
    {"vgg11_lrn_bn", "VGG-11 with local response normalisation (A-LRN), batch norm", imagenet, 1000,
     Normalization::imagenet, 0.875, make<make_vgg, VggConfiguration::a_lrn, true>},
    {"vgg13_bn", "VGG-13 (B), batch norm", imagenet, 1000, Normalization::imagenet, 0.875,
     make<make_vgg, VggConfiguration::b, true>},
    {"vgg16_c_bn", "VGG-16 with three 1x1 convolutions (C), batch norm", imagenet, 1000,
     Normalization::imagenet, 0.875, make<make_vgg, VggConfiguration::c, true>},
    {"vgg16_bn", "VGG-16 (D), batch norm", imagenet, 1000, Normalization::imagenet, 0.875,
     make<make_vgg, VggConfiguration::d, true>},
    {"vgg19_bn", "VGG-19 (E), batch norm", imagenet, 1000, Normalization::imagenet, 0.875,
     make<make_vgg, VggConfiguration::e, true>},
    {"googlenet", "GoogLeNet (Szegedy et al. 2014), torchvision's form without auxiliary heads", imagenet,
     1000, Normalization::half, 0.875, make<make_googlenet, false>},
    {"googlenet_aux", "the same with its two auxiliary heads as side outputs", imagenet, 1000,
     Normalization::half, 0.875, make<make_googlenet, true>},
    {"resnet18", "ResNet-18 (He et al. 2015), torchvision's form", imagenet, 1000, Normalization::imagenet,
     0.875, make<make_resnet, 18>},
    {"resnet34", "ResNet-34 (He et al. 2015), torchvision's form", imagenet, 1000, Normalization::imagenet,
     0.875, make<make_resnet, 34>},
    {"resnet50", "ResNet-50 (He et al. 2015), torchvision's form", imagenet, 1000, Normalization::imagenet,
     0.875, make<make_resnet, 50>},
    {"resnet101", "ResNet-101 (He et al. 2015), torchvision's form", imagenet, 1000, Normalization::imagenet,
     0.875, make<make_resnet, 101>},
    {"resnet152", "ResNet-152 (He et al. 2015), torchvision's form", imagenet, 1000, Normalization::imagenet,
     0.875, make<make_resnet, 152>},
    {"resnet16_0.5", "ResNet-18 with 50 % of the channels, one block less, and a 1x1 convolution to 768",
     imagenet, 1000, Normalization::imagenet, 0.875, make_resnet16_half},
    {"resnet18_caffe", "ResNet-18, the authors' Caffe form", imagenet, 1000, Normalization::caffe, 0.875,
     make<make_resnet_caffe, 18>},
    {"resnet34_caffe", "ResNet-34, the authors' Caffe form", imagenet, 1000, Normalization::caffe, 0.875,
     make<make_resnet_caffe, 34>},
    {"resnet50_caffe", "ResNet-50, the authors' Caffe form", imagenet, 1000, Normalization::caffe, 0.875,
     make<make_resnet_caffe, 50>},
    {"resnet101_caffe", "ResNet-101, the authors' Caffe form", imagenet, 1000, Normalization::caffe, 0.875,
     make<make_resnet_caffe, 101>},
    {"resnet152_caffe", "ResNet-152, the authors' Caffe form", imagenet, 1000, Normalization::caffe, 0.875,
     make<make_resnet_caffe, 152>},
    {"resnet50_keras", "ResNet-50, Keras's form", imagenet, 1000, Normalization::caffe_keras, 0.875,
     make<make_resnet_keras, 50>},
    {"resnet101_keras", "ResNet-101, Keras's form", imagenet, 1000, Normalization::caffe_keras, 0.875,
     make<make_resnet_keras, 101>},
    {"resnet152_keras", "ResNet-152, Keras's form", imagenet, 1000, Normalization::caffe_keras, 0.875,
     make<make_resnet_keras, 152>},
    {"mobilenet_v1", "MobileNetV1 (Howard et al. 2017), Keras's form", imagenet, 1000, Normalization::half,
     0.875, make<make_mobilenet_v1, 100>},
    {"mobilenet_v1_0.75", "MobileNetV1 (Howard et al. 2017) with 75 % of the channels, Keras's form",
     imagenet, 1000, Normalization::half, 0.875, make<make_mobilenet_v1, 75>},
    {"mobilenet_v1_0.5", "MobileNetV1 (Howard et al. 2017) with 50 % of the channels, Keras's form", imagenet,
     1000, Normalization::half, 0.875, make<make_mobilenet_v1, 50>},
    {"mobilenet_v1_0.25", "MobileNetV1 (Howard et al. 2017) with 25 % of the channels, Keras's form",
     imagenet, 1000, Normalization::half, 0.875, make<make_mobilenet_v1, 25>},
    {"mobilenet_v2", "MobileNetV2 (Sandler et al. 2018), torchvision's form", imagenet, 1000,
     Normalization::imagenet, 0.875, make_mobilenet_v2},
    {"mobilenet_v2_keras", "MobileNetV2, Keras's form", imagenet, 1000, Normalization::half, 0.875,
     make_mobilenet_v2_keras},
    {"mobilenet_v3_small", "MobileNetV3 small (Howard et al. 2019), torchvision's form", imagenet, 1000,
     Normalization::imagenet, 0.875, make<make_mobilenet_v3, MobilenetV3::small>},
    {"mobilenet_v3_large", "MobileNetV3 large (Howard et al. 2019), torchvision's form", imagenet, 1000,
     Normalization::imagenet, 0.875, make<make_mobilenet_v3, MobilenetV3::large>},
    {"mobilenet_v3_small_minimalistic", "MobileNetV3 small without squeeze-and-excitation, Keras's form",
     imagenet, 1000, Normalization::half, 0.875, make<make_mobilenet_v3_minimalistic, MobilenetV3::small>},
    {"mobilenet_v3_large_minimalistic", "MobileNetV3 large without squeeze-and-excitation, Keras's form",
     imagenet, 1000, Normalization::half, 0.875, make<make_mobilenet_v3_minimalistic, MobilenetV3::large>},
    {"squeezenet1_0", "SqueezeNet 1.0 (Iandola et al. 2016), torchvision's form", imagenet, 1000,
     Normalization::imagenet, 0.875, make<make_squeezenet, 0>},
    {"squeezenet1_1", "SqueezeNet 1.1 (Iandola et al. 2016), torchvision's form", imagenet, 1000,
     Normalization::imagenet, 0.875, make<make_squeezenet, 1>},
    {"squeezenet1_0_caffe", "SqueezeNet 1.0, the authors' Caffe form", caffe, 1000, Normalization::caffe,
     227.0 / 256, make<make_squeezenet_caffe, 0>},
    {"squeezenet1_1_caffe", "SqueezeNet 1.1, the authors' Caffe form", caffe, 1000, Normalization::caffe,
     227.0 / 256, make<make_squeezenet_caffe, 1>},
    {"darknet_tiny", "Darknet-tiny (Redmon, pjreddie.com/darknet/tiny-darknet)", imagenet, 1000,
     Normalization::unit, 0.875, make_darknet_tiny},
};

}  // namespace

std::span<const NetInfo> nets() { return all_nets; }

bool is_net(std::string_view name) {
  return std::ranges::find(all_nets, name, &NetInfo::name) != std::end(all_nets);
}

const NetInfo& find_net(std::string_view name) {
  const NetInfo* found = std::ranges::find(all_nets, name, &NetInfo::name);
  if (found != std::end(all_nets)) return *found;
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
