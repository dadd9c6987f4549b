#include "cli/augment_flags.h"

#include <array>
#include <charconv>
#include <string_view>
#include <system_error>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto::cli {
namespace {

/// What --augment means: changes that photographs of nearly everything survive.
constexpr double usual_flip = 0.5, usual_area = 0.5, usual_colour = 0.2;

/// "0.4", "0.4,0.4" or up to four numbers: brightness, contrast, saturation, hue; what is left out is 0.
void set_jitter(std::string_view given, Augment& augment) {
  std::array<double, 4> values{};
  std::size_t count = 0;
  for (std::string_view rest = given; count < values.size(); ++count) {
    const std::string_view word = rest.substr(0, rest.find(','));
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), values[count]);
    if (code != std::errc() || end != word.data() + word.size()) break;
    if (word.size() == rest.size()) {
      augment.brightness = values[0];
      augment.contrast = values[1];
      augment.saturation = values[2];
      augment.hue = values[3];
      return;
    }
    rest.remove_prefix(word.size() + 1);
  }
  throw Error(
      ErrorKind::usage,
      text("--jitter: one to four numbers with commas between them (brightness, contrast, saturation, "
           "hue), such as 0.4,0.4,0.4,0.1, not \"",
           given, "\""));
}

}  // namespace

void add_augment_flags(CLI::App& verb, AugmentFlags& flags) {
  verb.add_flag("--augment", flags.usual,
                text("The usual random changes of photographs: --flip --min-area ", usual_area, " --jitter ",
                     usual_colour, ",", usual_colour, ",", usual_colour));
  verb.add_flag("--flip", flags.flip, "Mirror images, half of the time");
  verb.add_option("--shift", flags.shift, "Move pictures by up to so many pixels")->type_name("PIXELS");
  verb.add_option("--min-area", flags.min_area, "Random parts of at least this proportion of the area")
      ->type_name("X");
  verb.add_option("--rotate", flags.rotate, "Turn pictures by up to so much either way")
      ->type_name("DEGREES");
  verb.add_option(
          "--jitter", flags.jitter,
          "Change brightness, contrast, saturation by factors of 1-X to 1+X, and hue by up to H turns")
      ->type_name("B,C,S,H");
  verb.add_option("--erase", flags.erase, "Blank out a rectangle, so often")->type_name("X");
  verb.add_option("--policy", flags.policy,
                  "rand (RandAugment), trivial (TrivialAugment Wide) or none: operations drawn from a table")
      ->type_name("NAME");
  verb.add_option("--policy-ops", flags.policy_ops, "Operations a picture, of --policy rand (2)")
      ->type_name("N");
  verb.add_option("--policy-magnitude", flags.policy_magnitude, "0 to 30, of --policy rand (9)")
      ->type_name("N");
  verb.add_option("--mixup", flags.mixup, "Blend pictures and labels, shares from Beta(X, X); 0.2 is usual")
      ->type_name("X");
  verb.add_option("--cutmix", flags.cutmix, "Lay a part of one picture over another, Beta(X, X); 1 is usual")
      ->type_name("X");
}

Augment augment_of(const AugmentFlags& flags, const Augment& start) {
  Augment augment = start;
  if (flags.usual) {
    augment.flip = usual_flip;
    augment.min_area = usual_area;
    augment.brightness = augment.contrast = augment.saturation = usual_colour;
  }
  if (flags.flip) augment.flip = usual_flip;
  augment.shift_px = flags.shift.value_or(augment.shift_px);
  augment.min_area = flags.min_area.value_or(augment.min_area);
  augment.rotate_degrees = flags.rotate.value_or(augment.rotate_degrees);
  augment.erase = flags.erase.value_or(augment.erase);
  augment.mixup_alpha = flags.mixup.value_or(augment.mixup_alpha);
  augment.cutmix_alpha = flags.cutmix.value_or(augment.cutmix_alpha);
  if (!flags.jitter.empty()) set_jitter(flags.jitter, augment);
  if (!flags.policy.empty()) augment.policy = parse_augment_policy(flags.policy);
  if ((flags.policy_ops || flags.policy_magnitude) && augment.policy != AugmentPolicy::rand_augment)
    throw Error(ErrorKind::usage, "--policy-ops and --policy-magnitude are for --policy rand");
  augment.rand_ops = flags.policy_ops.value_or(augment.rand_ops);
  augment.rand_magnitude = flags.policy_magnitude.value_or(augment.rand_magnitude);
  augment.check();
  return augment;
}

}  // namespace enxerto::cli
