#include "cli/recipe.h"

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "cli/commands.h"
#include "cli/judge.h"
#include "cli/learning.h"
#include "cli/probe.h"
#include "cli/progress.h"
#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/train/lr_range.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// Of a tuned run: the network before its first step.
constexpr const char* start_name = "start.safetensors";

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

/// Ends a run after the epoch beyond which another one would come too late.
class Deadline final : public Observer {
 public:
  explicit Deadline(double at) : at_(at) {}
  bool on_epoch(const EpochReport& report, const Graph&, const TrainState&) override {
    return now_seconds() + report.seconds <= at_;
  }

 private:
  double at_;
};

struct Unknown {
  std::shared_ptr<const Novelty> novelty;
  std::vector<double> val_distances;
};

/// Of a network that was trained: from its own features, which nobody wants again.
Unknown learn_unknown(const Graph& network, const Splits& splits, const TrainConfig& training,
                      const SourceFlags& source, Console& console) {
  Graph features = network.clone();
  const NodeId rows = features_node(features, nullptr);
  features.cut_after(std::string(features.node(rows).name));
  const Prefix prefix{.graph = std::move(features), .preprocess = training.preprocess};
  const std::int64_t all = splits.train->size(), most = std::min(all, NoveltyConfig{}.most_rows);
  std::vector<std::int64_t> some;
  for (std::int64_t k = 0; k < most; ++k) some.push_back(k * all / most);
  const Subset train(splits.train, some);
  const auto compute = [&](const Dataset& data, const char* what) {
    FeatureOptions options = feature_options(source.cache, source.workers, what, console);
    options.folder.clear();
    return compute_features_in_memory(prefix, data, options);
  };
  const Features train_rows = compute(train, "features of train, for the unknown answer");
  const Features val_rows = compute(*splits.val, "features of val, for the unknown answer");
  Unknown made{.novelty = enxerto::learn_unknown(train_rows, train, val_rows), .val_distances = {}};
  if (made.novelty) made.val_distances = distances_of(*made.novelty, val_rows);
  return made;
}

/// Trains, from a new run or one that goes on.
Json tune_run(RunFolder& run, const SourceFlags& source, const Splits& splits, const Graph& start,
              Graph graph, TrainState state, Console& console, const RunHooks& hooks) {
  const Json& transfer = run.config().transfer;
  TuneConfig config =
      tune_config_of(run.config(), feature_options(source.cache, source.workers, "features", console));
  const Trainer trainer = [&](Graph& network, const TrainConfig& training,
                              std::span<Observer* const> observers, TrainState from,
                              const std::atomic<bool>* stop) {
    config.training = training;
    std::vector<Observer*> all(observers.begin(), observers.end());
    Deadline deadline(hooks.end_by);
    if (hooks.end_by > 0) all.push_back(&deadline);
    return tune(network, *splits.train, splits.val.get(), config, all, std::move(from), stop,
                phase_printer(console));
  };
  const auto finish = [&](Graph& network, TrainResult& result, std::optional<Evaluation>& test) -> Json {
    Json more = transfer;
    const std::optional<Evaluation> in_bf16 = config.bf16 ? result.val : std::nullopt;
    const TrainConfig& training = run.config().training;
    Tensor outputs;
    Unknown unknown;
    if (splits.val && !splits.train->multi_label()) {
      outputs = run_model(network, nullptr, nullptr, *splits.val, training, source.workers).outputs;
      const Calibration found = calibrate(outputs, *splits.val);
      more["calibration"] = found.to_json();
      set_head(head_in(network), found.temperature, network);
      result.val = evaluate_at(found.temperature, outputs, *splits.val);
      unknown = learn_unknown(network, splits, training, source, console);
    }
    if (in_bf16 && result.val) more["bf16"] = compare_precisions(*in_bf16, *result.val, console);
    run.set_beside(nullptr, unknown.novelty);
    run.save_final(network, result);
    more["layers"] = prove(start, run.folder(), trained_layers(network));
    std::optional<Given> given;
    if (splits.test) {
      given =
          run_model(network, nullptr, unknown.novelty, *splits.test, training, source.workers, hooks.on_test);
      test = given->evaluation;
    }
    if (unknown.novelty)
      more["unknown"] =
          unknown_result(*unknown.novelty, splits, outputs, unknown.val_distances, given ? &*given : nullptr);
    return more;
  };
  return train_run(run, std::move(graph), std::move(state), splits,
                   {.workers = source.workers, .cache_folder = {}}, console,
                   {.trainer = trainer, .finish = finish});
}

