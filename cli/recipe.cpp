#include "cli/recipe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>

#include "cli/commands.h"
#include "cli/learning.h"
#include "cli/numbers.h"
#include "cli/progress.h"
#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/train/lr_range.h"
#include "enxerto/transfer/calibration.h"
#include "enxerto/transfer/probe.h"
#include "enxerto/transfer/proof.h"
#include "enxerto/transfer/tune.h"
#include "enxerto/transfer/unknown.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// Of a tuned run: the network before its first step.
constexpr const char* start_name = "start.safetensors";

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

/// What a model gives for each picture, and how well it does.
struct Given {
  Evaluation evaluation;
  Tensor outputs;
  std::vector<double> distances;  ///< with novelty
};

/// By the model as it predicts, from the pictures.
Given run_model(const Graph& graph, std::shared_ptr<const FittedHead> head,
                std::shared_ptr<const Novelty> novelty, const Dataset& data, const TrainConfig& training,
                int workers, const OnOutputs& also = {}) {
  Given given;
  given.outputs = Tensor({.n = data.size(), .c = std::ssize(data.classes())});
  if (novelty) given.distances.resize(static_cast<std::size_t>(data.size()));
  const int batch = static_cast<int>(std::clamp<std::int64_t>(data.size(), 1, training.batch));
  ModelRunner runner(graph.clone(), batch, std::move(head), std::move(novelty));
  const auto keep = [&](std::int64_t i, std::int32_t label, std::span<const float> row) {
    std::ranges::copy(row, given.outputs.data().begin() + i * static_cast<std::ptrdiff_t>(row.size()));
    if (also) also(i, label, row);
  };
  given.evaluation = evaluate(
      runner, data, training.preprocess, workers,
      {.on_outputs = keep,
       .on_distance = [&](std::int64_t i, double far) { given.distances[static_cast<std::size_t>(i)] = far; },
       .stop = &catch_interrupts()});
  return given;
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

/// Random versions of each picture, where a head learns from several.
struct Views {
  Augment augment = {};
  int count = 1;
  std::uint64_t seed = 0;
};

Features views_at(const Job& job, const Cut& cut, const Dataset& data, const std::string& what,
                  const Views& views, Console& console) {
  Prefix prefix = prefix_at(job, cut);
  prefix.augment = views.augment;
  prefix.seed = views.seed;
  FeatureOptions options = feature_options(job.source.cache, job.source.workers, what, console);
  options.views = views.count;
  Features made = compute_features_in_memory(prefix, data, options);
  if (const std::string note = made.note(); !note.empty()) console.warn(note);
  return made;
}

/// A head on rows, and what was measured of it.
struct Probe {
  HeadFit fit;
  Evaluation train;
  std::optional<Evaluation> val;
  Calibration calibration;
  std::shared_ptr<const Novelty> novelty = nullptr;
  Tensor val_outputs = {};                 ///< at the temperature
  std::vector<double> val_distances = {};  ///< with novelty
  Json bf16 = nullptr;                     ///< compare_precisions(), where the features are in bfloat16
  std::int64_t computed = 0, rows = 0;
};

/// `with_unknown`: with the novelty too.
Probe probe(const Job& job, const HeadConfig& config, const Views& views, bool with_unknown,
            Console& console) {
  const Splits& splits = job.splits;
  const Features rows = views_at(job, job.backbone.cut, *splits.train, "features of train", views, console);
  Probe made{.fit = fit_probe(rows, *splits.train, config), .train = {}, .val = {}, .calibration = {}};
  made.computed = rows.computed();
  made.rows = rows.pictures() * rows.views();
  made.train = evaluate_outputs(outputs_of(made.fit.head, rows).view(), *splits.train);
  if (!splits.val) return made;
  const Features val_rows = features_at(job, job.backbone.cut, *splits.val, "features of val", console);
  made.computed += val_rows.computed();
  made.rows += val_rows.pictures();
  made.val_outputs = outputs_of(made.fit.head, val_rows);
  made.calibration = calibrate(made.val_outputs, *splits.val);
  made.val = evaluate_at(made.calibration.temperature, made.val_outputs, *splits.val);
  if (with_unknown) made.novelty = learn_unknown(rows, *splits.train, val_rows);
  if (made.novelty) made.val_distances = distances_of(*made.novelty, val_rows);
  return made;
}

std::vector<std::string> trained_layers(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes())
    if (!node.params.empty() && !node.frozen) names.push_back(node.name);
  return names;
}

