/// Changes of a picture's colours, each as Pillow computes it, bit for bit but for turn_hue(). The first four
/// are its ImageEnhance: a factor of 1 leaves the picture as it is, 0 takes away all of the property, more
/// than 1 exaggerates it. All of them take grey pictures and colour pictures.
#pragma once

#include "enxerto/image/image.h"

namespace enxerto {

/// Between black and the picture.
Image adjust_brightness(Image image, double factor);
/// Between the mean of the picture's luma, rounded, and the picture.
Image adjust_contrast(Image image, double factor);
/// Between the picture in grey (with_channels()) and the picture.
Image adjust_saturation(Image image, double factor);
/// Between the picture smoothed by (1 1 1, 1 5 1, 1 1 1) / 13 and the picture. The outermost pixels stay.
Image adjust_sharpness(Image image, double factor);

/// The hue turned by `turns` of the colour wheel, in [-1, 1], through HSV with a byte for each of hue,
/// saturation and value: torchvision's adjust_hue on Pillow (of all 2^24 colours by two angles, 32 of
/// 100,663,296 values were off by one). Grey stays as it is.
Image turn_hue(Image image, double turns);

/// The highest `bits` of each value, 0..8.
Image posterize(Image image, int bits);
/// Values of at least `threshold` are inverted.
Image solarize(Image image, double threshold);
/// Each channel stretched from its least and greatest value to 0..255.
Image autocontrast(Image image);
/// Each channel by its cumulated histogram, so that all values are about as frequent.
Image equalize(Image image);

}  // namespace enxerto
