/// The families behind zoo.h, one function each. Nodes have the names of the net's best known weight files.
/// Every function takes the picture {c, h, w}, the number of classes, and whether the layers after the last
/// feature map are wanted; it throws Error{usage} where the picture is too small.
#pragma once

#include "enxerto/zoo/zoo.h"

namespace enxerto {

/// Three convolutions and one linear layer, as the lecture draws them: 3x3 with padding 1, 32, 64 and 64
/// channels, ReLU after each and 2x2 max pooling after the first two.
Graph make_lecture3(const Shape& image, int classes, bool include_top);

/// LeNet-5 (LeCun et al. 1998, figure 2) as it is built today: ReLU and max pooling where the paper has
/// scaled tanh and trainable subsampling, all C3 maps connected, a linear output. Pictures below 32 pixels
/// get the padding of 2 that makes 28 the paper's 32.
Graph make_lenet5(const Shape& image, int classes, bool include_top);

/// AlexNet on one column (Krizhevsky 2014, "One weird trick"), torchvision's: 64 first maps, no
/// normalisation.
Graph make_alexnet(const Shape& image, int classes, bool include_top);
/// The original (Krizhevsky et al. 2012) as Caffe's bvlc_alexnet has it: two groups in conv2, conv4 and
/// conv5, local response normalisation before pooling. Caffe's k is 1 and its alpha divided by the size,
/// where the paper has 2 and not.
Graph make_alexnet_caffe(const Shape& image, int classes, bool include_top);
/// ZFNet (Zeiler & Fergus 2013, figure 3): AlexNet with 7x7 filters of stride 2 and 5x5 of stride 2 first,
/// no groups, normalised after pooling. Padding 1 and pooling that rounds up give the figure's sizes, 110,
/// 55, 26, 13 and 6.
Graph make_zfnet(const Shape& image, int classes, bool include_top);

/// VGG (Simonyan & Zisserman 2014, table 1), numbered as torchvision does. A-LRN has the paper's local
/// response normalisation after the first ReLU, under a name without a number, so that the weights of A fit.
enum class VggConfiguration { a, a_lrn, b, c, d, e };
Graph make_vgg(const Shape& image, int classes, bool include_top, VggConfiguration configuration,
               bool batch_norm);

/// GoogLeNet (Szegedy et al. 2014) in torchvision's form: batch norm, 3x3 where the paper has 5x5.
/// `auxiliary` adds the two heads as side outputs, first aux1; they count 0.3 each in the paper's loss.
/// torchvision's transform_input turns a picture normalised for ImageNet into one in -1..1; here that is
/// Normalization::half to begin with.
Graph make_googlenet(const Shape& image, int classes, bool include_top, bool auxiliary);

/// ResNet (He et al. 2015) with 18, 34, 50, 101 or 152 layers in torchvision's form, the stride of a
/// bottleneck on its 3x3 convolution ("v1.5").
Graph make_resnet(const Shape& image, int classes, bool include_top, int depth);
/// ResNet-18 with half the channels and one block less in the last stage.
Graph make_resnet16_half(const Shape& image, int classes, bool include_top);
/// The authors' own: stride on the first 1x1, pooling that rounds up. BatchNorm and Scale of Caffe are one
/// node. conv1 has a bias in the file of ResNet-50 alone.
Graph make_resnet_caffe(const Shape& image, int classes, bool include_top, int depth);
/// Keras applications, 50, 101 or 152 layers: as Caffe's, with biases before batch norm and eps 1.001e-5.
Graph make_resnet_keras(const Shape& image, int classes, bool include_top, int depth);

/// The CIFAR ResNet of He et al. 2015, section 4.2, with 6 * blocks + 2 layers and shortcuts without
/// parameters (option A): every second pixel, missing channels zero, half of them before and half after.
/// Names are those of akamaster/pytorch_resnet_cifar10.
Graph make_resnet_cifar(const Shape& image, int classes, bool include_top, int blocks);

/// MobileNetV1 (Howard et al. 2017) as in Keras applications; `percent` of the channels.
Graph make_mobilenet_v1(const Shape& image, int classes, bool include_top, int percent);
/// MobileNetV2 (Sandler et al. 2018), torchvision's.
Graph make_mobilenet_v2(const Shape& image, int classes, bool include_top);
/// The same with Keras's SAME padding, eps and names.
Graph make_mobilenet_v2_keras(const Shape& image, int classes, bool include_top);

enum class MobilenetV3 { small, large };
/// MobileNetV3 (Howard et al. 2019), torchvision's.
Graph make_mobilenet_v3(const Shape& image, int classes, bool include_top, MobilenetV3 size);
/// Its minimalistic variant, Keras's: ReLU for hard-swish, 3x3 for 5x5, no squeeze-and-excitation.
Graph make_mobilenet_v3_minimalistic(const Shape& image, int classes, bool include_top, MobilenetV3 size);

/// SqueezeNet 1.0 or 1.1 (Iandola et al. 2016), torchvision's.
Graph make_squeezenet(const Shape& image, int classes, bool include_top, int minor);
/// The authors' own: other names, and in 1.0 a padding of 1 before the last convolution.
Graph make_squeezenet_caffe(const Shape& image, int classes, bool include_top, int minor);

/// Darknet-tiny (Redmon, pjreddie.com/darknet/tiny-darknet), under Keras's names.
Graph make_darknet_tiny(const Shape& image, int classes, bool include_top);

}  // namespace enxerto
