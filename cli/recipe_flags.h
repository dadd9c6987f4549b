/// What fit, compare, advise and find-lr are told: which pictures and network, and how it learns.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/augment_flags.h"
#include "cli/backbone.h"
#include "cli/check.h"
#include "enxerto/heads/head.h"

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

}  // namespace enxerto::cli
