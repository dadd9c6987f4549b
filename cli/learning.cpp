#include "cli/learning.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <variant>
#include <vector>

#include "cli/commands.h"
#include "cli/numbers.h"
#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto::cli {
namespace {

/// Sets a field of whichever optimizer has it.
template <class Set>
void set_in_optimizer(OptimizerConfig& config, const char* flag, const Set& set) {
  const bool done = std::visit([&](auto& held) { return set(held); }, config);
  if (!done)
    throw Error(ErrorKind::usage,
                text(flag, ": the optimizer ", std::visit([](auto& held) { return held.kind; }, config),
                     " has none; leave it out or choose another --optimizer"));
}

OptimizerConfig optimizer_of(const LearningFlags& flags) {
  OptimizerConfig config = parse_optimizer(flags.optimizer);
  if (flags.momentum)
    set_in_optimizer(config, "--momentum", [&](auto& held) {
      if constexpr (requires { held.mu; }) return held.mu = *flags.momentum, true;
      return false;
    });
  if (flags.weight_decay)
    set_in_optimizer(config, "--weight-decay", [&](auto& held) {
      if constexpr (requires { held.weight_decay; }) return held.weight_decay = *flags.weight_decay, true;
      return false;
    });
  return config;
}

Schedule schedule_of(const LearningFlags& flags, const OptimizerConfig& optimizer, std::int64_t epoch_steps) {
  if (!(flags.warmup >= 0 && flags.warmup < flags.epochs))
    throw Error(ErrorKind::usage, text("--warmup: epochs from 0 to less than --epochs, not ", flags.warmup));
  Schedule schedule;
  schedule.curve = parse_curve(flags.schedule == "onecycle" ? "one_cycle" : flags.schedule);
  schedule.base = flags.lr.value_or(usual_lr(optimizer));
  schedule.warmup = std::llround(flags.warmup * static_cast<double>(epoch_steps));
  // Thrice down to a tenth: at a third and two thirds of the run.
  if (schedule.curve == Schedule::Curve::step)
    schedule.every = std::max<std::int64_t>(1, (epoch_steps * flags.epochs - schedule.warmup + 2) / 3);
  return schedule;
}

}  // namespace

CLI::Option* add_start_flags(CLI::App& verb, StartFlags& flags, const std::string& network) {
  std::vector<std::string> names;
  for (const NetInfo& net : nets()) names.emplace_back(net.name);
  verb.add_option("--net", flags.net, text(network, " (that of --weights): ", join(names, ", ")))
      ->type_name("NAME");
  verb.add_option("--out", flags.out, "Folder for the run; it must not hold anything yet")->type_name("RUN");
  CLI::Option* const resume =
      verb.add_option("--resume", flags.resume, "Go on with an interrupted run")->type_name("RUN");
  verb.add_option("--size", flags.size, "Sides of the network's input (the net's own, 96 at most)")
      ->type_name("PIXELS");
  verb.add_option("--weights", flags.weights.path,
                  "Start from a model file, a run, or weights as .safetensors, .pth, .h5, .keras, .onnx")
      ->type_name("FILE");
  add_weight_flags(verb, flags.weights);
  verb.add_option("--init", flags.init,
                  "Start of what has no weights: he_normal, xavier_uniform, uniform:0.1...")
      ->capture_default_str()
      ->type_name("NAME");
  return resume;
}

void check_given(const char* verb, const std::string& value, const char* what) {
  if (value.empty())
    throw Error(ErrorKind::usage, text(verb, ": ", what, "; see `enxerto ", verb, " --help`"));
}

void check_start(const char* verb, const StartFlags& flags) {
  check_given(verb, flags.net + flags.weights.path, "--net is missing, or --weights that tell the network");
  check_given(verb, flags.out, "--out is missing");
  if (!flags.net.empty()) find_net(flags.net);
  if (flags.weights.path.empty() && (flags.weights.not_strict || !flags.weights.preprocess.empty()))
    throw Error(ErrorKind::usage,
                "--preprocess and --not-strict are for --weights; leave them out without it");
  parse_init(flags.init);
  if (flags.size != 0) check_at_least("--size", flags.size, 1);
}

std::optional<StartWeights> start_of(const StartFlags& flags, RunConfig& config) {
  config.net = flags.net;
  config.init = flags.init;
  if (flags.weights.path.empty()) return std::nullopt;
  ModelFlags from = flags.weights;
  from.net = flags.net;
  StartWeights weights = load_start_weights(from);
  config.weights = std::filesystem::absolute(weights.file).lexically_normal().string();
  return weights;
}

