/// The flags that say how a network learns: of train and distill.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "cli/training.h"

namespace enxerto::cli {

struct LearningFlags {
  std::string optimizer = "adam", schedule = "onecycle", picture_cache;
  int epochs = 15, batch = 32, patience = 0, workers = 1;
  std::optional<double> lr, momentum, weight_decay;
  double l1 = 0, l2 = 0, warmup = 0, clip = 0;
  std::uint64_t seed = 0;
  bool bf16 = false;
};
/// Adds --epochs, --batch, --seed, --optimizer, --lr, --momentum, --weight-decay, --schedule, --warmup, --l1,
/// --l2, --clip, --patience, --bf16, --picture-cache and --workers.
void add_learning_flags(CLI::App& verb, LearningFlags& flags);

/// Throws Error{usage} that names the flag.
void check_learning(const LearningFlags& flags);
/// What they say of a training on so many pictures; the rest is as TrainConfig begins. Throws Error{usage}.
TrainConfig learning_of(const LearningFlags& flags, std::int64_t pictures);
Feeding feeding_of(const LearningFlags& flags);

}  // namespace enxerto::cli
