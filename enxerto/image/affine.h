/// Turning, slanting and moving pictures, which keep their sides. What was outside is `fill`, in every
/// channel.
#pragma once

#include "enxerto/image/image.h"

namespace enxerto {

/// Where a pixel of the new picture comes from in the old one, edges between pixels:
/// (xx * x + xy * y + x0, yx * x + yy * y + y0).
struct Affine {
  double xx = 1, xy = 0, x0 = 0;
  double yx = 0, yy = 1, y0 = 0;
};

/// Bilinear: Pillow's transform(AFFINE, BILINEAR) within one grey level (weights have 11 bits here). What
/// comes from outside is decided as Pillow does it.
Image warp(const Image& image, const Affine& from, int fill);

/// Turned about the middle, counter-clockwise: Pillow's rotate().
Image rotate(const Image& image, double degrees, int fill);
/// Pixel (x, y) comes from (x + slope * y, y): torchvision's affine() with the upper left corner as centre,
/// as its RandAugment has it.
Image shear_x(const Image& image, double slope, int fill);
/// Pixel (x, y) comes from (x, y + slope * x).
Image shear_y(const Image& image, double slope, int fill);
/// Pixel (x, y) comes from (x + dx, y + dy).
Image shift(const Image& image, int dx, int dy, int fill);

}  // namespace enxerto
