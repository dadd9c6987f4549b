/// Operations drawn from a table: RandAugment (Cubuk et al. 2020, "Practical automated data augmentation with
/// a reduced search space") and TrivialAugment Wide (Mueller & Hutter 2021, "TrivialAugment: tuning-free yet
/// state-of-the-art data augmentation"). Operations, ranges and signs are those of torchvision's
/// autoaugment.py; pixels between pixels are bilinear, as in its reference presets. TrivialAugment moves by
/// up to 32 pixels whatever the size, so it is for pictures that are a good deal larger than that.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "enxerto/core/random.h"
#include "enxerto/data/augment.h"
#include "enxerto/image/image.h"

namespace enxerto {

/// The order is torchvision's, so that a number means the same operation in both.
enum class PolicyOperation {
  identity,
  shear_x,
  shear_y,
  translate_x,
  translate_y,
  rotate,
  brightness,
  colour,
  contrast,
  sharpness,
  posterize,
  solarize,
  autocontrast,
  equalize,
};
inline constexpr int policy_operations = 14;
inline constexpr int policy_magnitudes = 31;

/// What magnitude `bin` of 31 means for an operation on a picture of these sides: a slope, pixels, degrees, a
/// change of the factor 1, bits, a threshold; without sign. 0 where the operation has no magnitude.
double policy_magnitude(AugmentPolicy policy, PolicyOperation operation, int bin, int width, int height);
/// Whether the magnitude's sign is drawn.
bool has_sign(PolicyOperation operation);

/// One operation; what becomes uncovered is `fill`.
Image apply_operation(Image image, PolicyOperation operation, double magnitude, int fill);

/// What `augment` has for a policy. Draws for each operation: which, its magnitude (TrivialAugment, where the
/// operation has one), its sign (where it has one).
Image apply_policy(Image image, const Augment& augment, int fill, Rng& rng);

}  // namespace enxerto
