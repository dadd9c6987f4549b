/// The flags that say what a network starts from and how it learns: of train and distill.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "cli/training.h"

namespace enxerto::cli {

struct StartFlags {
  std::string net, out, resume, init = "he_normal";
  ModelFlags weights;
  int size = 0;
};
/// Adds --net, --out, --resume, --size, --weights, --preprocess, --not-strict and --init; `network` is what
/// the help calls it. Returns --resume.
CLI::Option* add_start_flags(CLI::App& verb, StartFlags& flags, const std::string& network);
/// Of a new run. Throws Error{usage} that names the flag and, where one is missing, the verb.
void check_start(const char* verb, const StartFlags& flags);
/// Throws Error{usage} where the value is empty: "train: --out is missing; see `enxerto train --help`".
void check_given(const char* verb, const std::string& value, const char* what);
/// Reads the file of --weights, where it is given, and writes down what the network starts from.
std::optional<StartWeights> start_of(const StartFlags& flags, RunConfig& config);
/// How pictures come to it. Throws Error: usage where nobody knows, unsupported where net and weights do not
/// go together.
Preprocess start_preprocess(const StartFlags& flags, const std::optional<StartWeights>& weights);

struct LearningFlags {
  std::string optimizer = "adam", schedule = "onecycle", picture_cache;
  int epochs = 15, batch = 32, patience = 0, workers = 1;
  std::optional<double> lr, momentum, weight_decay;
  double l1 = 0, l2 = 0, warmup = 0, clip = 0;
  std::uint64_t seed = 0;
  bool bf16 = false, recompute = false;
};
inline constexpr const char* recompute_help =
    "Keeps less for the gradients and computes it again: less memory, more time, same bits";
/// Adds --epochs, --batch, --seed, --optimizer, --lr, --momentum, --weight-decay, --schedule, --warmup, --l1,
/// --l2, --clip, --patience, --bf16, --recompute, --picture-cache and --workers.
void add_learning_flags(CLI::App& verb, LearningFlags& flags);

/// Throws Error{usage} that names the flag.
void check_learning(const LearningFlags& flags);
/// What they say of a training on so many pictures; the rest is as TrainConfig begins. Throws Error{usage}.
TrainConfig learning_of(const LearningFlags& flags, std::int64_t pictures);
Feeding feeding_of(const LearningFlags& flags);

}  // namespace enxerto::cli
