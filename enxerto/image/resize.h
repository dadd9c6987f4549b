/// Resizing and cutting pictures.
#pragma once

#include "enxerto/image/image.h"

namespace enxerto {

/// A part of a picture in pixels, edges between pixels: the whole is {0, 0, width, height}.
struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
};

/// Kernels as Pillow has them, antialiased: their support grows with the reduction.
enum class Filter {
  bilinear,  ///< a triangle
  bicubic,   ///< Keys's cubic with a = -0.5
  lanczos,   ///< a sinc windowed by a sinc, three lobes
};

/// Bilinear and antialiased: a separable triangle filter whose support grows with the reduction, rows
/// first, rounded to 8 bits between the passes. Equal to Pillow's resize(BILINEAR), bit for bit.
Image resize(const Image& image, int width, int height);

/// The same for a part of the picture, which has to lie in it and be larger than nothing.
Image resize(const Image& image, const Box& part, int width, int height);

/// crop_centre(resize(image, width, height), cut_width, cut_height) without making the rest, which for a
/// very thin picture can be larger than any memory.
Image resize_middle(const Image& image, std::int64_t width, std::int64_t height, int cut_width,
                    int cut_height);

/// The part whose upper left pixel is (left, top); all of it has to lie in the picture.
Image crop(const Image& image, int left, int top, int width, int height);

/// The middle; where the rest is odd, half a pixel goes to the even side, as torchvision does it.
Image crop_centre(const Image& image, int width, int height);

/// Left and right exchanged.
Image flip_horizontal(const Image& image);

}  // namespace enxerto
