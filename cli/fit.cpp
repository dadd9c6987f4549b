// enxerto fit: a folder of photographs and a network that has learnt to see, to a classifier.
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/augment_flags.h"
#include "cli/backbone.h"
#include "cli/check.h"
#include "cli/commands.h"
#include "cli/training.h"
#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/report/report.h"
#include "enxerto/transfer/calibration.h"
#include "enxerto/transfer/probe.h"
#include "enxerto/transfer/proof.h"
#include "enxerto/transfer/tune.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct FitFlags {
  Common common;
  BackboneFlags backbone;
  CacheFlags cache;
  AugmentFlags augment;
  CheckFlags check;
  HeadConfig head;
  std::string data, out, resume, recipe = "auto", optimizer = "adamw", class_weights = "none";
  int epochs = 12, batch = 32, views = 4, stages = 2, patience = 0, workers = 1;
  double share = 0.5, val_fraction = 0.2, test_fraction = 0;
  std::optional<double> lr;
  std::uint64_t seed = 0;
  bool plain = false, quiet = false;
};

constexpr const char* start_name =
    "start.safetensors";  ///< of a tuned run: the network before its first step

/// "auto" until advice can choose.
bool is_probe(const std::string& recipe) { return recipe == "probe" || recipe == "auto"; }

std::int64_t count_of(const std::shared_ptr<const Dataset>& data) { return data ? data->size() : 0; }

/// Labels and outputs of the pictures that have one.
struct Answers {
  Tensor logits;
  std::vector<std::int32_t> labels;
};

Answers answers_of(const Tensor& outputs, const Dataset& data) {
  const auto c = static_cast<std::size_t>(outputs.shape().c);
  std::vector<float> kept;
  Answers made;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    if (data.label(i) == unlabelled) continue;
    made.labels.push_back(data.label(i));
    const auto row = outputs.data().subspan(static_cast<std::size_t>(i) * c, c);
    kept.insert(kept.end(), row.begin(), row.end());
  }
  made.logits = Tensor({.n = std::ssize(made.labels), .c = static_cast<std::int64_t>(c)});
  std::ranges::copy(kept, made.logits.data().begin());
  return made;
}

/// Fits the temperature on the validation pictures: what goes into the result.
struct Calibration {
  double temperature = 1, before = 0, after = 0;  ///< errors, on the pictures it was fitted to
  Json to_json() const {
    return {{"temperature", temperature}, {"ece_before", before}, {"ece_after", after}, {"on", "val"}};
  }
};

Calibration calibrate(const Tensor& outputs, const Dataset& data) {
  const Answers answers = answers_of(outputs, data);
  Calibration made;
  made.temperature = fit_temperature(answers.logits.view(), answers.labels);
  made.before = calibration_error(answers.logits.view(), answers.labels);
  made.after = calibration_error(answers.logits.view(), answers.labels, made.temperature);
  return made;
}

/// Outputs of the whole network, as it predicts.
Tensor outputs_of(const Graph& graph, const Dataset& data, const TrainConfig& training, int workers) {
  Tensor outputs({.n = data.size(), .c = std::ssize(data.classes())});
  const auto c = static_cast<std::size_t>(outputs.shape().c);
  evaluate(graph, data, training.preprocess, training.batch, workers,
           {.on_outputs =
                [&](std::int64_t i, std::int32_t, std::span<const float> row) {
                  std::ranges::copy(row, outputs.data().begin() + i * static_cast<std::ptrdiff_t>(c));
                },
            .stop = &catch_interrupts()});
  return outputs;
}

/// How well outputs do once they are divided by the temperature.
Evaluation evaluate_at(double temperature, Tensor& outputs, const Dataset& data) {
  for (float& y : outputs.data()) y = static_cast<float>(y / temperature);
  return evaluate_outputs(outputs.view(), data);
}

std::string format_head(const HeadReport& report, const std::string& kind) {
  std::string line = kind;
  if (report.strength)
    line += text(", C ", *report.strength, report.path.empty() ? "" : " by cross-validation");
  if (report.components) line += text(", ", report.components, " principal components");
  if (report.explained) line += text(" (", percent(*report.explained), " of the variance)");
  if (report.standardized) line += ", standardised";
  if (report.iterations) line += text(", ", *report.iterations, " passes");
  if (report.out_of_bag) line += text(", out-of-bag accuracy ", percent(*report.out_of_bag));
  return line;
}

