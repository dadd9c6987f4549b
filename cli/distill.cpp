// enxerto distill: pictures and a teacher's weights to a network that makes of pictures what the teacher
// does.
#include "enxerto/transfer/distill.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/augment_flags.h"
#include "cli/backbone.h"
#include "cli/check.h"
#include "cli/commands.h"
#include "cli/learning.h"
#include "cli/picture_flags.h"
#include "cli/training.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/graph/split.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct DistillFlags {
  Common common;
  BackboneFlags teacher;
  CacheFlags cache;
  StartFlags start;  ///< the student's
  AugmentFlags augment;
  CheckFlags check;
  PictureFlags pictures;
  LearningFlags learning;
  std::string data, match = "features";
  double temperature = 1, val_fraction = 0.05;
  bool full = false, quiet = false;
};

/// A teacher with the names of what it gives, and what config.json says of it.
struct Taught {
  Teacher teacher;
  std::vector<std::string> outputs;
  Json json;
};

std::vector<std::string> numbered(const char* name, std::int64_t count) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < count; ++i) names.push_back(text(name, "_", i));
  return names;
}

/// The teacher's way from features to logits.
Graph rest_of(const Backbone& backbone) {
  if (!backbone.has_own_head)
    throw Error(ErrorKind::usage,
                text(backbone.file,
                     backbone.classes.empty()
                         ? ": gives features and knows no classes that a student could match"
                         : ": its head is no layer (neighbours, a tree or a forest), whose classes a student "
                           "cannot match",
                     "; give --match features, or another --teacher"));
  if (backbone.multi_label)
    throw Error(ErrorKind::unsupported,
                text(backbone.file,
                     ": gives a picture several labels, and a student learns classes of which one is right; "
                     "give --match features"));
  if (backbone.cut.pool)
    throw Error(ErrorKind::usage,
                text(backbone.file, ": its features after \"", backbone.cut.layer,
                     "\" are pooled, and no class follows from these; give a --cut with a list, or --match "
                     "features"));
  try {
    return split_at(rebuilt(backbone.graph, {.logits = true}), backbone.cut.layer).suffix;
  } catch (const Error& error) {
    throw Error(error.kind(), text(backbone.file, ": ", error.what()));
  }
}

Taught load_teacher(const BackboneFlags& flags, bool half, const std::string& match, double temperature) {
  Backbone backbone = load_backbone(flags);
  Taught made{.teacher = {.prefix = {.graph = features_of(backbone.graph, backbone.cut),
                                     .preprocess = backbone.preprocess,
                                     .half = half},
                          .temperature = temperature},
              .outputs = {},
              .json = {}};
  if (match == "classes") made.teacher.rest = rest_of(backbone);
  const std::int64_t outputs = made.teacher.outputs();
  if (match == "features")
    made.outputs = numbered("feature", outputs);
  else
    made.outputs = std::ssize(backbone.classes) == outputs ? backbone.classes : numbered("class", outputs);
  made.json = {{"teacher", fs::absolute(find_model(backbone.file)).lexically_normal().string()},
               {"teacher_key", format_key(made.teacher.key())},
               {"cut", backbone.cut.layer},
               {"pooled", backbone.cut.pool},
               {"half", half},
               {"match", match}};
  if (match == "classes") made.json["temperature"] = temperature;
  if (!flags.model.net.empty()) made.json["teacher_net"] = flags.model.net;
  if (!flags.model.preprocess.empty()) made.json["teacher_preprocess"] = flags.model.preprocess;
  return made;
}

/// The teacher of a run, as its config.json has it.
Taught load_teacher(const fs::path& run, const Json& json) {
  BackboneFlags flags;
  flags.preprocess_flag = "--teacher-preprocess";
  std::string match, key;
  double temperature = 1;
  bool half = true;
  try {
    flags.model.path = json.at("teacher").get<std::string>();
    flags.model.net = json.value("teacher_net", "");
    flags.model.preprocess = json.value("teacher_preprocess", "");
    flags.cut = json.at("cut").get<std::string>();
    flags.pool = json.at("pooled").get<bool>();
    half = json.at("half").get<bool>();
    match = json.at("match").get<std::string>();
    key = json.at("teacher_key").get<std::string>();
    temperature = json.value("temperature", 1.0);
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::corrupt, text((run / "config.json").string(), ": distill: ", error.what()));
  }
  Taught made = load_teacher(flags, half, match, temperature);
  if (format_key(made.teacher.key()) != key)
    throw Error(ErrorKind::usage, text(flags.model.path, ": is not the teacher that ", run.string(),
                                       " began with; put its weights back to go on"));
  return made;
}