Json fit_by_tuning(const Job& job, Recipe recipe, const fs::path& out, Console& console,
                   const RunHooks& hooks) {
  Json range;
  if (recipe.finds_lr) {
    range = find_lr(job, recipe, usual_range_steps, console);
    if (range.at("suggested").is_null())
      console.warn("--lr find: the loss falls at no rate; the usual rate is taken");
    else
      recipe.lr = range.at("suggested").get<double>();
  }
  Tuning tuning = plan_tuning(job, recipe, console);
  if (!range.is_null()) tuning.config.transfer["lr_range"] = std::move(range);
  // Before the configuration: a run that was killed in between is none yet.
  make_folder(out);
  save_model(out / start_name, {.graph = tuning.graph.clone(),
                                .preprocess = tuning.config.training.preprocess.to_json(),
                                .classes = tuning.config.classes,
                                .multi_label = tuning.config.multi_label,
                                .training = {}});
  if (job.check) save_check(out, *job.check);
  RunFolder run = RunFolder::create(out, std::move(tuning.config));
  const Graph start = tuning.graph.clone();
  return tune_run(run, job.source, job.splits, start, std::move(tuning.graph), {}, console, hooks);
}

}  // namespace

Json interval_json(const Interval& interval) { return Json::array({interval.low, interval.high}); }

Tuning plan_tuning(const Job& job, const Recipe& recipe, Console& console) {
  RunConfig config = config_of(job, recipe);
  TrainConfig& training = config.training;
  training.epochs = recipe.epochs;
  training.patience = recipe.patience;
  training.recompute = recipe.recompute;
  AugmentFlags usual;
  usual.usual = !recipe.plain;
  training.augment = augment_of(recipe.augment, augment_of(usual));
  const bool one_label = !job.splits.train->multi_label();
  if (!one_label && recipe.class_weights == "balanced")
    throw Error(ErrorKind::usage,
                "--class-weights balanced is for pictures of one label each, and these may have several; "
                "leave it out");
  if (!one_label && (recipe.head.kind != HeadConfig{}.kind || recipe.head.pca > 0 || recipe.head.strength))
    throw Error(ErrorKind::usage,
                "--head, --pca and --c are for pictures of one label each, and these may have several, for "
                "which no head is fitted before the training; leave them out");
  if (!one_label)
    training.loss = BinaryCrossEntropy{};
  else if (recipe.class_weights == "balanced")
    training.loss = CrossEntropy{.class_weights = balanced_class_weights(*job.splits.train)};
  training.optimizer = parse_optimizer(recipe.optimizer);
  const bool from_nothing = recipe.name == "scratch";
  training.schedule = {.curve = parse_curve(recipe.schedule),
                       .base = recipe.lr.value_or(from_nothing ? usual_lr(training.optimizer)
                                                               : 0.3 * usual_lr(training.optimizer))};
  if (training.schedule.curve == Schedule::Curve::step)
    training.schedule.every = std::max<std::int64_t>(
        1, (steps_per_epoch(job.splits.train->size(), recipe.batch) * recipe.epochs + 2) / 3);
  Graph graph = job.start.clone();
  std::vector<Phase> phases{{}};
  if (from_nothing) {
    graph.init(parse_init(config.init), Rng(recipe.seed));
    config.weights.clear();
  } else {
    graph.freeze("");
    graph.unfreeze(head_of(graph).name);
    graph.init({}, Rng(recipe.seed));  // the head alone; which layers learn, the phases say
  }
  if (recipe.name == "finetune" && recipe.blocks > 0) {
    const std::vector<std::string> ends = block_ends(graph);
    // The last end is the head's beginning.
    if (static_cast<std::size_t>(recipe.blocks) < ends.size())
      phases = {{1, ends[ends.size() - 1 - static_cast<std::size_t>(recipe.blocks)]}};
  }
  if (recipe.name == "warmup+finetune") {
    phases = unfreezing(graph, recipe.epochs, recipe.stages, recipe.share);
    training.layer_rates = falling_rates(graph, 0.5, 0.05);
    if (one_label) {
      Recipe warming = recipe;
      warming.head.kind = "logistic";  // whose scores are what the loss wants
      const Probe warm = probe(job, head_of_recipe(warming), {}, false, console);
      console.line(text("The head begins as ", format_head(warm.fit.report, "logistic"),
                        recipe.head.kind == "logistic"
                            ? ""
                            : text(" (", recipe.head.kind, " is for a probe: this one goes on learning)"),
                        warm.val ? text(": ", percent(warm.val->top1()), " of validation right") : ""));
      set_head(std::get<LinearHead>(warm.fit.head.model), 1, graph);
    }
  }
  config.transfer["phases"] = phases_json(phases);
  config.transfer["freeze_batch_norm"] =
      recipe.batch_norm.empty() ? recipe.name == "warmup+finetune" : recipe.batch_norm == "frozen";
  config.transfer["views"] = training.augment.any() ? recipe.views : 1;
  return {.config = std::move(config), .graph = std::move(graph)};
}

