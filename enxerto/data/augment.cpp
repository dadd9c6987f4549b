#include "enxerto/data/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/data/augment_policy.h"
#include "enxerto/data/json_fields.h"
#include "enxerto/image/affine.h"
#include "enxerto/image/colour.h"

namespace enxerto {
namespace {

constexpr int max_shift = 16384;
constexpr std::array policies{std::pair{AugmentPolicy::none, "none"},
                              std::pair{AugmentPolicy::rand_augment, "rand_augment"},
                              std::pair{AugmentPolicy::trivial_augment, "trivial_augment"}};

/// Every field with its key, in one place for reading and writing.
template <class AnyAugment, class Visit>
void for_each_field(AnyAugment& augment, const Visit& visit) {
  visit("flip", augment.flip);
  visit("shift_px", augment.shift_px);
  visit("min_area", augment.min_area);
  visit("rotate_degrees", augment.rotate_degrees);
  visit("brightness", augment.brightness);
  visit("contrast", augment.contrast);
  visit("saturation", augment.saturation);
  visit("hue", augment.hue);
  visit("erase", augment.erase);
  visit("policy", augment.policy);
  visit("rand_ops", augment.rand_ops);
  visit("rand_magnitude", augment.rand_magnitude);
  visit("mixup_alpha", augment.mixup_alpha);
  visit("cutmix_alpha", augment.cutmix_alpha);
}

/// NaN lies nowhere.
void check_range(const char* name, double value, double low, double high) {
  require(value >= low && value <= high, text(name, " has to lie in ", low, "..", high, ", not ", value));
}

/// Brightness, contrast, saturation and hue in a random order, as torchvision's ColorJitter has it.
Image jittered(Image image, const Augment& augment, Rng& rng) {
  const auto factor = [&](double strength) {
    const double low = std::max(0.0, 1 - strength);
    return low + (1 + strength - low) * rng.uniform();
  };
  std::array order{0, 1, 2, 3};
  shuffle(order, rng);
  for (const int kind : order) {
    if (kind == 0 && augment.brightness > 0)
      image = adjust_brightness(std::move(image), factor(augment.brightness));
    if (kind == 1 && augment.contrast > 0)
      image = adjust_contrast(std::move(image), factor(augment.contrast));
    if (kind == 2 && augment.saturation > 0)
      image = adjust_saturation(std::move(image), factor(augment.saturation));
    if (kind == 3 && augment.hue > 0)
      image = turn_hue(std::move(image), augment.hue * (2.0 * rng.uniform() - 1.0));
  }
  return image;
}

/// A rectangle of 2 to 33 % of the area and proportions 0.3 to 3.3 becomes 0; after ten that do not fit none
/// does. Zhong et al. 2017, the numbers as in torchvision's RandomErasing.
void erase_part(std::span<float> chw, const Shape& shape, Rng& rng) {
  const auto h = static_cast<double>(shape.h), w = static_cast<double>(shape.w);
  const double log_low = std::log(0.3), log_high = std::log(3.3);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = h * w * (0.02 + (0.33 - 0.02) * rng.uniform());
    const double ratio = std::exp(log_low + (log_high - log_low) * rng.uniform());
    const auto part_h = static_cast<std::int64_t>(std::nearbyint(std::sqrt(area * ratio)));
    const auto part_w = static_cast<std::int64_t>(std::nearbyint(std::sqrt(area / ratio)));
    if (part_h >= shape.h || part_w >= shape.w) continue;
    const auto top = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(shape.h - part_h + 1)));
    const auto left = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(shape.w - part_w + 1)));
    for (std::int64_t c = 0; c < shape.c; ++c)
      for (std::int64_t y = top; y < top + part_h; ++y)
        std::fill_n(chw.data() + (c * shape.h + y) * shape.w + left, part_w, 0.0f);
    return;
  }
}

}  // namespace

AugmentPolicy parse_augment_policy(std::string_view name) {
  if (name == "rand") return AugmentPolicy::rand_augment;
  if (name == "trivial") return AugmentPolicy::trivial_augment;
  for (const auto& [policy, known] : policies)
    if (name == known) return policy;
  throw Error(ErrorKind::usage,
              text("there is no augmentation policy \"", name, "\"; there are none, rand and trivial"));
}

bool Augment::any() const {
  Augment off;
  // Of no meaning without the policy.
  off.rand_ops = rand_ops;
  off.rand_magnitude = rand_magnitude;
  return *this != off;
}

void Augment::check() const {
  check_range("flip", flip, 0, 1);
  check_range("shift_px", shift_px, 0, max_shift);
  require(min_area > 0 && min_area <= 1, text("min_area has to be above 0 and at most 1, not ", min_area));
  check_range("rotate_degrees", rotate_degrees, 0, 180);
  check_range("brightness", brightness, 0, 10);
  check_range("contrast", contrast, 0, 10);
  check_range("saturation", saturation, 0, 10);
  check_range("hue", hue, 0, 0.5);
  check_range("erase", erase, 0, 1);
  check_range("rand_ops", rand_ops, 1, 16);
  check_range("rand_magnitude", rand_magnitude, 0, 30);
  check_range("mixup_alpha", mixup_alpha, 0, 100);
  check_range("cutmix_alpha", cutmix_alpha, 0, 100);
}