Json head_json(const HeadReport& report, const std::string& kind) {
  Json json{{"kind", kind},
            {"seconds", report.seconds},
            {"converged", report.converged},
            {"standardized", report.standardized}};
  if (report.strength) json["c"] = *report.strength;
  if (report.objective) json["objective"] = *report.objective;
  if (report.iterations) json["iterations"] = *report.iterations;
  if (report.components) json["pca"] = report.components;
  if (report.explained) json["explained"] = *report.explained;
  if (report.out_of_bag) json["out_of_bag"] = *report.out_of_bag;
  for (const PathStep& step : report.path)
    json["path"].push_back(
        {{"c", step.strength}, {"mean", step.mean}, {"standard_error", step.standard_error}});
  return json;
}

/// Everything that all recipes need.
struct Job {
  const FitFlags& flags;
  RunConfig config;
  Splits splits;
  Backbone backbone;
  Graph start;  ///< grafted, its head at rest
  std::optional<TrainingCheck> check;
  Console& console;
};

Job open_job(const FitFlags& flags, Console& console) {
  Backbone backbone = load_backbone(flags.backbone);
  Job job{.flags = flags,
          .config = {},
          .splits = {},
          .backbone = std::move(backbone),
          .start = {},
          .check = {},
          .console = console};
  RunConfig& config = job.config;
  config.net = job.backbone.net;
  config.val_fraction = flags.val_fraction;
  config.test_fraction = flags.test_fraction;
  config.split_seed = flags.seed;
  config.weights = fs::absolute(find_model(job.backbone.file)).lexically_normal().string();
  config.init = "he_normal";
  NewData opened = open_new_data(config, flags.data, flags.check, console);
  job.splits = std::move(opened.splits);
  job.check = std::move(opened.check);
  const Preprocess& preprocess = job.backbone.preprocess;
  config.image = {preprocess.channels, preprocess.height, preprocess.width};
  TrainConfig& training = config.training;
  training.preprocess = preprocess;
  training.batch = flags.batch;
  training.seed = flags.seed;
  training.workers = flags.workers;
  if (!job.splits.val) training.metric = Metric::train_loss;
  job.start = grafted(job.backbone.graph, job.backbone.cut, static_cast<int>(config.classes.size()));
  config.transfer = {{"recipe", flags.recipe},
                     {"cut", job.backbone.cut.layer},
                     {"pooled", job.backbone.cut.pool},
                     {"head", flags.head.kind}};
  return job;
}

Features features_for(const Job& job, const Dataset& data, const char* what) {
  const Prefix prefix{.graph = features_of(job.backbone.graph, job.backbone.cut),
                      .preprocess = job.backbone.preprocess,
                      .half = job.flags.cache.half};
  FeatureOptions options =
      feature_options(job.flags.cache, job.flags.workers, text("features of ", what), job.console);
  // The head wants all of them at once.
  options.memory_bytes = std::max(options.memory_bytes, feature_bytes(prefix, data.size(), 1));
  Features made = compute_features(prefix, data, options);
  if (const std::string note = made.note(); !note.empty()) job.console.warn(note);
  return made;
}

/// A head on rows, and what was measured of it.
struct Probe {
  HeadFit fit;
  Evaluation train;
  std::optional<Evaluation> val;
  Calibration calibration;
  std::int64_t computed = 0, rows = 0;
};

Probe probe(const Job& job, HeadConfig config) {
  const Splits& splits = job.splits;
  const Features rows = features_for(job, *splits.train, "train");
  config.seed = job.flags.seed;
  if (config.strength || (config.kind != "logistic" && config.kind != "svm")) config.folds = 0;
  Probe made{.fit = fit_probe(rows, *splits.train, config), .train = {}, .val = {}, .calibration = {}};
  made.computed = rows.computed();
  made.rows = rows.pictures();
  made.train = evaluate_outputs(outputs_of(made.fit.head, rows).view(), *splits.train);
  if (!splits.val) return made;
  const Features val_rows = features_for(job, *splits.val, "val");
  made.computed += val_rows.computed();
  made.rows += val_rows.pictures();
  Tensor outputs = outputs_of(made.fit.head, val_rows);
  made.calibration = calibrate(outputs, *splits.val);
  made.val = evaluate_at(made.calibration.temperature, outputs, *splits.val);
  return made;
}

