// enxerto advise: which recipe for these pictures, on this computer.
#include <algorithm>
#include <memory>

#include "cli/advice.h"
#include "cli/commands.h"
#include "cli/numbers.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"

namespace enxerto::cli {
namespace {

struct AdviseFlags {
  Common common;
  SourceFlags source;
  Recipe recipe;
  AdviceOptions options;
  std::uint64_t seed = 0;
  bool quiet = false;
};

int run_advise(AdviseFlags& flags) {
  set_threads(flags.common.threads);
  Console console(flags.common.json ? stderr : stdout, flags.quiet);
  catch_interrupts();
  check_source_flags("advise", flags.source);
  Recipe recipe = flags.recipe;
  recipe.seed = flags.seed;
  check_recipe(recipe);
  const Job job = open_job(flags.source, flags.seed, console);
  print_job(job, console);
  const Advice advice = advise(job, recipe, flags.options, console);
  if (flags.common.json)
    print_json(advice.json);
  else
    print_advice(advice.json, console);
  return 0;
}

}  // namespace

void add_advise(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<AdviseFlags>();
  CLI::App* verb = app.add_subcommand("advise", "Which recipe for your pictures, measured on them");
  add_source_flags(*verb, flags->source);
  add_advice_flags(*verb, flags->options);
  verb->get_option("--budget")
      ->description(
          "Minutes that the recipe may take; a trial takes at most 15 % of them, unless --pilot says more "
          "(any)");
  verb->add_option("--price", flags->options.price_per_hour,
                   "Of an hour of this computer, to tell what a recipe costs")
      ->check(number_from(0.0, 1e9))
      ->type_name("MONEY");
  add_recipe_flags(*verb, flags->recipe);
  verb->add_option("--seed", flags->seed, "Of splits, parts, order and folds")
      ->capture_default_str()
      ->check(seed_number())
      ->type_name("N");
  add_threads(*verb, flags->common);
  verb->add_flag("--quiet", flags->quiet, "Print nothing but errors");
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto advise photos --weights resnet50\n"
      "  enxerto advise photos --weights mobilenet_v2.onnx --budget 10 --price 0.34\n"
      "What it computes of the pictures is kept, and `enxerto fit` finds it again.");
  verb->callback([flags, verb, &chosen] {
    check_flags_have_meaning(*verb, advised_recipes());
    flags->options.given = given_flags(*verb);
    keep_within(flags->options.budget_seconds, flags->options);
    chosen = [flags] { return run_advise(*flags); };
  });
}

}  // namespace enxerto::cli