Json find_lr(const Job& job, const Recipe& recipe, int steps, Console& console) {
  if (recipe.name == "probe")
    throw Error(ErrorKind::usage,
                "a probe has no learning rate: it is fitted all at once; choose another --recipe");
  Tuning tuning = plan_tuning(job, recipe, console);
  TuneConfig config = tune_config_of(
      tuning.config, feature_options(job.source.cache, job.source.workers, "features", console));
  config.phases = {{1, config.phases.back().frozen_through}};
  TrainConfig& training = config.training;
  const std::int64_t in_epoch = steps_per_epoch(job.splits.train->size(), training.batch);
  training.epochs = static_cast<int>((steps + in_epoch - 1) / in_epoch);
  training.schedule = {.curve = Schedule::Curve::range_test, .base = 1, .floor = 1e-7, .total = steps};
  training.metric = Metric::train_loss;
  training.patience = 0;
  LrRange range(static_cast<std::size_t>(steps));
  const std::atomic<bool>& wish = catch_interrupts();
  range.stop_with(wish);
  Pace pace(console, "range test, steps");
  class Shown final : public Observer {
   public:
    Shown(Pace& pace, std::int64_t all) : pace_(pace), all_(all) {}
    void on_step(const StepReport& report) override { pace_.show(std::min(report.step, all_), all_); }

   private:
    Pace& pace_;
    std::int64_t all_;
  } shown(pace, steps);
  const std::array<Observer*, 2> observers{&range, &shown};
  try {
    tune(tuning.graph, *job.splits.train, nullptr, config, observers, {}, &range.stop());
  } catch (const Error& error) {
    // It ends in an explosion by design.
    if (wish || (error.kind() != ErrorKind::interrupted && error.kind() != ErrorKind::diverged)) throw;
  }
  console.clear();
  Json points = Json::array();
  for (const LrPoint& point : range.points())
    points.push_back({{"lr", point.lr}, {"loss", point.loss}, {"smoothed", point.smoothed}});
  const auto found = suggested_lr(range.points());
  if (found) console.line(text("The range test suggests a learning rate of ", *found));
  return {{"suggested", found ? Json(*found) : Json()}, {"points", std::move(points)}};
}

TuneConfig tune_config_of(const RunConfig& config, FeatureOptions features) {
  return {.training = config.training,
          .phases = phases_from(config.transfer),
          .freeze_batch_norm = config.transfer.value("freeze_batch_norm", false),
          .views = config.transfer.value("views", 0),
          .half = config.transfer.value("half", false),
          .bf16 = config.transfer.value("bf16", false),
          .features = std::move(features)};
}

void print_fit(const Json& result, Console& console) {
  print_outcome(result, console);
  const Json& transfer = result.at("transfer");
  if (const auto found = transfer.find("calibration"); found != transfer.end())
    console.line(text("Calibrated at temperature ", fixed(found->at("temperature").get<double>(), 2),
                      ": calibration error ", percent(found->at("ece_before").get<double>()), " before, ",
                      percent(found->at("ece_after").get<double>()), " after, on the validation pictures"));
  if (const auto found = transfer.find("unknown"); found != transfer.end())
    for (const char* split : {"val", "test"})
      if (const auto& part = found->find(split); part != found->end())
        console.line(text("Unknown beyond distance ", fixed(found->at("threshold").get<double>(), 3), ": ",
                          percent(part->at("coverage").get<double>()), " of ", split, " answered, ",
                          percent(1 - part->at("risk").get<double>()), " of these right"));
  const Json& layers = transfer.at("layers");
  if (layers.at("frozen") > 0)
    console.line(text(layers.at("frozen_same").get<int>(), " of ", layers.at("frozen").get<int>(),
                      " frozen layers are bit for bit as they were (",
                      layers.at("frozen_hash").get<std::string>().substr(0, 16), ")"));
}

Json run_recipe(const Job& job, const Recipe& recipe, const fs::path& out, Console& console,
                const RunHooks& hooks) {
  return recipe.name == "probe" ? fit_by_probe(job, recipe, out, console, hooks.on_test)
                                : fit_by_tuning(job, recipe, out, console, hooks);
}

Json resume_recipe(const fs::path& folder, const SourceFlags& source, int threads, Console& console,
                   const RunHooks& hooks) {
  Resumed resumed = open_resumed(folder, "fit", threads, console);
  if (!resumed.ended.is_null()) return resumed.ended;
  RunFolder& run = resumed.run;
  if (!run.config().transfer.contains("phases"))
    throw Error(
        ErrorKind::usage,
        text(folder.string(), ": a probe is fitted all at once: start it again (`", run.config().command,
             "`) with another --out; the features that it computed are found again"));
  const Graph start = load_model(folder / start_name).graph;
  if (auto checkpoint = run.take_checkpoint())
    return tune_run(run, source, resumed.splits, start, std::move(checkpoint->graph),
                    std::move(checkpoint->state), console, hooks);
  return tune_run(run, source, resumed.splits, start, start.clone(), {}, console, hooks);
}

void remove_unborn(const fs::path& out, const std::string& weights) {
  if (fs::exists(out / "config.json") || !fs::is_directory(out)) return;
  if (is_same_file(out / start_name, weights) || is_same_file(out, weights)) return;
  std::error_code ignored;
  std::vector<fs::path> left;
  for (const fs::directory_entry& each : fs::directory_iterator(out, ignored)) {
    const std::string name = each.path().filename().string();
    const bool ours = std::ranges::any_of(
        std::array<std::string, 2>{start_name, "doctor.json"},
        [&](const auto& own) { return name == own || (name.starts_with(own) && is_partial(name)); });
    if (!ours) return;  // the folder is somebody else's
    left.push_back(each.path());
  }
  for (const fs::path& file : left) fs::remove(file, ignored);
}

}  // namespace enxerto::cli