void print_job(const Job& job) {
  Console& console = job.console;
  console.line(text(console.bold(job.backbone.net.empty() ? fs::path(job.backbone.file).filename().string()
                                                          : job.backbone.net),
                    " cut after \"", job.backbone.cut.layer, "\"", job.backbone.cut.pool ? ", pooled" : "",
                    ": ",
                    with_commas(features_of(job.backbone.graph, job.backbone.cut).output_shape().size()),
                    " features of each picture, for ", job.config.classes.size(), " classes"));
  console.line(text(with_commas(count_of(job.splits.train)), " pictures to train with, ",
                    with_commas(count_of(job.splits.val)), " for validation, ",
                    with_commas(count_of(job.splits.test)), " for the test"));
  console.line(text("pictures as ", format_preprocess(job.backbone.preprocess)));
}

std::vector<std::string> trained_layers(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes())
    if (!node.params.empty() && !node.frozen) names.push_back(node.name);
  return names;
}

/// What each layer did, by the model as it was saved. Throws std::logic_error where a frozen one moved.
Json prove(const Job& job, const fs::path& run, const std::vector<std::string>& trained) {
  const auto changes = compare_layers(job.start, load_model(run).graph, trained);
  ensure(broken_promises(changes).empty(), "what is frozen keeps its bits");
  return to_json(changes);
}

void print_fit(const Json& result, Console& console) {
  print_outcome(result, console);
  const Json& transfer = result.at("transfer");
  if (const auto found = transfer.find("calibration"); found != transfer.end())
    console.line(text("Calibrated at temperature ", fixed(found->at("temperature").get<double>(), 2),
                      ": calibration error ", percent(found->at("ece_before").get<double>()), " before, ",
                      percent(found->at("ece_after").get<double>()), " after, on the validation pictures"));
  const Json& layers = transfer.at("layers");
  if (layers.at("frozen") > 0)
    console.line(text(layers.at("frozen_same").get<int>(), " of ", layers.at("frozen").get<int>(),
                      " frozen layers are bit for bit as they were (",
                      layers.at("frozen_hash").get<std::string>().substr(0, 16), ")"));
}

Json fit_by_probe(Job job) {
  const double began = now_seconds();
  print_job(job);
  job.config.training.epochs = 1;
  const Probe made = probe(job, job.flags.head);
  const HeadReport& report = made.fit.report;
  job.console.line(text(with_commas(made.computed), " rows of features computed, ",
                        with_commas(made.rows - made.computed), " found again"));
  job.console.line(format_head(report, job.flags.head.kind));
  const auto& linear = std::get<LinearHead>(made.fit.head.model);
  Graph graph = job.start.clone();
  set_head(linear, made.calibration.temperature, graph);
  // Not before: what ends earlier leaves nothing that one could take for a run.
  RunFolder run = RunFolder::create(job.flags.out, job.config);
  if (job.check) save_check(run.folder(), *job.check);

  // The head counts as one epoch of one step.
  const double seconds = now_seconds() - began;
  TrainState state;
  state.epoch = state.best_epoch = 1;
  state.step = 1;
  state.seconds = seconds;
  const EpochReport epoch{.epoch = 1,
                          .epochs = 1,
                          .step = 1,
                          .train_loss = made.train.loss,
                          .train_top1 = made.train.top1(),
                          .val = made.val,
                          .seconds = seconds,
                          .total_seconds = seconds,
                          .images_per_second = static_cast<double>(made.rows) / seconds,
                          .peak_memory_bytes = peak_memory_bytes(),
                          .best = true,
                          .best_epoch = 1};
  state.best_value = made.val ? made.val->loss : made.train.loss;
  run.on_epoch(epoch, graph, state);
  Json transfer{{"recipe", "probe"},
                {"cut", job.backbone.cut.layer},
                {"features", linear.w.shape().c},
                {"computed", made.computed},
                {"rows", made.rows},
                {"head", head_json(report, job.flags.head.kind)},
                {"layers", prove(job, run.folder(), {head_of(graph).name})}};
  if (made.val) transfer["calibration"] = made.calibration.to_json();
  std::optional<Evaluation> test;
  if (job.splits.test) {
    // By the network as it is saved, from the pictures.
    const Tensor outputs = outputs_of(graph, *job.splits.test, job.config.training, job.flags.workers);
    test = evaluate_outputs(outputs.view(), *job.splits.test);
    const Answers answers = answers_of(outputs, *job.splits.test);
    transfer["ece_test"] = calibration_error(answers.logits.view(), answers.labels);
  }
  const double all = now_seconds() - began;
  const TrainResult result{.epochs = 1,
                           .best_epoch = 1,
                           .best_value = state.best_value,
                           .steps = 1,
                           .seconds = all,
                           .images_per_second = epoch.images_per_second,
                           .peak_memory_bytes = peak_memory_bytes(),
                           .train_loss = made.train.loss,
                           .val = made.val};
  Json json = run.finish(result, test, transfer);
  write_report(run.folder());
  return json;
}