/// What each layer did, by the model as it was saved. Throws std::logic_error where a frozen one moved.
Json prove(const Graph& start, const fs::path& run, const std::vector<std::string>& trained) {
  const auto changes = compare_layers(start, load_model(run).graph, trained);
  ensure(broken_promises(changes).empty(), "what is frozen keeps its bits");
  return to_json(changes);
}

/// What the frozen part in bfloat16 did to the validation accuracy: beside that of the saved model, which is
/// float.
Json compare_precisions(const Evaluation& in_bf16, const Evaluation& in_float, Console& console) {
  console.line(text("bfloat16: ", percent(in_bf16.top1()),
                    " of the validation pictures right, the saved model in float ", percent(in_float.top1()),
                    "; the loss ", fixed(in_bf16.loss, 4), " and ", fixed(in_float.loss, 4)));
  return {{"val_top1", in_bf16.top1()},
          {"val_top1_float", in_float.top1()},
          {"val_loss", in_bf16.loss},
          {"val_loss_float", in_float.loss}};
}

/// The novelty with what it answers: of the validation pictures, and where there are any of the test
/// pictures, which then have the curves.
Json unknown_result(const Novelty& novelty, const Splits& splits, const Tensor& val_outputs,
                    std::span<const double> val_distances, const Given* test) {
  Json json = novelty.to_json();
  json["val"] = unknown_json(novelty, val_distances, val_outputs.view(), *splits.val, !test);
  if (test) json["test"] = unknown_json(novelty, test->distances, test->outputs.view(), *splits.test, true);
  return json;
}

/// The network that a probe's run keeps: with the head as its last layer, or, where that is no layer, up to
/// the rows that go into it.
struct ProbeModel {
  Graph graph;
  std::shared_ptr<const FittedHead> head;  ///< null: it is a layer
};

/// Takes a head that is no layer out of `made`.
ProbeModel model_of(const Job& job, Probe& made) {
  ProbeModel model{.graph = job.start.clone(), .head = nullptr};
  if (const auto* linear = std::get_if<LinearHead>(&made.fit.head.model)) {
    set_head(*linear, made.calibration.temperature, model.graph);
    return model;
  }
  const NodeId rows = features_node(model.graph, nullptr);
  model.graph.cut_after(std::string(model.graph.node(rows).name));
  made.fit.head.temperature = made.calibration.temperature;
  model.head = std::make_shared<FittedHead>(std::move(made.fit.head));
  return model;
}

