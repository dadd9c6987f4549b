/// Augment: random changes to the pictures that a network is trained on, after the picture was read and
/// before the floats go to the network. Everything is drawn from the Rng that is given, and only what is
/// switched on draws, so a configuration keeps its bits when new kinds of change are added here.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "enxerto/core/random.h"
#include "enxerto/image/image.h"
#include "enxerto/image/resize.h"
#include "enxerto/tensor/shape.h"

namespace enxerto {

/// Operations drawn from a table, as torchvision has them (see augment_policy.h).
enum class AugmentPolicy {
  none,
  rand_augment,  ///< `rand_ops` operations one after the other, all of `rand_magnitude` (Cubuk et al. 2020)
  trivial_augment,  ///< one, of any magnitude: TrivialAugment Wide (Mueller & Hutter 2021)
};
/// "none", "rand_augment", "trivial_augment"; as people write them, also "rand" and "trivial". Error{usage}
/// lists what there is.
AugmentPolicy parse_augment_policy(std::string_view name);

/// The default is no change. The steps and their order, which is that of torchvision's reference presets
/// where these have them:
///   of the whole picture  a random part (min_area), resized by Preprocess
///   as it fits, in bytes  brightness, contrast, saturation and hue, in a random order of the four; shift;
///                         flip; rotation; policy
///   normalized, in floats erase
///   of the batch          mixup and cutmix, by the Loader
struct Augment {
  double flip = 0;      ///< how often left and right are exchanged, in [0, 1]
  int shift_px = 0;     ///< moved by up to so many pixels in x and y; what is uncovered is `pad_value`
  double min_area = 1;  ///< below 1: a part of the picture of at least this area, proportions 3:4 to 4:3
  double rotate_degrees = 0;  ///< turned about the middle by up to so much; what is uncovered is `pad_value`
  /// A factor from [1 - x, 1 + x]; from 0 where x is above 1. Saturation and hue leave grey as it is.
  double brightness = 0, contrast = 0, saturation = 0;
  double hue = 0;    ///< turned by up to so much of the colour wheel either way, in [0, 0.5]
  double erase = 0;  ///< how often a rectangle becomes 0, which is the mean (Zhong et al. 2017), in [0, 1]
  AugmentPolicy policy = AugmentPolicy::none;
  int rand_ops = 2, rand_magnitude = 9;  ///< of rand_augment; magnitudes are 0..30
  /// The shares of two pictures are drawn from Beta(alpha, alpha); 0: off. Both: either, by halves.
  double mixup_alpha = 0, cutmix_alpha = 0;
  friend bool operator==(const Augment&, const Augment&) = default;

  bool any() const;
  /// Whether a picture that is fitted already is no good.
  bool needs_whole_picture() const { return min_area < 1; }
  bool mixes() const { return mixup_alpha > 0 || cutmix_alpha > 0; }

  nlohmann::json to_json() const;
  /// Error{corrupt} where a key is unknown or a value absurd; absent keys keep their defaults.
  static Augment from_json(const nlohmann::json& json);
  void check() const;  ///< throws Error{usage} where a value makes no sense
};

/// Ten tries to find a part of random area (at least `min_area` of all) and proportions that lies in the
/// picture, else the largest in the middle with such proportions: Szegedy et al. 2015, the numbers as in
/// torchvision's RandomResizedCrop.
Box random_part(int width, int height, double min_area, Rng& rng);

/// The changes that work on a fitted picture. What becomes uncovered is `pad_value`.
Image augment_fitted(Image image, const Augment& augment, int pad_value, Rng& rng);

/// The changes that work on a normalized picture, {c,h,w} of `shape`.
void augment_normalized(std::span<float> chw, const Shape& shape, const Augment& augment, Rng& rng);

/// "area from 0.3, flip 0.5, shift 4 px"; "none".
std::string format_augment(const Augment& augment);

}  // namespace enxerto