Json phases_json(const std::vector<Phase>& phases) {
  Json json = Json::array();
  for (const Phase& phase : phases)
    json.push_back({{"first_epoch", phase.first_epoch}, {"frozen_through", phase.frozen_through}});
  return json;
}

std::vector<Phase> phases_from(const Json& transfer) {
  std::vector<Phase> phases;
  try {
    for (const Json& each : transfer.at("phases"))
      phases.push_back({each.at("first_epoch").get<int>(), each.at("frozen_through").get<std::string>()});
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::corrupt, text("config.json: transfer: it is damaged: ", error.what()));
  }
  return phases;
}

/// For people: what each phase trains and what is kept of the rest.
std::function<void(const PhaseStart&)> phase_printer(Console& console) {
  return [&console](const PhaseStart& start) {
    std::string line = text("From epoch ", start.phase.first_epoch, ": ");
    line += start.phase.frozen_through.empty()
                ? "all layers learn"
                : text("what follows \"", start.phase.frozen_through, "\" learns");
    if (!start.cut.empty())
      line += start.kept
                  ? text(", the features before it are kept: ", human_bytes(static_cast<double>(start.bytes)))
                  : ", the features before it are computed anew for each epoch";
    console.line(line);
  };
}

/// Trains, from a new run or one that goes on.
Json tune_run(const FitFlags& flags, RunFolder& run, Job& job, Graph graph, TrainState state) {
  const Json& transfer = run.config().transfer;
  TuneConfig config{.training = {}, .phases = phases_from(transfer)};
  config.views = transfer.value("views", 0);
  config.half = transfer.value("half", false);
  config.features = feature_options(flags.cache, flags.workers, "features", job.console);
  const Trainer trainer = [&](Graph& network, const TrainConfig& training,
                              std::span<Observer* const> observers, TrainState from,
                              const std::atomic<bool>* stop) {
    config.training = training;
    return tune(network, *job.splits.train, job.splits.val.get(), config, observers, std::move(from), stop,
                phase_printer(job.console));
  };
  const auto finish = [&](Graph& network, TrainResult& result) -> Json {
    Json more = transfer;
    const bool one_label = !job.splits.train->multi_label();
    if (job.splits.val && one_label) {
      Tensor outputs = outputs_of(network, *job.splits.val, job.config.training, flags.workers);
      const Calibration found = calibrate(outputs, *job.splits.val);
      more["calibration"] = found.to_json();
      set_head(head_in(network), found.temperature, network);
      result.val = evaluate_at(found.temperature, outputs, *job.splits.val);
    }
    run.save_final(network, result);
    more["layers"] = prove(job, run.folder(), trained_layers(network));
    return more;
  };
  return train_run(run, std::move(graph), std::move(state), job.splits,
                   {.workers = flags.workers, .cache_folder = {}}, job.console, trainer, finish);
}