/// Writes the probe's run: the network with its head, what was measured. `seconds`: until the head was
/// fitted.
Json save_probe(const Job& job, const Probe& made, const ProbeModel& model, const std::string& kind,
                const std::optional<Given>& test, double began, double seconds, RunFolder& run) {
  if (job.check) save_check(run.folder(), *job.check);
  // The head counts as one epoch of one step.
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
  const double value = made.val ? made.val->loss : made.train.loss;
  run.set_beside(model.head, made.novelty);
  run.on_fitted(epoch, model.graph, value);
  const NodeId rows = features_node(model.graph, model.head.get());
  Graph start = job.start.clone();
  if (model.head) start.cut_after(std::string(model.graph.node(rows).name));
  std::vector<std::string> trained;
  if (!model.head) trained.push_back(head_of(model.graph).name);
  Json transfer{{"recipe", "probe"},
                {"cut", job.backbone.cut.layer},
                {"features", model.graph.node(rows).out.size()},
                {"computed", made.computed},
                {"rows", made.rows},
                {"head", head_json(made.fit.report, kind)},
                {"layers", prove(start, run.folder(), trained)}};
  if (made.val) transfer["calibration"] = made.calibration.to_json();
  if (!made.bf16.is_null()) transfer["bf16"] = made.bf16;
  if (test) {
    const Answers answers = answers_of(test->outputs, *job.splits.test);
    transfer["ece_test"] = calibration_error(answers.logits.view(), answers.labels);
  }
  if (made.novelty)
    transfer["unknown"] = unknown_result(*made.novelty, job.splits, made.val_outputs, made.val_distances,
                                         test ? &*test : nullptr);
  const double all = now_seconds() - began;
  const TrainResult result{.epochs = 1,
                           .best_epoch = 1,
                           .best_value = value,
                           .steps = 1,
                           .seconds = all,
                           .images_per_second = epoch.images_per_second,
                           .peak_memory_bytes = peak_memory_bytes(),
                           .train_loss = made.train.loss,
                           .val = made.val};
  const auto of_test = test ? std::optional(test->evaluation) : std::nullopt;
  save_predictions(run, job.splits, made.val, of_test);
  return run.finish(result, of_test, transfer);
}

/// What all recipes say of a run.
RunConfig config_of(const Job& job, const Recipe& recipe) {
  RunConfig config = job.config;
  config.training.batch = recipe.batch;
  config.training.seed = recipe.seed;
  config.transfer = {{"recipe", recipe.name},
                     {"cut", job.backbone.cut.layer},
                     {"pooled", job.backbone.cut.pool},
                     {"head", recipe.name == "probe" ? recipe.head.kind : "logistic"}};
  if (job.source.cache.half) config.transfer["half"] = true;
  if (job.source.cache.bf16) config.transfer["bf16"] = config.training.bf16 = true;
  return config;
}

Json fit_by_probe(const Job& job, const Recipe& recipe, const fs::path& out, Console& console,
                  const OnOutputs& on_test) {
  const double began = now_seconds();
  RunConfig config = config_of(job, recipe);
  config.training.epochs = 1;
  // A probe augments only where that is asked for.
  Views views{.augment = augment_of(recipe.augment), .count = 1, .seed = recipe.seed};
  if (recipe.plain) views.augment = {};
  if (views.augment.any()) {
    if (recipe.views < 1)
      throw Error(ErrorKind::usage,
                  "--views 0: a probe is fitted all at once, to a number of views; give 1 or more");
    views.count = recipe.views;
    config.training.augment = views.augment;
    config.transfer["views"] = views.count;
  }
  Probe made = probe(job, head_of_recipe(recipe), views, true, console);
  console.line(text(with_commas(made.computed), " rows of features computed, ",
                    with_commas(made.rows - made.computed), " found again"));
  const std::string kind = made.fit.head.kind;
  console.line(format_head(made.fit.report, kind));
  const ProbeModel model = model_of(job, made);
  if (job.source.cache.bf16 && made.val) {
    // What is reported is what the saved model does, which is float.
    const Given given =
        run_model(model.graph, model.head, nullptr, *job.splits.val, config.training, job.source.workers);
    made.bf16 = compare_precisions(*made.val, given.evaluation, console);
    made.val = given.evaluation;
  }
  const double seconds = now_seconds() - began;
  std::optional<Given> test;
  if (job.splits.test)  // by the network as it will be saved
    test = run_model(model.graph, model.head, made.novelty, *job.splits.test, config.training,
                     job.source.workers, on_test);
  if (catch_interrupts())
    throw Error(ErrorKind::interrupted, "interrupted while the head was fitted; its features are kept");
  // Not before: what ends earlier leaves nothing that one could take for a run.
  RunFolder run = RunFolder::create(out, std::move(config));
  Json result;
  try {
    result = save_probe(job, made, model, kind, test, began, seconds, run);
  } catch (const Error&) {
    std::error_code ignored;
    fs::remove(run.folder() / "model.safetensors", ignored);  // nothing goes on from it
    remove_stillborn(run.folder());
    throw;
  }
  report_on(run.folder(), console);
  return result;
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

std::int64_t count_of(const std::shared_ptr<const Dataset>& data) { return data ? data->size() : 0; }

}  // namespace

