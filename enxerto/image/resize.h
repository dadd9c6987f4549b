/// Resizing and cutting pictures.
#pragma once

#include <cstdint>

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

/// Separable, rounded to 8 bits between the passes: equal to the resize() of Pillow 13, bit for bit. Older
/// Pillow takes the rows first where 13 takes the columns first, which a pixel here and there shows.
Image resize(const Image& image, int width, int height, Filter filter = Filter::bilinear);

/// The same for a part of the picture, which has to lie in it and be larger than nothing. As in Pillow, the
/// filter reaches pixels beside the part.
Image resize(const Image& image, const Box& part, int width, int height, Filter filter = Filter::bilinear);

/// crop_centre(resize(image, width, height), cut_width, cut_height) without making the rest, which for a
/// very thin picture can be larger than any memory.
Image resize_middle(const Image& image, std::int64_t width, std::int64_t height, int cut_width,
                    int cut_height, Filter filter = Filter::bilinear);

/// A resize of a picture that is not there yet: only what the plan needs of it has to be decoded.
struct ResizePlan {
  int source_width = 0, source_height = 0;  ///< of the whole picture
  Box box;                                  ///< the part of it that is spread over width x height
  std::int64_t width = 0, height = 0;
  std::int64_t left = 0, top = 0;  ///< of that, these pixels are made:
  int cut_width = 0, cut_height = 0;
  Filter filter = Filter::bilinear;

  static ResizePlan whole(int source_width, int source_height, int width, int height, Filter filter);
  /// As resize_middle().
  static ResizePlan middle(int source_width, int source_height, std::int64_t width, std::int64_t height,
                           int cut_width, int cut_height, Filter filter);

  /// The pixels of the source that decide the outcome.
  Area needs() const;
  /// The plan for the same picture decoded to other sides.
  ResizePlan on(int other_width, int other_height) const;
  /// `image` is the area `have` of the source, and holds all that is needed.
  Image run(const Image& image, const Area& have) const;
  Image run(const Image& whole) const { return run(whole, {0, 0, source_width, source_height}); }
};

/// The part whose upper left pixel is (left, top); all of it has to lie in the picture.
Image crop(const Image& image, int left, int top, int width, int height);

Image crop(const Image& image, const Area& area);

/// The middle; where the rest is odd, half a pixel goes to the even side, as torchvision does it.
Image crop_centre(const Image& image, int width, int height);

/// Left and right exchanged.
Image flip_horizontal(const Image& image);

}  // namespace enxerto