Json fit_by_tuning(Job job) {
  const FitFlags& flags = job.flags;
  print_job(job);
  RunConfig& config = job.config;
  TrainConfig& training = config.training;
  training.epochs = flags.epochs;
  training.patience = flags.patience;
  AugmentFlags usual;
  usual.usual = !flags.plain;
  training.augment = augment_of(flags.augment, augment_of(usual));
  const bool one_label = !job.splits.train->multi_label();
  if (!one_label)
    training.loss = BinaryCrossEntropy{};
  else if (flags.class_weights == "balanced")
    training.loss = CrossEntropy{.class_weights = balanced_class_weights(*job.splits.train)};
  training.optimizer = parse_optimizer(flags.optimizer);
  const bool from_nothing = flags.recipe == "scratch";
  const bool gradual = flags.recipe == "warmup+finetune";
  training.schedule = {.curve = Schedule::Curve::one_cycle,
                       .base = flags.lr.value_or(from_nothing ? usual_lr(training.optimizer)
                                                              : 0.3 * usual_lr(training.optimizer))};
  Graph graph = job.start.clone();
  std::vector<Phase> phases{{}};
  if (from_nothing) {
    graph.init(parse_init(config.init), Rng(flags.seed));
    job.start = graph.clone();
    config.weights.clear();
  } else {
    graph.freeze("");
    graph.unfreeze(head_of(graph).name);
    graph.init({}, Rng(flags.seed));  // the head alone; which layers learn, the phases say
  }
  if (gradual) {
    phases = unfreezing(graph, flags.epochs, flags.stages, flags.share);
    training.layer_rates = falling_rates(graph, 0.5, 0.05);
    if (one_label) {
      HeadConfig head = flags.head;
      head.kind = "logistic";  // whose scores are what the loss wants
      const Probe warm = probe(job, head);
      job.console.line(text("The head begins as ", format_head(warm.fit.report, "logistic"),
                            warm.val ? text(": ", percent(warm.val->top1()), " of validation right") : ""));
      set_head(std::get<LinearHead>(warm.fit.head.model), 1, graph);
    }
  }
  config.transfer["phases"] = phases_json(phases);
  config.transfer["views"] = training.augment.any() ? flags.views : 1;
  if (flags.cache.half) config.transfer["half"] = true;
  // Before the configuration: a run that was killed in between is none yet.
  make_folder(flags.out);
  save_model(fs::path(flags.out) / start_name, {.graph = graph.clone(),
                                                .preprocess = training.preprocess.to_json(),
                                                .classes = config.classes,
                                                .multi_label = config.multi_label,
                                                .training = {}});
  if (job.check) save_check(flags.out, *job.check);
  RunFolder run = RunFolder::create(flags.out, config);
  return tune_run(flags, run, job, std::move(graph), {});
}

Json resume_fit(const FitFlags& flags, Console& console) {
  Resumed resumed = open_resumed(flags.resume, "fit", flags.common.threads, console);
  if (!resumed.ended.is_null()) return resumed.ended;
  RunFolder& run = resumed.run;
  const RunConfig& config = run.config();
  if (!config.transfer.contains("phases"))
    throw Error(ErrorKind::usage,
                text(flags.resume, ": a probe is fitted all at once: start it again (`", config.command,
                     "`) with another --out; the features that it computed are found again"));
  Graph start = load_model(fs::path(flags.resume) / start_name).graph;
  Job job{.flags = flags,
          .config = config,
          .splits = std::move(resumed.splits),
          .backbone = {},
          .start = std::move(start),
          .check = {},
          .console = console};
  if (auto checkpoint = run.take_checkpoint())
    return tune_run(flags, run, job, std::move(checkpoint->graph), std::move(checkpoint->state));
  Graph graph = job.start.clone();
  return tune_run(flags, run, job, std::move(graph), {});
}

void check_flags(const FitFlags& flags) {
  if (flags.data.empty()) throw Error(ErrorKind::usage, "fit: DATA is missing; see `enxerto fit --help`");
  if (flags.out.empty()) throw Error(ErrorKind::usage, "fit: --out is missing; see `enxerto fit --help`");
  check_at_least("--epochs", flags.epochs, 1);
  check_at_least("--batch", flags.batch, 1);
  check_at_least("--views", flags.views, 0);
  check_at_least("--stages", flags.stages, 1);
  check_at_least("--workers", flags.workers, 0);
  if (is_probe(flags.recipe))
    for (const char* kind : {"knn", "tree", "forest"})
      if (flags.head.kind == kind)
        throw Error(ErrorKind::unsupported,
                    text("--head ", kind,
                         ": as yet only linear heads become part of a model; `enxerto extract` and "
                         "`enxerto head` measure the others"));
  if (flags.lr && !(std::isfinite(*flags.lr) && *flags.lr > 0))
    throw Error(ErrorKind::usage, text("--lr: more than 0, not ", *flags.lr));
  if (!fs::exists(fs::path(flags.out) / "config.json") && fs::exists(fs::path(flags.out) / start_name)) {
    // What a run left that was killed before it began.
    std::error_code ignored;
    for (const char* name : {start_name, "doctor.json"}) fs::remove(fs::path(flags.out) / name, ignored);
  }
  check_is_new(flags.out);
}

int run_fit(FitFlags& flags) {
  flags.head.folds = 5;  // where C is not given
  set_threads(flags.common.threads);
  Console console(flags.common.json ? stderr : stdout, flags.quiet);
  catch_interrupts();
  Json result;
  if (!flags.resume.empty()) {
    result = resume_fit(flags, console);
  } else {
    check_flags(flags);
    flags.head.class_weights.balanced = flags.class_weights == "balanced";
    Job job = open_job(flags, console);
    result = is_probe(flags.recipe) ? fit_by_probe(std::move(job)) : fit_by_tuning(std::move(job));
  }
  if (flags.common.json)
    print_json(result);
  else
    print_fit(result, console);
  return 0;
}

}  // namespace