Preprocess start_preprocess(const StartFlags& flags, const std::optional<StartWeights>& weights) {
  const std::string& net = flags.net;
  Preprocess preprocess;
  if (!net.empty()) preprocess = preprocess_for(net, flags.size);
  if (net.empty() && !weights->preprocess)
    throw Error(
        ErrorKind::usage,
        text(weights->file, ": does not say how its pictures are prepared; give --preprocess, one of ",
             join(normalization_names(), ", ")));
  if (weights && weights->preprocess) {
    const int channels = net.empty() ? weights->preprocess->channels : preprocess.channels;
    preprocess = *weights->preprocess;
    if (flags.size) preprocess.height = preprocess.width = flags.size;
    if (preprocess.channels != channels)
      throw Error(
          ErrorKind::unsupported,
          text(weights->file, channels == 1 ? ": takes colour pictures, " : ": takes grey pictures, ", net,
               channels == 1 ? " grey ones" : " colour ones", "; give the --net that it was made with"));
  }
  return preprocess;
}

void add_learning_flags(CLI::App& verb, LearningFlags& flags) {
  verb.add_option("--epochs", flags.epochs, "Times through the data")->capture_default_str()->type_name("N");
  verb.add_option("--batch", flags.batch, "Pictures a step")->capture_default_str()->type_name("N");
  verb.add_option("--seed", flags.seed, "Of start, order, augmentation and splits")
      ->capture_default_str()
      ->check(seed_number())
      ->type_name("N");
  verb.add_option("--optimizer", flags.optimizer, join(optimizer_names(), ", "))
      ->capture_default_str()
      ->type_name("NAME");
  verb.add_option("--lr", flags.lr, "Learning rate, the highest (what is usual for the optimizer)")
      ->type_name("X");
  verb.add_option("--momentum", flags.momentum, "Of momentum, nesterov, rmsprop")->type_name("X");
  verb.add_option("--weight-decay", flags.weight_decay, "Decoupled, of sgd, momentum, nesterov, adamw")
      ->type_name("X");
  verb.add_option("--schedule", flags.schedule, "constant, step, cosine or onecycle")
      ->capture_default_str()
      ->type_name("NAME");
  verb.add_option("--warmup", flags.warmup, "Epochs of linear warm-up")
      ->capture_default_str()
      ->type_name("EPOCHS");
  verb.add_option("--l1", flags.l1, "Penalty on the weights' absolute values")->type_name("X");
  verb.add_option("--l2", flags.l2, "Penalty on the weights' squares")->type_name("X");
  verb.add_option("--clip", flags.clip, "Most that the gradients' norm may be (0: no bound)")->type_name("X");
  verb.add_option("--patience", flags.patience, "Stop after so many epochs without a better one (0: never)")
      ->type_name("N");
  verb.add_flag("--bf16", flags.bf16,
                "Trains in bfloat16 with float weights, where the processor has it (AVX-512 BF16, AMX)");
  verb.add_flag("--recompute", flags.recompute, recompute_help);
  verb.add_option("--picture-cache", flags.picture_cache,
                  "Keep fitted pictures in this folder, for later epochs and runs")
      ->type_name("FOLDER");
  add_workers(verb, flags.workers);
}

void check_learning(const LearningFlags& flags) {
  check_at_least("--epochs", flags.epochs, 1);
  check_at_least("--batch", flags.batch, 1);
  check_at_least("--workers", flags.workers, 0);
  if (flags.lr && !(std::isfinite(*flags.lr) && *flags.lr > 0))
    throw Error(ErrorKind::usage, text("--lr: more than 0, not ", *flags.lr));
  if (flags.bf16) require_bf16();
}

TrainConfig learning_of(const LearningFlags& flags, std::int64_t pictures) {
  TrainConfig training;
  training.epochs = flags.epochs;
  training.batch = flags.batch;
  training.seed = flags.seed;
  training.optimizer = optimizer_of(flags);
  training.schedule = schedule_of(flags, training.optimizer, steps_per_epoch(pictures, flags.batch));
  training.penalty = {.l1 = flags.l1, .l2 = flags.l2};
  training.bf16 = flags.bf16;
  training.recompute = flags.recompute;
  training.clip_norm = flags.clip;
  training.patience = flags.patience;
  training.workers = flags.workers;
  training.cache_folder = flags.picture_cache;
  return training;
}

Feeding feeding_of(const LearningFlags& flags) {
  return {.workers = flags.workers, .cache_folder = flags.picture_cache};
}

}  // namespace enxerto::cli
