#include "cli/recipe_flags.h"

#include <algorithm>
#include <cmath>

#include "cli/commands.h"
#include "cli/learning.h"
#include "cli/numbers.h"
#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto::cli {

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
  if (!is_linear(probe.head.kind))
    flags["--c"] = text("is for logistic, svm and ridge and means nothing to ", probe.head.kind);
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

HeadConfig head_of_recipe(const Recipe& recipe) {
  HeadConfig config = recipe.head;
  config.seed = recipe.seed;
  config.class_weights.balanced = recipe.class_weights == "balanced";
  config.folds = config.strength || (config.kind != "logistic" && config.kind != "svm") ? 0 : 5;
  return config;
}

}  // namespace enxerto::cli