Json distill_run(RunFolder& run, Graph graph, TrainState state, const Splits& splits, const Taught& taught,
                 const DistillFlags& flags, Console& console) {
  TrainHooks hooks;
  hooks.trainer = [&](Graph& student, const TrainConfig& training, std::span<Observer* const> observers,
                      TrainState from, const std::atomic<bool>* stop) {
    return distill(student, taught.teacher, *splits.train, splits.val.get(), training,
                   feature_options(flags.cache, training.workers, "the teacher's features", console),
                   observers, std::move(from), stop);
  };
  return train_run(run, std::move(graph), std::move(state), splits, feeding_of(flags.learning), console,
                   hooks);
}

void check_flags(const DistillFlags& flags) {
  check_given("distill", flags.data, "PHOTOS is missing");
  check_given("distill", flags.teacher.model.path, "--teacher is missing: the network to learn from");
  check_start("distill", flags.start);
  if (!(std::isfinite(flags.temperature) && flags.temperature > 0))
    throw Error(ErrorKind::usage, text("--temperature: more than 0, not ", flags.temperature));
  if (flags.temperature != 1 && flags.match != "classes")
    throw Error(ErrorKind::usage, "--temperature is for --match classes; leave it out, or match these");
  if (augment_of(flags.augment).mixes())
    throw Error(ErrorKind::usage,
                "--mixup and --cutmix make pictures that the teacher has not seen; leave them out");
  if (!(flags.val_fraction >= 0 && flags.val_fraction < 1))
    throw Error(ErrorKind::usage, text("--val-fraction: from 0 to less than 1, not ", flags.val_fraction));
  check_learning(flags.learning);
  check_is_new(flags.start.out);
}

Json distill_new(const DistillFlags& flags, Console& console) {
  check_flags(flags);
  const Taught taught = load_teacher(flags.teacher, !flags.full, flags.match, flags.temperature);
  RunConfig config;
  const std::optional<StartWeights> weights = start_of(flags.start, config);
  config.data = fs::absolute(flags.data).lexically_normal().string();
  config.val_fraction = flags.val_fraction;
  config.split_seed = flags.learning.seed;
  config.threads = threads();
  config.version = ENXERTO_VERSION;
  config.command = command_line();
  config.distill = taught.json;
  config.classes = taught.outputs;
  Splits splits = open_unlabelled(config);
  for (const std::string& note : splits.notes) console.line(note);
  const auto check = check_data(flags.data, {.val = config.val_fraction > 0}, flags.check, splits, console);
  record_data(config, splits);

  TrainConfig& training = config.training;
  training = learning_of(flags.learning, splits.train->size());
  training.preprocess = start_preprocess(flags.start, weights);
  flags.pictures.apply(training.preprocess);
  training.augment = augment_of(flags.augment);
  if (taught.teacher.rest)
    training.loss = CrossEntropy{};
  else
    training.loss = MeanSquaredError{};
  if (!splits.val) training.metric = Metric::train_loss;
  config.image = {training.preprocess.channels, training.preprocess.height, training.preprocess.width};
  Graph graph = start_network(config, weights ? &*weights : nullptr, console);
  RunFolder run = RunFolder::create(flags.start.out, config);
  if (check) save_check(run.folder(), *check);
  return distill_run(run, std::move(graph), {}, splits, taught, flags, console);
}