nlohmann::json Augment::to_json() const {
  nlohmann::json json = nlohmann::json::object();
  for_each_field(*this, [&]<class Value>(const char* key, const Value& value) {
    if constexpr (std::is_same_v<Value, AugmentPolicy>)
      json[key] = name_of(policies, value);
    else
      json[key] = value;
  });
  return json;
}

Augment Augment::from_json(const nlohmann::json& json) {
  Augment out;
  std::vector<std::string_view> keys;
  for_each_field(out, [&](const char* key, const auto&) { keys.emplace_back(key); });
  const JsonFields in(json, "augmentation", keys);
  for_each_field(out, [&]<class Value>(const char* key, Value& value) {
    if (!in.has(key)) return;
    if constexpr (std::is_same_v<Value, AugmentPolicy>)
      value = in.choice(key, policies);
    else if constexpr (std::is_same_v<Value, int>)
      value = in.integer(key);
    else
      value = in.number(key);
  });
  return in.checked(out);
}

Box random_part(int width, int height, double min_area, Rng& rng) {
  const double w = width, h = height;
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = w * h * (min_area + (1 - min_area) * rng.uniform());
    const double log_ratio = std::log(4.0 / 3.0) * (2.0 * rng.uniform() - 1.0);
    const double part_w = std::round(std::sqrt(area * std::exp(log_ratio)));
    const double part_h = std::round(std::sqrt(area * std::exp(-log_ratio)));
    if (part_w < 1 || part_h < 1 || part_w > w || part_h > h) continue;
    const auto left = static_cast<double>(rng.below(static_cast<std::uint64_t>(w - part_w) + 1));
    const auto top = static_cast<double>(rng.below(static_cast<std::uint64_t>(h - part_h) + 1));
    return {left, top, left + part_w, top + part_h};
  }
  // As torchvision does it: the largest part in the middle that is no longer or wider than may be.
  constexpr double most = 4.0 / 3.0;
  const double part_w = std::min(w, std::round(h * most)), part_h = std::min(h, std::round(w * most));
  const double left = std::floor((w - part_w) / 2), top = std::floor((h - part_h) / 2);
  return {left, top, left + part_w, top + part_h};
}

Image augment_fitted(Image image, const Augment& augment, int pad_value, Rng& rng) {
  if (augment.brightness > 0 || augment.contrast > 0 || augment.saturation > 0 || augment.hue > 0)
    image = jittered(std::move(image), augment, rng);
  if (augment.shift_px > 0) {
    const auto draw = [&] {
      return static_cast<int>(rng.below(2 * static_cast<std::uint64_t>(augment.shift_px) + 1)) -
             augment.shift_px;
    };
    const int dx = draw(), dy = draw();
    image = shift(image, dx, dy, pad_value);
  }
  if (augment.flip > 0 && rng.uniform() < augment.flip) image = flip_horizontal(image);
  if (augment.rotate_degrees > 0)
    image = rotate(image, augment.rotate_degrees * (2.0 * rng.uniform() - 1.0), pad_value);
  return apply_policy(std::move(image), augment, pad_value, rng);
}

void augment_normalized(std::span<float> chw, const Shape& shape, const Augment& augment, Rng& rng) {
  ensure(std::ssize(chw) == shape.c * shape.h * shape.w, "a picture has the size of its shape");
  if (augment.erase > 0 && rng.uniform() < augment.erase) erase_part(chw, shape, rng);
}

std::string format_augment(const Augment& augment) {
  std::vector<std::string> parts;
  const auto add = [&](const char* name, double value, double off = 0, const char* unit = "") {
    if (value != off) parts.push_back(text(name, " ", value, unit));
  };
  add("area from", augment.min_area, 1);
  add("brightness", augment.brightness);
  add("contrast", augment.contrast);
  add("saturation", augment.saturation);
  add("hue", augment.hue);
  add("flip", augment.flip);
  add("shift", augment.shift_px, 0, " px");
  add("rotate", augment.rotate_degrees, 0, " degrees");
  if (augment.policy == AugmentPolicy::rand_augment)
    parts.push_back(
        text("RandAugment of ", augment.rand_ops, " operations, magnitude ", augment.rand_magnitude));
  if (augment.policy == AugmentPolicy::trivial_augment) parts.emplace_back("TrivialAugment");
  add("erase", augment.erase);
  add("mixup", augment.mixup_alpha);
  add("cutmix", augment.cutmix_alpha);
  return parts.empty() ? "none" : join(parts, ", ");
}

}  // namespace enxerto
