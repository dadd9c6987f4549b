/// The families behind zoo.h, one function each.
#pragma once

#include <array>

#include "enxerto/zoo/zoo.h"

namespace enxerto {

/// Three convolutions and one linear layer, as the lecture draws them: 3x3 with padding 1, 32, 64 and 64
/// channels, ReLU after each and 2x2 max pooling after the first two.
Graph make_lecture3(const Shape& image, int classes, bool include_top);

/// LeNet-5 (LeCun et al. 1998, figure 2) as it is built today: ReLU and max pooling where the paper has
/// scaled tanh and trainable subsampling, all C3 maps connected, a linear output. Pictures below 32 pixels
/// get the padding of 2 that makes 28 the paper's 32.
Graph make_lenet5(const Shape& image, int classes, bool include_top);

/// ResNet (He et al. 2015) in torchvision's form, the stride of a bottleneck on its 3x3 convolution
/// ("v1.5"), and under torchvision's names. `blocks` per stage; bottleneck: 1x1, 3x3, 1x1 with four times
/// the channels.
Graph make_resnet(const Shape& image, int classes, bool include_top, const std::array<int, 4>& blocks,
                  bool bottleneck);

/// The CIFAR ResNet of He et al. 2015, section 4.2, with 6 * blocks + 2 layers and shortcuts without
/// parameters (option A): every second pixel, missing channels zero, half of them before and half after.
/// Names are those of akamaster/pytorch_resnet_cifar10.
Graph make_resnet_cifar(const Shape& image, int classes, bool include_top, int blocks);

}  // namespace enxerto