Json distill_on(const DistillFlags& flags, Console& console) {
  Resumed resumed = open_resumed(flags.start.resume, "distill", flags.common.threads, console);
  if (!resumed.ended.is_null()) return resumed.ended;
  const Taught taught = load_teacher(flags.start.resume, resumed.run.config().distill);
  auto [graph, state] = place_to_go_on(resumed.run, console);
  return distill_run(resumed.run, std::move(graph), std::move(state), resumed.splits, taught, flags, console);
}

int run_distill(const DistillFlags& flags) {
  set_threads(flags.common.threads);
  Console console(flags.common.json ? stderr : stdout, flags.quiet);
  const Json result = flags.start.resume.empty() ? distill_new(flags, console) : distill_on(flags, console);
  if (flags.common.json)
    print_json(result);
  else
    print_outcome(result, console);
  return 0;
}

}  // namespace

void add_distill(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<DistillFlags>();
  flags->teacher.preprocess_flag = "--teacher-preprocess";
  flags->learning.optimizer = "adamw";
  flags->learning.schedule = "cosine";
  CLI::App* verb = app.add_subcommand(
      "distill", "Train a small network to make of pictures what a larger one makes of them, without labels");
  verb->add_option("data", flags->data, "Data as `enxerto train` takes them; labels do not matter")
      ->type_name("PHOTOS");
  verb->add_option("--teacher", flags->teacher.model.path,
                   "The network to learn from: a model file, a run, weights as .safetensors, .pth, .h5, "
                   ".keras, .onnx, or a net that was pulled")
      ->type_name("FILE");
  verb->add_option("--teacher-net", flags->teacher.model.net,
                   "The zoo's net that the teacher's bare weights are of (as their tensors tell)")
      ->type_name("NAME");
  verb->add_option(
          "--teacher-preprocess", flags->teacher.model.preprocess,
          "How the teacher wants pictures (as its family does): " + join(normalization_names(), ", "))
      ->check(CLI::IsMember(normalization_names()))
      ->type_name("NAME");
  verb->add_option(
          "--cut", flags->teacher.cut,
          "The teacher's layer whose output is its features (the last list before the head, else the "
          "last map, pooled)")
      ->type_name("LAYER");
  verb->add_flag("--pool", flags->teacher.pool, "Of a map the mean of each channel");
  verb->add_option(
          "--match", flags->match,
          "What the student is to give: features, each brought to mean 0 and variance 1, or classes, "
          "the teacher's probabilities of them")
      ->capture_default_str()
      ->check(CLI::IsMember({"features", "classes"}))
      ->type_name("NAME");
  verb->add_option("--temperature", flags->temperature,
                   "Of the probabilities: softmax(logits / T), flatter above 1")
      ->capture_default_str()
      ->type_name("T");
  CLI::Option* const resume = add_start_flags(*verb, flags->start, "The student");
  add_learning_flags(*verb, flags->learning);
  add_augment_flags(*verb, flags->augment);
  verb->add_option("--val-fraction", flags->val_fraction, "Held back where there is no val/")
      ->capture_default_str()
      ->type_name("X");
  add_picture_flags(*verb, flags->pictures);
  add_cache_place_flags(*verb, flags->cache);
  verb->add_flag("--full", flags->full, "The teacher's features in full precision, not half of it");
  add_check_flags(*verb, flags->check);
  add_threads(*verb, flags->common);
  verb->add_flag("--quiet", flags->quiet, "Print nothing but errors");
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto distill photos --teacher mobilenet_v2.onnx --net mobilenet_v3_small --size 128 --augment "
      "--out "
      "small\n"
      "  enxerto distill photos --teacher resnet50 --match classes --temperature 2 --net resnet18 --out "
      "small\n"
      "  enxerto distill --resume small\n"
      "  enxerto fit flowers --weights small --recipe probe --out run\n"
      "Ctrl-C stops after the step under way and keeps the run.");
  verb->callback([flags, verb, resume, &chosen] {
    if (resume->count() > 0)
      check_resume_alone(*verb,
                         {"--resume", "--threads", "--workers", "--picture-cache", "--feature-cache",
                          "--no-feature-cache", "--feature-memory", "--feature-file", "--quiet", "--json"});
    chosen = [flags] { return run_distill(*flags); };
  });
}

}  // namespace enxerto::cli
