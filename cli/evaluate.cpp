// enxerto evaluate: how well a model does on labelled pictures.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/model.h"
#include "cli/model_data.h"
#include "cli/training.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/train/metrics.h"
#include "enxerto/transfer/unknown.h"

namespace enxerto::cli {
namespace {

struct EvaluateFlags {
  Common common;
  ModelFlags model;
  std::string data, split;
  int batch = 32, workers = 1;
};

std::string format_proportion(const nlohmann::json& value, int digits = 1) {
  return value.is_null() ? "-" : percent(value.get<double>(), digits);
}

void print_scores(const nlohmann::json& json, Console& console) {
  const auto row = [&](const char* name, const char* key) {
    console.line(text(pad_right(name, 16), console.bold(pad_left(format_proportion(json.at(key), 2), 8))));
  };
  const bool multi_label = json.contains("multi_label");
  if (multi_label) {
    row("mAP", "mean_average_precision");
    row("micro F1", "micro_f1");
    row("macro F1", "macro_f1");
    row("all labels right", "exact_match");
  }
  const auto& interval = json.at("top1_interval");
  const std::size_t width = multi_label ? 16 : 7;
  const std::string top1 = pad_left(percent(json.at("top1").get<double>(), 2), 8);
  console.line(text(pad_right("top-1", width), multi_label ? top1 : console.bold(top1), "   (95 % interval ",
                    percent(interval.at(0).get<double>()), " to ", percent(interval.at(1).get<double>()), ")",
                    multi_label
                        ? text("   the likeliest class is right, of ",
                               with_commas(json.at("labelled").get<std::int64_t>()), " pictures with a label")
                        : ""));
  if (json.contains("top5"))
    console.line(text(pad_right("top-5", width), pad_left(percent(json.at("top5").get<double>(), 2), 8)));
  console.line(text(pad_right("loss", width), pad_left(fixed(json.at("loss").get<double>(), 4), 8)));
}

void print_classes(const nlohmann::json& json, Console& console) {
  const bool multi_label = json.contains("multi_label");
  std::size_t width = 5;
  for (const auto& name : json.at("classes")) width = std::max(width, columns_of(name.get<std::string>()));
  const auto row = [&](std::string_view name, std::string_view n, std::string_view right,
                       const std::string& precision, const std::string& recall, const std::string& f1,
                       const std::string& average) {
    return text(pad_right(name, width), pad_left(n, 9), pad_left(right, 9), pad_left(precision, 12),
                pad_left(recall, 10), pad_left(f1, 10), multi_label ? pad_left(average, 10) : "");
  };
  console.line(console.dim(row("class", "pictures", "right", "precision", "recall", "f1", "AP")));
  for (const auto& score : json.at("per_class"))
    console.line(row(score.at("class").get<std::string>(), with_commas(score.at("n").get<std::int64_t>()),
                     with_commas(score.at("right").get<std::int64_t>()),
                     format_proportion(score.at("precision")), format_proportion(score.at("recall")),
                     format_proportion(score.at("f1")),
                     multi_label ? format_proportion(score.at("average_precision")) : ""));
  console.line(
      console.dim(row("mean", "", "", format_proportion(json.at("macro_precision")),
                      format_proportion(json.at("macro_recall")), format_proportion(json.at("macro_f1")),
                      multi_label ? format_proportion(json.at("mean_average_precision")) : "")));
}

void print_mistakes(const Evaluation& evaluation, Console& console) {
  struct Mistake {
    std::int64_t count;
    std::size_t is, taken_for;
  };
  std::vector<Mistake> mistakes;
  const std::size_t classes = evaluation.classes.size();
  for (std::size_t i = 0; i < evaluation.confusion.size(); ++i)
    if (i / classes != i % classes && evaluation.confusion[i] > 0)
      mistakes.push_back({evaluation.confusion[i], i / classes, i % classes});
  std::ranges::stable_sort(mistakes, std::greater{}, &Mistake::count);
  mistakes.resize(std::min<std::size_t>(mistakes.size(), 3));
  if (!mistakes.empty()) console.line();
  for (const Mistake& mistake : mistakes)
    console.line(text(with_commas(mistake.count), " times \"", evaluation.classes[mistake.is],
                      "\" taken for \"", evaluation.classes[mistake.taken_for], "\""));
}

/// What a model that says "unknown" answers at all.
void print_unknown(const nlohmann::json& unknown, Console& console) {
  console.line(text("answers", pad_left(percent(unknown.at("coverage").get<double>(), 2), 8), "   (of these ",
                    percent(1 - unknown.at("risk").get<double>(), 2),
                    " right; the others are unknown: too far from every class)"));
}

void print_evaluation(const EvaluateFlags& flags, const std::string& split, const Evaluation& evaluation,
                      const nlohmann::json& unknown, Console& console) {
  const nlohmann::json json = evaluation.to_json();
  console.line(text(flags.data, ", ", split == "all" ? "all" : "split " + split, ": ",
                    with_commas(evaluation.n), " pictures"));
  console.line();
  print_scores(json, console);
  if (!unknown.is_null()) print_unknown(unknown, console);
  console.line();
  print_classes(json, console);
  print_mistakes(evaluation, console);
}

int run_evaluate(const EvaluateFlags& flags) {
  check_at_least("--batch", flags.batch, 1);
  check_at_least("--workers", flags.workers, 0);
  set_threads(flags.common.threads);
  Console console(flags.common.json ? stderr : stdout);
  Classifier model = load_classifier(flags.model);
  const Splits splits = open_for(model, flags.data);
  for (const std::string& note : splits.notes) console.line(note);
  const Chosen chosen = choose_split(flags.model.path, flags.data, splits, flags.split);
  if (!chosen.note.empty()) console.warn(chosen.note);
  if (chosen.data->size() == 0)
    throw Error(ErrorKind::not_found, text(flags.data, ": there are no pictures in it"));
  if (chosen.data->multi_label() && !model.multi_label)
    throw Error(ErrorKind::unsupported,
                text(flags.data, ": its pictures may have several labels, and ", flags.model.path,
                     " gives each one label; train a model on such data first"));
  const int batch = static_cast<int>(std::min<std::int64_t>(flags.batch, chosen.data->size()));

  const double began = now_seconds();
  double last_drawn = began;
  std::int64_t done = 0;
  const auto show = [&](std::int64_t, std::int32_t, std::span<const float>) {
    ++done;
    if (const double now = now_seconds(); now - last_drawn >= 0.1) {
      last_drawn = now;
      const double pace = static_cast<double>(done) / (now - began);
      console.draw(text(with_commas(done), " of ", with_commas(chosen.data->size()), " pictures, ",
                        with_commas(static_cast<std::int64_t>(pace)), " img/s, ",
                        human_seconds(static_cast<double>(chosen.data->size() - done) / pace), " left"));
    }
  };
  ModelRunner runner = model.runner(batch);
  std::vector<double> distances(model.novelty ? static_cast<std::size_t>(chosen.data->size()) : 0);
  Tensor outputs({.n = std::ssize(distances), .c = std::ssize(model.classes)});
  const auto keep = [&](std::int64_t i, std::int32_t label, std::span<const float> row) {
    if (!distances.empty())
      std::ranges::copy(row, outputs.data().begin() + i * static_cast<std::ptrdiff_t>(row.size()));
    show(i, label, row);
  };
  const Evaluation evaluation = evaluate(
      runner, *chosen.data, model.preprocess, flags.workers,
      {.multi_label = model.multi_label,
       .gives_probabilities = model.gives_probabilities,
       .on_outputs = keep,
       .on_distance = [&](std::int64_t i, double far) { distances[static_cast<std::size_t>(i)] = far; },
       .stop = &catch_interrupts()});
  nlohmann::json unknown;
  if (model.novelty && !evaluation.multi_label && evaluation.n > 0) {
    unknown = unknown_json(*model.novelty, distances, outputs.view(), *chosen.data, false);
    unknown["threshold"] = model.novelty->threshold;
  }
  if (flags.common.json) {
    nlohmann::json json = evaluation.to_json();
    json["split"] = chosen.split;
    json["seconds"] = now_seconds() - began;
    if (!unknown.is_null()) json["unknown"] = unknown;
    print_json(json);
  } else {
    print_evaluation(flags, chosen.split, evaluation, unknown, console);
  }
  return 0;
}

}  // namespace

void add_evaluate(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<EvaluateFlags>();
  CLI::App* verb = app.add_subcommand("evaluate", "Measure a model on labelled pictures");
  add_model(*verb, flags->model);
  verb->add_option("data", flags->data, "Data as `enxerto train` takes them; classes are matched by name")
      ->required()
      ->type_name("DATA");
  verb->add_option("--split", flags->split,
                   "test, val, train or all (the first of test, val, all that there is)")
      ->check(CLI::IsMember({"test", "val", "train", "all"}))
      ->type_name("NAME");
  verb->add_option("--batch", flags->batch, "Pictures at once")->capture_default_str()->type_name("N");
  add_workers(*verb, flags->workers);
  add_threads(*verb, flags->common);
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto evaluate run photos --split test\n"
      "  enxerto evaluate run/model.safetensors elsewhere --split all --json\n"
      "  enxerto evaluate mobilenet_v2.onnx imagenet/val\n"
      "Where a run held a split back from its data, `evaluate RUN` on these data finds the same pictures "
      "again.");
  verb->callback([flags, &chosen] { chosen = [flags] { return run_evaluate(*flags); }; });
}

}  // namespace enxerto::cli
