// enxerto summary: what a network is made of.
#include "enxerto/graph/summary.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/model.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"

namespace enxerto::cli {
namespace {

struct SummaryFlags {
  Common common;
  ModelFlags model;  ///< or a net
  std::string style = "torch", pooling, freeze_through;
  std::vector<std::string> freeze;
  int classes = 0, batch = 1;
  bool no_top = false;
};

/// The changes to it that are operations on any graph.
void change(Graph& graph, const SummaryFlags& flags) {
  if (!flags.pooling.empty()) {
    if (!flags.no_top) throw Error(ErrorKind::usage, "--pooling is for a net without its top: add --no-top");
    graph.add("avg_pool", GlobalAvgPool{}, {graph.last()});
  }
  if (!flags.freeze_through.empty()) graph.freeze_through(flags.freeze_through);
  for (const std::string& prefix : flags.freeze) graph.freeze(prefix);
}

std::int64_t planned_bytes(const Graph& graph, int batch, bool train) {
  const Executor executor(graph, {.batch = batch, .train = train});
  return executor.memory_bytes() + executor.param_bytes();
}

/// Empty where one picture alone is too few to train on: batch norm on a map of one pixel.
std::optional<std::int64_t> training_bytes(const Graph& graph, int batch) {
  try {
    return planned_bytes(graph, batch, true);
  } catch (const Error&) {
    if (batch > 1) throw;
    planned_bytes(graph, 2, true);  // throws where it is not the batch that is wrong
    return std::nullopt;
  }
}

int run_summary(const SummaryFlags& flags) {
  check_at_least("--batch", flags.batch, 1);
  if (flags.model.size != 0) check_at_least("--size", flags.model.size, 1);
  if (flags.classes != 0) check_at_least("--classes", flags.classes, 1);
  set_threads(flags.common.threads);
  ModelFile model = load_net_or_model(flags.model, flags.classes, flags.no_top);
  Graph& graph = model.graph;
  change(graph, flags);
  const Summary summary =
      summarize(graph, flags.style == "keras" ? SummaryStyle::keras : SummaryStyle::torch);
  const std::int64_t inference = planned_bytes(graph, flags.batch, false);
  const std::optional<std::int64_t> training = training_bytes(graph, flags.batch);
  if (flags.common.json) {
    nlohmann::json json = summary_to_json(summary);
    json["batch"] = flags.batch;
    json["inference_bytes"] = inference;
    json["training_bytes"] = training ? nlohmann::json(*training) : nlohmann::json(nullptr);
    if (model.head) {
      json["head"] = {{"kind", model.head->kind}, {"features", model.head->columns()}};
      if (model.head->pca) json["head"]["pca"] = model.head->pca->size();
    }
    if (model.novelty) json["unknown"] = model.novelty->to_json();
    print_json(json);
    return 0;
  }
  std::cout << format_summary(summary) << "Memory:        " << human_bytes(static_cast<double>(inference))
            << " to predict, "
            << (training ? human_bytes(static_cast<double>(*training)) + " to train"
                         : std::string("and to train it takes a larger --batch"))
            << " (batch " << flags.batch << ", without the optimizer's own)\n";
  if (model.head) std::cout << "Head:          " << format_fitted_head(*model.head) << '\n';
  if (model.novelty)
    std::cout << "Unknown:       beyond distance " << fixed(model.novelty->threshold, 3)
              << " from every class; " << percent(model.novelty->answered)
              << " of the validation pictures are nearer\n";
  return 0;
}

}  // namespace

void add_summary(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<SummaryFlags>();
  CLI::App* verb = app.add_subcommand("summary", "Count a network's layers, parameters and memory");
  add_model(*verb, flags->model);
  take_net_or_model(*verb);
  verb->add_option("--classes", flags->classes, "Outputs (the net's own)")->type_name("N");
  verb->add_flag("--no-top", flags->no_top, "Only up to the last feature map");
  verb->add_option("--pooling", flags->pooling, "After --no-top: avg adds the mean over pixels")
      ->check(CLI::IsMember({"avg"}))
      ->type_name("KIND");
  verb->add_option("--freeze", flags->freeze, "Layers whose names begin so count as not trained (repeatable)")
      ->type_name("PREFIX")
      ->expected(1)
      ->take_all();
  verb->add_option("--freeze-through", flags->freeze_through, "The same for all layers up to this one")
      ->type_name("LAYER");
  verb->add_option("--style", flags->style, "keras counts running statistics as parameters, torch does not")
      ->capture_default_str()
      ->check(CLI::IsMember({"torch", "keras"}))
      ->type_name("STYLE");
  verb->add_option("--batch", flags->batch, "Pictures at once, for the memory")
      ->capture_default_str()
      ->type_name("N");
  add_threads(*verb, flags->common);
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto summary resnet50\n"
      "  enxerto summary resnet18 --size 96 --classes 6 --batch 32\n"
      "  enxerto summary resnet50_keras --classes 10 --freeze-through avg_pool --style keras\n"
      "  enxerto summary run --json");
  verb->callback([flags, &chosen] { chosen = [flags] { return run_summary(*flags); }; });
}

}  // namespace enxerto::cli