HeadConfig head_of_recipe(const Recipe& recipe) {
  HeadConfig config = recipe.head;
  config.seed = recipe.seed;
  config.class_weights.balanced = recipe.class_weights == "balanced";
  config.folds = config.strength || (config.kind != "logistic" && config.kind != "svm") ? 0 : 5;
  return config;
}

Json interval_json(const Interval& interval) { return Json::array({interval.low, interval.high}); }

Prefix prefix_at(const Job& job, const Cut& cut) {
  return {.graph = features_of(job.backbone.graph, cut),
          .preprocess = job.backbone.preprocess,
          .half = job.source.cache.half,
          .bf16 = job.source.cache.bf16};
}

Features features_at(const Job& job, const Cut& cut, const Dataset& data, const std::string& what,
                     Console& console) {
  return views_at(job, cut, data, what, {}, console);
}

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

void add_source_flags(CLI::App& verb, SourceFlags& flags) {
  verb.add_option("data", flags.data, "Data as `enxerto train` takes them")->type_name("DATA");
  add_backbone_flags(verb, flags.backbone);
  add_held_back_flags(verb, flags.val_fraction, flags.test_fraction);
  add_cache_flags(verb, flags.cache);
  add_workers(verb, flags.workers);
  add_check_flags(verb, flags.check);
}

void check_source_flags(const char* verb, const SourceFlags& flags) {
  if (flags.data.empty())
    throw Error(ErrorKind::usage, text(verb, ": DATA is missing; see `enxerto ", verb, " --help`"));
  check_at_least("--workers", flags.workers, 0);
}

const std::set<std::string>& flags_without_effect() {
  static const std::set<std::string> names{"--threads",          "--workers",   "--feature-cache",
                                           "--no-feature-cache", "--recompute", "--feature-memory",
                                           "--feature-file",     "--quiet",     "--json"};
  return names;
}

std::vector<GivenFlag> given_flags(const CLI::App& verb) {
  std::vector<GivenFlag> given;
  for (const CLI::Option* option : verb.get_options())
    if (option->count() > 0 && option->nonpositional() && option != verb.get_help_ptr())
      given.push_back({option->get_name(),
                       option->get_expected_max() > 0 ? option->results() : std::vector<std::string>()});
  return given;
}

const std::vector<std::string>& recipe_names() {
  static const std::vector<std::string> names{"probe", "warmup+finetune", "finetune", "scratch"};
  return names;
}

