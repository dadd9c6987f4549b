#include "cli/probe.h"

#include <system_error>

#include "cli/commands.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/transfer/unknown.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

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
    json["path"].push_back({{"c", step.strength},
                            {"mean", step.mean},
                            {"standard_error", step.standard_error},
                            {"converged", step.converged}});
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
  if (test) transfer["ece_test"] = calibration_error_of(test->outputs, *job.splits.test);
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

}  // namespace

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
  if (catch_interrupts()) throw Error(ErrorKind::interrupted, "interrupted while the head was fitted");
  const double seconds = now_seconds() - began;
  std::optional<Given> test;
  if (job.splits.test)  // by the network as it will be saved
    test = run_model(model.graph, model.head, made.novelty, *job.splits.test, config.training,
                     job.source.workers, on_test);
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

}  // namespace enxerto::cli
