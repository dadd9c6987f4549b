/// The recipes: pictures and a backbone to a run. What fit, compare and advise share.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/augment_flags.h"
#include "cli/backbone.h"
#include "cli/check.h"
#include "cli/training.h"
#include "enxerto/heads/head.h"
#include "enxerto/transfer/tune.h"

namespace enxerto::cli {

/// Which pictures, and which network sees them.
struct SourceFlags {
  std::string data;
  BackboneFlags backbone;
  CacheFlags cache;
  CheckFlags check;
  double val_fraction = 0.2, test_fraction = 0;
  bool val_as_test = false;  ///< with_val_as_test(); no flag
  int workers = 1;
};
/// Adds DATA and all the flags but --seed.
void add_source_flags(CLI::App& verb, SourceFlags& flags);
/// Throws Error{usage}; `verb` is for the message.
void check_source_flags(const char* verb, const SourceFlags& flags);

/// Flags of a verb that change nothing in what comes out: where things lie, how fast, how it is shown.
const std::set<std::string>& flags_without_effect();

/// A flag that was given, as its verb's --help has it; no values where it takes none.
struct GivenFlag {
  std::string name;
  std::vector<std::string> values;
};
/// Those of a verb that has been parsed, without DATA and what CLI11 adds.
std::vector<GivenFlag> given_flags(const CLI::App& verb);

/// How it learns.
struct Recipe {
  std::string name = "probe";  ///< probe, warmup+finetune, finetune, scratch
  HeadConfig head;             ///< of a probe; its C and its class weights are a warm-up's too
  AugmentFlags augment;
  std::string optimizer = "adamw", class_weights = "none";
  int epochs = 12, batch = 32, views = 4, stages = 2, patience = 0;
  int blocks = 0;  ///< of finetune: only so many of the last blocks learn, and the head; 0: everything
  double share = 0.5;
  std::string batch_norm;  ///< frozen or trained; empty: frozen in warmup+finetune
  std::string schedule = "one_cycle";
  std::optional<double> lr;
  bool finds_lr = false;   ///< by a range test before the first epoch (lr_range.h)
  std::uint64_t seed = 0;  ///< of the order, augmentation, folds and what is initialised
  bool plain = false;      ///< no augmentation
  bool recompute = false;  ///< TrainConfig::recompute
};
const std::vector<std::string>& recipe_names();
/// Adds what describes a recipe, but neither its name nor its seed.
void add_recipe_flags(CLI::App& verb, Recipe& recipe);
/// Throws Error{usage} where a value is out of range.
void check_recipe(const Recipe& recipe);
/// The flags of add_recipe_flags() that a recipe does not heed.
const std::set<std::string>& flags_without_meaning(const std::string& recipe);
/// Those beside them that this very probe does not heed, each with the reason.
std::map<std::string, std::string> unheeded_by_probe(const Recipe& probe);
/// Throws CLI::ValidationError that names a flag which was given and none of the recipes heeds.
void check_flags_have_meaning(const CLI::App& verb, const std::vector<std::string>& recipes);
/// The recipes that advice chooses from.
const std::vector<std::string>& advised_recipes();

/// The head of a probe, with what follows from the recipe's other settings.
HeadConfig head_of_recipe(const Recipe& recipe);

/// As --json has it: [low, high].
nlohmann::json interval_json(const Interval& interval);

/// What every recipe starts from.
struct Job {
  SourceFlags source;
  RunConfig config;  ///< what the pictures and the backbone say; the recipe adds the rest
  Splits splits;
  Backbone backbone;
  Graph start;  ///< grafted, its head at rest
  std::optional<TrainingCheck> check;
};
/// Opens and checks the data, split with `split_seed`. Throws as load_backbone() and open_new_data().
Job open_job(const SourceFlags& source, std::uint64_t split_seed, Console& console);
/// What is about to be done, for people.
void print_job(const Job& job, Console& console);

/// The job with features cut elsewhere. Throws as grafted().
void cut_at(const Cut& cut, Job& job);
/// The same with some of the pictures, by their places, and no test pictures. There are validation pictures.
Job part_of(const Job& job, std::vector<std::int64_t> train, std::vector<std::int64_t> val);

/// Rows of features of some pictures, as the job's flags have them kept, for what is cut at `cut`; `what`
/// opens the progress. Throws as compute_features().
Features features_at(const Job& job, const Cut& cut, const Dataset& data, const std::string& what,
                     Console& console);
/// The program that makes them.
Prefix prefix_at(const Job& job, const Cut& cut);

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