void add_recipe_flags(CLI::App& verb, Recipe& recipe) {
  verb.add_option(
          "--head", recipe.head.kind,
          "Of a probe: logistic, svm, ridge, knn, tree or forest (warmup+finetune begins as logistic)")
      ->capture_default_str()
      ->check(CLI::IsMember(head_kinds()))
      ->type_name("NAME");
  verb.add_option("--pca", recipe.head.pca, "Of a probe or a warm-up: so many principal components (0: none)")
      ->check(CLI::Range(0, 1'000'000))
      ->type_name("N");
  verb.add_option("--c", recipe.head.strength, "Of a probe or a warm-up: C (by five-fold cross-validation)")
      ->type_name("X");
  verb.add_option("--class-weights", recipe.class_weights, "none, or balanced: rare classes count more")
      ->capture_default_str()
      ->check(CLI::IsMember({"none", "balanced"}))
      ->type_name("NAME");
  verb.add_option("--epochs", recipe.epochs, "Times through the data, but for a probe")
      ->capture_default_str()
      ->type_name("N");
  verb.add_option("--batch", recipe.batch, "Pictures a step")->capture_default_str()->type_name("N");
  verb.add_option_function<std::string>(
          "--lr",
          [&recipe](const std::string& word) {
            recipe.finds_lr = word == "find";
            double value = 0;
            if (!recipe.finds_lr) {
              if (!CLI::detail::lexical_cast(word, value))
                throw CLI::ValidationError("--lr", text("a number or \"find\", not ", word));
              recipe.lr = value;
            }
          },
          "Learning rate of the head, the highest; \"find\": by a range test, as `enxerto find-lr` does")
      ->type_name("X");
  verb.add_option("--schedule", recipe.schedule, "one_cycle, cosine, constant, or step (three of them)")
      ->capture_default_str()
      ->check(CLI::IsMember({"one_cycle", "cosine", "constant", "step"}))
      ->type_name("NAME");
  verb.add_option("--optimizer", recipe.optimizer, join(optimizer_names(), ", "))
      ->capture_default_str()
      ->type_name("NAME");
  verb.add_option("--stages", recipe.stages, "Of warmup+finetune: in how many stages layers are freed")
      ->capture_default_str()
      ->type_name("N");
  verb.add_option("--share", recipe.share,
                  "Of warmup+finetune: the part of all blocks that is free at the end")
      ->capture_default_str()
      ->check(number_from(0.0, 1.0))
      ->type_name("X");
  verb.add_option(
          "--batch-norm", recipe.batch_norm,
          "Batch norms of layers that learn: frozen keeps their own mean and deviation, trained takes "
          "each batch's (warmup+finetune: frozen, else trained)")
      ->check(CLI::IsMember({"frozen", "trained"}))
      ->type_name("NAME");
  verb.add_flag("--recompute", recipe.recompute, recompute_help);
  verb.add_option("--blocks", recipe.blocks,
                  "Of finetune: only the last so many blocks learn, and the head (0: all layers)")
      ->type_name("N");
  CLI::Option* const plain =
      verb.add_flag("--no-augment", recipe.plain, "Pictures as they are: no random changes");
  const auto before = static_cast<std::ptrdiff_t>(verb.get_options().size());
  add_augment_flags(verb, recipe.augment);
  const std::vector<CLI::Option*> options = verb.get_options();
  for (auto each = options.begin() + before; each != options.end(); ++each) plain->excludes(*each);
  plain->excludes(
      verb.add_option("--views", recipe.views,
                      "Random changes of each picture whose features are kept (0: new ones in each epoch)")
          ->capture_default_str()
          ->type_name("N"));
  verb.add_option("--patience", recipe.patience, "Stop after so many epochs without a better one (0: never)")
      ->type_name("N");
}

const std::set<std::string>& flags_without_meaning(const std::string& recipe) {
  static const std::map<std::string, std::set<std::string>> flags{
      {"probe",
       {"--lr", "--schedule", "--optimizer", "--stages", "--share", "--batch-norm", "--blocks", "--patience",
        "--recompute"}},
      {"warmup+finetune", {"--blocks"}},
      {"finetune", {"--head", "--pca", "--c", "--stages", "--share"}},
      {"scratch", {"--head", "--pca", "--c", "--stages", "--share", "--blocks"}}};
  static const std::set<std::string> none;
  const auto found = flags.find(recipe);
  return found == flags.end() ? none : found->second;
}

std::map<std::string, std::string> unheeded_by_probe(const Recipe& probe) {
  std::map<std::string, std::string> flags;
  if (const std::string& kind = probe.head.kind; kind == "knn" || kind == "tree" || kind == "forest")
    flags["--c"] = text("is for logistic, svm and ridge and means nothing to ", kind);
  if (!augment_of(probe.augment).any())
    flags["--views"] = "counts random changes, which a probe makes only where they are asked for (--augment)";
  return flags;
}

