/// Painting: a picture by the amounts of its waves, in colours that do not go together. Gradient steps on
/// these reach all sizes of shapes alike, where steps on pixels make noise. Olah, Mordvintsev & Schubert
/// 2017, "Feature visualization" (distill.pub), section "Preconditioning and parameterization"; here with
/// cosines, which are real and know no wrapping around, in place of Fourier's waves.
#pragma once

#include <span>
#include <vector>

#include "enxerto/core/random.h"

namespace enxerto {

/// From amounts {c, h, w} to a picture {c, h, w} with values in (0, 1):
/// waves: each plane is the inverse of an orthonormal cosine transform (DCT-II) of the amounts by their
/// frequency; colours: of three channels, by the square root of the covariance of natural pictures' colours
/// (Olah et al.); at last a sigmoid.
class Painting {
 public:
  Painting(int height, int width, int channels);  ///< 1 or 3 channels

  std::size_t size() const;  ///< amounts, and values of the picture
  /// Small random amounts: a faint cloud.
  std::vector<float> start(Rng rng) const;
  void paint(std::span<const float> amounts, std::span<float> picture) const;
  /// By the gradient of something by the picture its gradient by the amounts. `picture` is what paint() made.
  void gradient(std::span<const float> picture, std::span<const float> dpicture,
                std::span<float> damounts) const;

 private:
  int height_, width_, channels_;
  std::vector<float> rows_, columns_;  ///< orthonormal cosines {frequency, place}
  std::vector<float> scale_;           ///< of each amount of a plane: about 1 / frequency
};

/// How a picture is looked at by a network that it is painted for, never twice from the same place: so that
/// nothing pays off that one pixel more or less takes away.
struct Glance {
  double turn = 0, zoom = 1;   ///< radians; above 1 nearer
  double right = 0, down = 0;  ///< pixels
};

/// The picture {c, from_height, from_width} as seen in the middle of {c, height, width}, between its pixels
/// bilinear; beyond its edge their last pixel goes on.
struct Frame {
  int channels, from_height, from_width, height, width;
};
void look(const Frame& frame, const Glance& glance, std::span<const float> picture, std::span<float> seen);
/// Adds to dpicture what dseen makes of it: the transpose of look().
void look_back(const Frame& frame, const Glance& glance, std::span<const float> dseen,
               std::span<float> dpicture);

}  // namespace enxerto
