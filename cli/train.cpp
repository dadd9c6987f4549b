// enxerto train: a folder of photographs to a trained network.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <variant>

#include "cli/augment_flags.h"
#include "cli/check.h"
#include "cli/commands.h"
#include "cli/learning.h"
#include "cli/picture_flags.h"
#include "cli/progress.h"
#include "cli/training.h"
#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/data/split.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;

struct TrainFlags {
  Common common;
  StartFlags start;
  AugmentFlags augment;
  CheckFlags check;
  PictureFlags pictures;
  LearningFlags learning;
  std::string data, class_weights = "none", metric;
  std::vector<std::string> freeze;
  int restarts = 1;
  double label_smoothing = 0, val_fraction = 0.2, test_fraction = 0;
  bool quiet = false;
};

/// Cross-entropy or, where a picture may have several labels, binary cross-entropy.
LossConfig loss_for(const TrainFlags& flags, const Dataset& data) {
  if (data.multi_label()) {
    for (const auto& [given, flag] : {std::pair{flags.label_smoothing != 0, "--label-smoothing"},
                                      std::pair{flags.class_weights != "none", "--class-weights"}})
      if (given)
        throw Error(ErrorKind::usage,
                    text(flag, ": is for one label a picture, and these data have several; leave it out"));
    return BinaryCrossEntropy{};
  }
  CrossEntropy loss{.label_smoothing = flags.label_smoothing, .class_weights = {}};
  if (flags.class_weights == "balanced") loss.class_weights = balanced_class_weights(data);
  return loss;
}

TrainConfig training_of(const TrainFlags& flags, const Splits& splits,
                        const std::optional<StartWeights>& weights) {
  TrainConfig training = learning_of(flags.learning, splits.train->size());
  training.preprocess = start_preprocess(flags.start, weights);
  flags.pictures.apply(training.preprocess);
  training.augment = augment_of(flags.augment);
  training.loss = loss_for(flags, *splits.train);
  if (!flags.metric.empty())
    training.metric = parse_metric(flags.metric);
  else if (!splits.val)
    training.metric = Metric::train_loss;
  return training;
}

/// The best of several starts, each trained for a fifth of the run. The run itself then begins anew from its
/// seed, so that the run folder has all of it.
std::uint64_t best_seed(const TrainFlags& flags, const RunConfig& config, const Splits& splits,
                        Console& console) {
  TrainConfig trial = config.training;
  trial.schedule.total = steps_per_epoch(splits.train->size(), trial.batch) * trial.epochs;
  trial.epochs = std::max(1, trial.epochs / 5);
  Graph graph = make_net(
      config.net, {.image = trial.preprocess.shape(), .classes = static_cast<int>(config.classes.size())});
  const std::atomic<bool>& stop = catch_interrupts();
  try {
    const Restarts restarts = train_with_restarts(
        graph, parse_init(config.init), flags.restarts, flags.learning.seed, trial.metric,
        [&](Graph& candidate, std::uint64_t seed) {
          console.line(
              text("start ", seed - flags.learning.seed + 1, " of ", flags.restarts, ", seed ", seed));
          Progress progress(console, text("start ", seed - flags.learning.seed + 1, "  "));
          const std::array<Observer*, 1> observers = {&progress};
          for (const std::string& prefix : config.freeze) candidate.freeze(prefix);
          trial.seed = seed;
          return train(candidate, *splits.train, splits.val.get(), trial, observers, {}, &stop);
        });
    const std::uint64_t best = restarts.all[restarts.best].seed;
    console.line(text("the best start has seed ", best));
    console.line();
    return best;
  } catch (const Error& error) {
    console.clear();
    if (error.kind() != ErrorKind::interrupted) throw;
    throw Error(error.kind(), text("interrupted while trying starts; nothing is kept of these"));
  }
}

void check_flags(const TrainFlags& flags) {
  check_given("train", flags.data, "DATA is missing");
  check_start("train", flags.start);
  check_at_least("--restarts", flags.restarts, 1);
  check_learning(flags.learning);
  if (flags.restarts > 1 && !flags.start.weights.path.empty())
    throw Error(ErrorKind::usage, "--restarts tries starts from nothing; leave out --weights");
  check_is_new(flags.start.out);
}

