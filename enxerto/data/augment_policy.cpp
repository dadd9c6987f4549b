#include "enxerto/data/augment_policy.h"

#include <cmath>
#include <stdexcept>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/image/affine.h"
#include "enxerto/image/colour.h"

namespace enxerto {
namespace {

using Operation = PolicyOperation;

bool has_magnitude(Operation operation) {
  return operation != Operation::identity && operation != Operation::autocontrast &&
         operation != Operation::equalize;
}

}  // namespace

bool has_sign(Operation operation) {
  return operation >= Operation::shear_x && operation <= Operation::sharpness;
}

double policy_magnitude(AugmentPolicy policy, Operation operation, int bin, int width, int height) {
  ensure(policy != AugmentPolicy::none && bin >= 0 && bin < policy_magnitudes, "a policy has 31 magnitudes");
  const bool wide = policy == AugmentPolicy::trivial_augment;
  const double part = bin / (policy_magnitudes - 1.0);
  switch (operation) {
    case Operation::identity:
    case Operation::autocontrast:
    case Operation::equalize:
      return 0;
    case Operation::shear_x:
    case Operation::shear_y:
      return part * (wide ? 0.99 : 0.3);
    case Operation::translate_x:
      return part * (wide ? 32.0 : 150.0 / 331.0 * width);
    case Operation::translate_y:
      return part * (wide ? 32.0 : 150.0 / 331.0 * height);
    case Operation::rotate:
      return part * (wide ? 135 : 30);
    case Operation::brightness:
    case Operation::colour:
    case Operation::contrast:
    case Operation::sharpness:
      return part * (wide ? 0.99 : 0.9);
    case Operation::posterize:
      return 8 - std::nearbyint(part * (wide ? 6 : 4));
    case Operation::solarize:
      return 255 * (1 - part);
  }
  throw std::logic_error("an operation without magnitudes");
}

Image apply_operation(Image image, Operation operation, double magnitude, int fill) {
  switch (operation) {
    case Operation::identity:
      return image;
    case Operation::shear_x:
      return shear_x(image, magnitude, fill);
    case Operation::shear_y:
      return shear_y(image, magnitude, fill);
    case Operation::translate_x:
      return shift(image, -static_cast<int>(magnitude), 0, fill);
    case Operation::translate_y:
      return shift(image, 0, -static_cast<int>(magnitude), fill);
    case Operation::rotate:
      return rotate(image, magnitude, fill);
    case Operation::brightness:
      return adjust_brightness(std::move(image), 1 + magnitude);
    case Operation::colour:
      return adjust_saturation(std::move(image), 1 + magnitude);
    case Operation::contrast:
      return adjust_contrast(std::move(image), 1 + magnitude);
    case Operation::sharpness:
      return adjust_sharpness(std::move(image), 1 + magnitude);
    case Operation::posterize:
      return posterize(std::move(image), static_cast<int>(magnitude));
    case Operation::solarize:
      return solarize(std::move(image), magnitude);
    case Operation::autocontrast:
      return autocontrast(std::move(image));
    case Operation::equalize:
      return equalize(std::move(image));
  }
  throw std::logic_error("an operation that nothing applies");
}

Image apply_policy(Image image, const Augment& augment, int fill, Rng& rng) {
  const bool is_trivial = augment.policy == AugmentPolicy::trivial_augment;
  const int count = augment.policy == AugmentPolicy::none ? 0 : is_trivial ? 1 : augment.rand_ops;
  for (int i = 0; i < count; ++i) {
    const auto operation = static_cast<Operation>(rng.below(policy_operations));
    int bin = augment.rand_magnitude;
    if (is_trivial && has_magnitude(operation)) bin = static_cast<int>(rng.below(policy_magnitudes));
    double magnitude = policy_magnitude(augment.policy, operation, bin, image.width, image.height);
    if (has_sign(operation) && rng.below(2) == 1) magnitude = -magnitude;
    image = apply_operation(std::move(image), operation, magnitude, fill);
  }
  return image;
}

}  // namespace enxerto
