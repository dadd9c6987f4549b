/// The recipes: pictures and a backbone to a run. What fit, compare and advise share.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/job.h"
#include "enxerto/transfer/tune.h"

namespace enxerto::cli {

/// As --json has it: [low, high].
nlohmann::json interval_json(const Interval& interval);

/// A run of layers that learn, before its first step.
struct Tuning {
  RunConfig config;
  Graph graph;
};
/// Of all recipes but probe; the head of warmup+finetune is warm.
Tuning plan_tuning(const Job& job, const Recipe& recipe, Console& console);
TuneConfig tune_config_of(const RunConfig& config, FeatureOptions features);

/// A range test of the recipe's last phase, in which most layers learn: from 1e-7 to 1 in so many steps,
/// fewer where the loss explodes. {"suggested": rate or null, "points": [{"lr", "loss", "smoothed"}]}.
/// Error{usage} for a probe; Error{interrupted}.
inline constexpr int usual_range_steps = 100;
nlohmann::json find_lr(const Job& job, const Recipe& recipe, int steps, Console& console);

struct RunHooks {
  OnOutputs on_test = {};  ///< hears the outputs for the test pictures
  double end_by = 0;       ///< now_seconds() by which its last epoch should have ended; 0: whenever
};
/// Makes the run `out`, which must not be there, and gives back its result.json. Throws as train() and
/// compute_features(); where it was interrupted, the text says how to go on.
nlohmann::json run_recipe(const Job& job, const Recipe& recipe, const std::filesystem::path& out,
                          Console& console, const RunHooks& hooks = {});
/// Goes on with a run of run_recipe(). Error{usage} where it is a probe's, which is made all at once.
nlohmann::json resume_recipe(const std::filesystem::path& run, const SourceFlags& source, int threads,
                             Console& console, const RunHooks& hooks = {});
/// What a recipe leaves that was killed before its run began goes, unless `weights` is in it.
void remove_unborn(const std::filesystem::path& out, const std::string& weights);

/// The outcome for people.
void print_fit(const nlohmann::json& result, Console& console);

}  // namespace enxerto::cli
