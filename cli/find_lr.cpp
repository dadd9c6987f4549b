// enxerto find-lr: which learning rate a recipe can take, by a range test.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>

#include "cli/commands.h"
#include "cli/numbers.h"
#include "cli/recipe.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"

namespace enxerto::cli {
namespace {

using Json = nlohmann::json;

struct FindLrFlags {
  Common common;
  SourceFlags source;
  Recipe recipe;
  int steps = usual_range_steps;
  std::uint64_t seed = 0;
  bool quiet = false;
};

/// The smoothed loss by the rate, a line for each fifth of a power of ten.
void print_range(const Json& range, Console& console) {
  const Json& points = range.at("points");
  double most = 0, least = std::numeric_limits<double>::infinity();
  const double first = points.front().at("smoothed").get<double>();
  for (const Json& point : points) least = std::min(least, point.at("smoothed").get<double>());
  most = std::max(1.5 * first, least);
  constexpr int width = 50;
  int before = -1000;
  console.line(console.bold(text("      rate      loss")));
  for (const Json& point : points) {
    const double lr = point.at("lr").get<double>(), loss = point.at("smoothed").get<double>();
    const int place = static_cast<int>(std::floor(5 * std::log10(lr) + 1e-9));
    if (place == before) continue;
    before = place;
    const auto columns = static_cast<std::size_t>(
        std::lround(width * std::clamp((loss - least) / (most - least + 1e-12), 0.0, 1.0)));
    std::array<char, 32> rate{};
    std::snprintf(rate.data(), rate.size(), "%.1e", lr);
    console.line(text(pad_left(rate.data(), 10), pad_left(fixed(loss, 4), 10), "  ",
                      std::string(columns, ' '), console.has_unicode() ? "●" : "*"));
  }
  console.line();
  if (range.at("suggested").is_null())
    console.line("The loss falls at no rate: the head knows what it can, or the layers cannot learn this");
  else
    console.line(text("--lr ", range.at("suggested").get<double>(),
                      " is where the loss falls fastest, and well below where it rises"));
}

int run_find_lr(FindLrFlags& flags) {
  set_threads(flags.common.threads);
  Console console(flags.common.json ? stderr : stdout, flags.quiet);
  catch_interrupts();
  check_source_flags("find-lr", flags.source);
  check_at_least("--steps", flags.steps, 10);
  Recipe recipe = flags.recipe;
  recipe.seed = flags.seed;
  check_recipe(recipe);
  const Job job = open_job(flags.source, flags.seed, console);
  print_job(job, console);
  const Json range = find_lr(job, recipe, flags.steps, console);
  if (flags.common.json)
    print_json(range);
  else
    print_range(range, console);
  return 0;
}

}  // namespace

void add_find_lr(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<FindLrFlags>();
  flags->recipe.name = "finetune";
  CLI::App* verb = app.add_subcommand("find-lr", "Which learning rate a recipe can take: loss by rate");
  add_source_flags(*verb, flags->source);
  verb->add_option("--recipe", flags->recipe.name, "warmup+finetune, finetune or scratch")
      ->capture_default_str()
      ->check(CLI::IsMember({"warmup+finetune", "finetune", "scratch"}))
      ->type_name("NAME");
  verb->add_option("--steps", flags->steps, "Of the test, each with a batch")
      ->capture_default_str()
      ->type_name("N");
  add_recipe_flags(*verb, flags->recipe);
  verb->add_option("--seed", flags->seed, "Of splits, order and augmentation")
      ->capture_default_str()
      ->check(seed_number())
      ->type_name("N");
  add_threads(*verb, flags->common);
  verb->add_flag("--quiet", flags->quiet, "Print nothing but errors");
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto find-lr photos --weights resnet18\n"
      "  enxerto fit photos --weights resnet18 --recipe finetune --lr find --out run");
  verb->callback([flags, verb, &chosen] {
    refuse_flags(*verb, {"--epochs", "--lr", "--schedule", "--patience"},
                 "means nothing to a range test, whose rates rise from 1e-7 to 1 in --steps steps");
    check_flags_have_meaning(*verb, {flags->recipe.name});
    chosen = [flags] { return run_find_lr(*flags); };
  });
}

}  // namespace enxerto::cli