void add_fit(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<FitFlags>();
  CLI::App* verb = app.add_subcommand("fit", "Graft a network that has learnt to see onto your pictures");
  verb->add_option("data", flags->data, "Data as `enxerto train` takes them")->type_name("DATA");
  verb->add_option("--out", flags->out, "Folder for the run; it must not hold anything yet")
      ->type_name("RUN");
  CLI::Option* resume =
      verb->add_option("--resume", flags->resume, "Go on with an interrupted run")->type_name("RUN");
  verb->add_option("--recipe", flags->recipe,
                   "probe (a head on frozen features), warmup+finetune (then layers from the back), finetune "
                   "(all layers), scratch (no weights) or auto (as yet: probe)")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "probe", "warmup+finetune", "finetune", "scratch"}))
      ->type_name("NAME");
  add_backbone_flags(*verb, flags->backbone);
  verb->add_option("--head", flags->head.kind, "Of a probe: logistic, svm or ridge")
      ->capture_default_str()
      ->check(CLI::IsMember({"logistic", "svm", "ridge", "knn", "tree", "forest"}))
      ->type_name("NAME");
  verb->add_option("--pca", flags->head.pca, "Of a probe: so many principal components (0: none)")
      ->check(CLI::Range(0, 1'000'000))
      ->type_name("N");
  verb->add_option("--c", flags->head.strength, "Of a probe: C (by five-fold cross-validation)")
      ->type_name("X");
  verb->add_option("--class-weights", flags->class_weights, "none, or balanced: rare classes count more")
      ->capture_default_str()
      ->check(CLI::IsMember({"none", "balanced"}))
      ->type_name("NAME");
  verb->add_option("--epochs", flags->epochs, "Times through the data, but for a probe")
      ->capture_default_str()
      ->type_name("N");
  verb->add_option("--batch", flags->batch, "Pictures a step")->capture_default_str()->type_name("N");
  verb->add_option("--lr", flags->lr, "Learning rate of the head, the highest")->type_name("X");
  verb->add_option("--optimizer", flags->optimizer, join(optimizer_names(), ", "))
      ->capture_default_str()
      ->type_name("NAME");
  verb->add_option("--stages", flags->stages, "Of warmup+finetune: in how many stages layers are freed")
      ->capture_default_str()
      ->type_name("N");
  verb->add_option("--share", flags->share,
                   "Of warmup+finetune: the part of all blocks that is free at the end")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("X");
  verb->add_flag("--no-augment", flags->plain, "Pictures as they are: no random changes");
  add_augment_flags(*verb, flags->augment);
  verb->add_option("--views", flags->views,
                   "Random changes of each picture whose features are kept (0: new ones in each epoch)")
      ->capture_default_str()
      ->type_name("N");
  verb->add_option("--patience", flags->patience, "Stop after so many epochs without a better one (0: never)")
      ->type_name("N");
  add_held_back_flags(*verb, flags->val_fraction, flags->test_fraction);
  verb->add_option("--seed", flags->seed, "Of splits, order, augmentation and folds")
      ->capture_default_str()
      ->type_name("N");
  add_cache_flags(*verb, flags->cache);
  add_workers(*verb, flags->workers);
  add_check_flags(*verb, flags->check);
  add_threads(*verb, flags->common);
  verb->add_flag("--quiet", flags->quiet, "Print nothing but errors");
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto fit photos --weights mobilenet_v2.onnx --out run\n"
      "  enxerto fit photos --weights resnet50 --head svm --pca 128 --out run\n"
      "  enxerto fit photos --weights resnet18 --recipe warmup+finetune --out run\n"
      "  enxerto fit --resume run\n"
      "Ctrl-C stops after the step under way and keeps the run.");
  verb->callback([flags, verb, resume, &chosen] {
    if (resume->count() > 0)
      check_resume_alone(*verb,
                         {"--resume", "--threads", "--workers", "--feature-cache", "--no-feature-cache",
                          "--feature-memory", "--feature-file", "--quiet", "--json"});
    chosen = [flags] { return run_fit(*flags); };
  });
}

}  // namespace enxerto::cli
