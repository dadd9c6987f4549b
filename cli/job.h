/// Pictures and a backbone, opened: what every recipe starts from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/recipe_flags.h"
#include "cli/training.h"
#include "enxerto/transfer/graft.h"

namespace enxerto::cli {

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

/// What all recipes say of a run.
RunConfig config_of(const Job& job, const Recipe& recipe);

/// Random versions of each picture, where a head learns from several.
struct Views {
  Augment augment = {};
  int count = 1;
  std::uint64_t seed = 0;
};
/// Rows of features of some pictures, as the job's flags have them kept, for what is cut at `cut`; `what`
/// opens the progress. Throws as compute_features().
Features features_at(const Job& job, const Cut& cut, const Dataset& data, const std::string& what,
                     Console& console);
/// The same of random versions.
Features views_at(const Job& job, const Cut& cut, const Dataset& data, const std::string& what,
                  const Views& views, Console& console);
/// The program that makes them.
Prefix prefix_at(const Job& job, const Cut& cut);

}  // namespace enxerto::cli