void check_flags_have_meaning(const CLI::App& verb, const std::vector<std::string>& recipes) {
  std::set<std::string> to_none = flags_without_meaning(recipes.front());
  for (const std::string& recipe : recipes)
    std::erase_if(to_none,
                  [&](const std::string& flag) { return !flags_without_meaning(recipe).contains(flag); });
  refuse_flags(verb, to_none, text("means nothing to the recipe ", join(recipes, " or ")));
}

const std::vector<std::string>& advised_recipes() {
  static const std::vector<std::string> names{"probe", "warmup+finetune", "finetune"};
  return names;
}

void check_recipe(const Recipe& recipe) {
  check_at_least("--epochs", recipe.epochs, 1);
  check_at_least("--batch", recipe.batch, 1);
  check_at_least("--views", recipe.views, 0);
  check_at_least("--stages", recipe.stages, 1);
  check_at_least("--blocks", recipe.blocks, 0);
  if (recipe.lr && !(std::isfinite(*recipe.lr) && *recipe.lr > 0))
    throw Error(ErrorKind::usage, text("--lr: more than 0, not ", *recipe.lr));
  parse_optimizer(recipe.optimizer);
  augment_of(recipe.augment);
}

void print_job(const Job& job, Console& console) {
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
  if (fs::exists(out / "config.json") || !fs::exists(out / start_name)) return;
  if (is_same_file(out / start_name, weights) || is_same_file(out, weights)) return;
  std::error_code ignored;
  std::set<std::string> left{start_name, "doctor.json"};
  for (const fs::directory_entry& each : fs::directory_iterator(out, ignored))
    if (!left.contains(each.path().filename().string())) return;  // the folder is somebody else's
  for (const std::string& name : left) fs::remove(out / name, ignored);
}

Job open_job(const SourceFlags& source, std::uint64_t split_seed, Console& console) {
  Backbone backbone = load_backbone(source.backbone);
  Job job{.source = source,
          .config = {},
          .splits = {},
          .backbone = std::move(backbone),
          .start = {},
          .check = {}};
  job.source.backbone.model.path = job.backbone.file;
  RunConfig& config = job.config;
  config.net = job.backbone.net;
  config.val_fraction = source.val_fraction;
  config.test_fraction = source.test_fraction;
  config.split_seed = split_seed;
  config.val_as_test = source.val_as_test;
  config.weights = fs::absolute(find_model(job.backbone.file)).lexically_normal().string();
  config.init = "he_normal";
  NewData opened = open_new_data(config, source.data, source.check, console);
  job.splits = std::move(opened.splits);
  job.check = std::move(opened.check);
  const Preprocess& preprocess = job.backbone.preprocess;
  config.image = {preprocess.channels, preprocess.height, preprocess.width};
  config.training.preprocess = preprocess;
  config.training.workers = source.workers;
  if (!job.splits.val) config.training.metric = Metric::train_loss;
  cut_at(job.backbone.cut, job);
  return job;
}

void cut_at(const Cut& cut, Job& job) {
  job.backbone.cut = cut;
  job.start = grafted(job.backbone.graph, cut, static_cast<int>(job.config.classes.size()));
}

Job part_of(const Job& job, std::vector<std::int64_t> train, std::vector<std::int64_t> val) {
  Graph graph = job.backbone.graph.clone(), start = job.start.clone();
  Job part{.source = job.source,
           .config = job.config,
           .splits = {},
           .backbone = {.file = job.backbone.file,
                        .net = job.backbone.net,
                        .graph = std::move(graph),
                        .preprocess = job.backbone.preprocess,
                        .cut = job.backbone.cut,
                        .classes = job.backbone.classes,
                        .multi_label = job.backbone.multi_label},
           .start = std::move(start),
           .check = {}};
  part.splits.train = std::make_shared<Subset>(job.splits.train, std::move(train));
  part.splits.val = std::make_shared<Subset>(job.splits.val, std::move(val));
  return part;
}

}  // namespace enxerto::cli