nlohmann::json train_new(const TrainFlags& flags, Console& console) {
  check_flags(flags);
  RunConfig config;
  const std::optional<StartWeights> weights = start_of(flags.start, config);
  config.val_fraction = flags.val_fraction;
  config.test_fraction = flags.test_fraction;
  config.split_seed = flags.learning.seed;
  config.freeze = flags.freeze;
  const NewData opened = open_new_data(config, flags.data, flags.check, console);
  const Splits& splits = opened.splits;
  config.training = training_of(flags, splits, weights);
  const Preprocess& preprocess = config.training.preprocess;
  config.image = {preprocess.channels, preprocess.height, preprocess.width};
  if (flags.restarts > 1) config.training.seed = best_seed(flags, config, splits, console);
  Graph graph = start_network(config, weights ? &*weights : nullptr, console);
  RunFolder run = RunFolder::create(flags.start.out, config);
  if (opened.check) save_check(run.folder(), *opened.check);
  return train_run(run, std::move(graph), {}, splits, feeding_of(flags.learning), console);
}

nlohmann::json train_on(const TrainFlags& flags, Console& console) {
  Resumed resumed = open_resumed(flags.start.resume, "train", flags.common.threads, console);
  if (!resumed.ended.is_null()) return resumed.ended;
  auto [graph, state] = place_to_go_on(resumed.run, console);
  return train_run(resumed.run, std::move(graph), std::move(state), resumed.splits,
                   feeding_of(flags.learning), console);
}

int run_train(const TrainFlags& flags) {
  set_threads(flags.common.threads);
  Console console(flags.common.json ? stderr : stdout, flags.quiet);
  const nlohmann::json result =
      flags.start.resume.empty() ? train_new(flags, console) : train_on(flags, console);
  if (flags.common.json)
    print_json(result);
  else
    print_outcome(result, console);
  return 0;
}

}  // namespace

void add_train(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App* verb = app.add_subcommand("train", "Train a network on a folder of pictures");
  verb->add_option(
          "data", flags->data,
          "Folder per class, folder with train/ val/ test/, CSV or JSONL manifest, IDX or CIFAR-10 files")
      ->type_name("DATA");
  CLI::Option* const resume = add_start_flags(*verb, flags->start, "Network");
  add_learning_flags(*verb, flags->learning);
  verb->add_option("--label-smoothing", flags->label_smoothing, "In [0, 1)")->type_name("X");
  verb->add_option("--class-weights", flags->class_weights, "none, or balanced: rare classes count more")
      ->capture_default_str()
      ->check(CLI::IsMember({"none", "balanced"}))
      ->type_name("NAME");
  verb->add_option("--freeze", flags->freeze, "Layers whose names begin so keep their values (repeatable)")
      ->type_name("PREFIX")
      ->expected(1)
      ->take_all();
  verb->add_option("--restarts", flags->restarts,
                   "Try so many starts for a fifth of the epochs, keep the best")
      ->capture_default_str()
      ->type_name("N");
  verb->add_option("--metric", flags->metric,
                   "val_loss, val_top1, val_map or train_loss: by which an epoch is the best")
      ->type_name("NAME");
  add_augment_flags(*verb, flags->augment);
  add_held_back_flags(*verb, flags->val_fraction, flags->test_fraction);
  add_picture_flags(*verb, flags->pictures);
  add_check_flags(*verb, flags->check);
  add_threads(*verb, flags->common);
  verb->add_flag("--quiet", flags->quiet, "Print nothing but errors");
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto train photos --net resnet18 --out run\n"
      "  enxerto train photos --net lecture3 --out run --test-fraction 0.2 --flip --patience 5\n"
      "  enxerto train photos --net resnet18 --out run1 --policy trivial --erase 0.1 --mixup 0.2 --cutmix 1\n"
      "  enxerto train photos --net resnet18 --out run2 --weights run --freeze layer1\n"
      "  enxerto train photos --weights mobilenet_v2.onnx --out run3\n"
      "  enxerto train --resume run\n"
      "Ctrl-C stops after the step under way and keeps the run.");
  verb->callback([flags, verb, resume, &chosen] {
    if (resume->count() > 0)
      check_resume_alone(*verb,
                         {"--resume", "--threads", "--workers", "--picture-cache", "--quiet", "--json"});
    chosen = [flags] { return run_train(*flags); };
  });
}

}  // namespace enxerto::cli
