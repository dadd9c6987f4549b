/// The flags that say how pictures are changed at random: of train and preview.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "enxerto/data/augment.h"

namespace enxerto::cli {

struct AugmentFlags {
  bool usual = false, flip = false;
  std::optional<int> shift, policy_ops, policy_magnitude;
  std::optional<double> min_area, rotate, erase, mixup, cutmix;
  std::string jitter, policy;
};

/// Adds --augment and the flags for each kind of change.
void add_augment_flags(CLI::App& verb, AugmentFlags& flags);

/// `start` with what was asked for; a flag for one kind of change decides over --augment and over `start`.
/// Throws Error{usage} that names the flag.
Augment augment_of(const AugmentFlags& flags, const Augment& start = {});

}  // namespace enxerto::cli
