// enxerto fit: a folder of photographs and a network that has learnt to see, to a classifier.
#include <algorithm>
#include <memory>

#include "cli/auto.h"
#include "cli/commands.h"
#include "cli/numbers.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/weights/checks.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct FitFlags {
  Common common;
  SourceFlags source;
  Recipe recipe;
  AdviceOptions advice;
  std::string out, resume;
  std::uint64_t seed = 0;
  bool quiet = false;
};

/// Returns the option of --resume.
CLI::Option* add_flags(CLI::App& verb, FitFlags& flags) {
  flags.recipe.name = "auto";
  flags.advice.budget_seconds = 600;
  add_source_flags(verb, flags.source);
  verb.add_option("--out", flags.out, "Folder for the run; it must not hold anything yet")->type_name("RUN");
  CLI::Option* resume =
      verb.add_option("--resume", flags.resume, "Go on with an interrupted run")->type_name("RUN");
  std::vector<std::string> names = recipe_names();
  names.insert(names.begin(), "auto");
  verb.add_option("--recipe", flags.recipe.name,
                  "probe (a head on frozen features), warmup+finetune (then layers from the back), finetune "
                  "(all layers), scratch (no weights) or auto (a probe, then what `enxerto advise` says)")
      ->capture_default_str()
      ->check(CLI::IsMember(names))
      ->type_name("NAME");
  add_advice_flags(verb, flags.advice);
  verb.get_option("--budget")
      ->description("Of auto: minutes that all of it may take; 0: whatever it takes (10)");
  add_recipe_flags(verb, flags.recipe);
  verb.add_option("--seed", flags.seed, "Of splits, order, augmentation and folds")
      ->capture_default_str()
      ->check(seed_number())
      ->type_name("N");
  add_threads(verb, flags.common);
  verb.add_flag("--quiet", flags.quiet, "Print nothing but errors");
  add_json(verb, flags.common);
  return resume;
}

/// Where a path was that was given when the command ran in `folder`; what is no path stays.
void come_from(const fs::path& folder, std::string& path) {
  if (!path.empty() && fs::path(path).is_relative() && fs::exists(folder / path))
    path = (folder / path).lexically_normal().string();
}

/// The words that started a run, for a resume; and where. With the weights, which may be the usual ones of
/// that day.
Json asked_now(const std::string& weights) {
  std::vector<std::string> words = command_words();
  if (!words.empty()) words.erase(words.begin());
  const std::string folder = fs::current_path().string();
  for (const std::string& word : words)
    if (!is_utf8(word))
      throw Error(ErrorKind::unsupported, text("fit: ", shown(word), " is not UTF-8; rename it"));
  if (!is_utf8(folder))
    throw Error(ErrorKind::unsupported,
                text("fit: the folder ", shown(folder), ", in which it runs, is not UTF-8; rename it"));
  return {{"words", words}, {"folder", folder}, {"weights", weights}};
}

/// The flags that a run was started with.
FitFlags flags_of(const Json& asked, const fs::path& run) {
  FitFlags flags;
  CLI::App app;
  CLI::App* const verb = app.add_subcommand("fit");
  add_flags(*verb, flags);
  try {
    auto words = asked.at("words").get<std::vector<std::string>>();
    std::ranges::reverse(words);
    app.parse(std::move(words));
    flags.advice.given = given_flags(*verb);
    flags.source.backbone.model.path = asked.value("weights", flags.source.backbone.model.path);
    const fs::path folder = asked.at("folder").get<std::string>();
    for (std::string* path :
         {&flags.source.data, &flags.source.backbone.model.path, &flags.source.cache.folder})
      come_from(folder, *path);
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorKind::corrupt,
                text((run / "auto.json").string(),
                     ": the command that began it is none of this version's: ", error.what()));
  } catch (const std::exception& error) {
    throw Error(ErrorKind::corrupt, text((run / "auto.json").string(), ": is damaged: ", error.what()));
  }
  return flags;
}

/// `asked`: of the run that this goes on with; null: none.
Json fit_auto(const FitFlags& flags, const fs::path& out, Json asked, Console& console) {
  Recipe usual = flags.recipe;
  usual.name = "probe";
  usual.seed = flags.seed;
  check_recipe(usual);
  Job job = open_job(flags.source, flags.seed, console);
  print_job(job, console);
  if (asked.is_null())
    asked = asked_now(job.backbone.file);
  else
    check_same_data(out, load_run_config(out), *job.splits.train, job.splits.val.get(),
                    job.splits.test.get());
  if (job.splits.val && !job.splits.train->multi_label())
    return fit_by_advice(std::move(job), usual, flags.advice, out, asked, console);
  // Nothing to judge by, or several labels a picture, of which a head knows nothing.
  usual.name = job.splits.train->multi_label() ? "warmup+finetune" : "probe";
  console.line(text(job.splits.val ? "Several labels a picture" : "No validation pictures",
                    ": no advice, the recipe is ", usual.name));
  return run_recipe(job, usual, out, console);
}

/// What is said on resuming of where features are kept.
void take_over(const CacheFlags& now, CacheFlags& cache) {
  const CacheFlags usual;
  if (now.none || !now.folder.empty()) cache.none = now.none, cache.folder = now.folder;
  if (now.memory_gib != usual.memory_gib) cache.memory_gib = now.memory_gib;
  if (now.file_gib != usual.file_gib) cache.file_gib = now.file_gib;
}

Json resume_fit(const FitFlags& flags, Console& console) {
  const Json asked = asked_of(flags.resume);
  if (asked.is_null()) return resume_recipe(flags.resume, flags.source, flags.common.threads, console);
  FitFlags began = flags_of(asked, flags.resume);
  if (flags.common.threads <= 0) set_threads(load_run_config(flags.resume).threads);
  began.source.workers = flags.source.workers;
  take_over(flags.source.cache, began.source.cache);
  return fit_auto(began, flags.resume, asked, console);
}

Json fit(FitFlags& flags, Console& console) {
  if (!flags.resume.empty()) return resume_fit(flags, console);
  check_source_flags("fit", flags.source);
  if (flags.out.empty()) throw Error(ErrorKind::usage, "fit: --out is missing; see `enxerto fit --help`");
  remove_unborn(flags.out, flags.source.backbone.model.path);
  check_is_new(flags.out);
  if (flags.recipe.name == "auto") return fit_auto(flags, flags.out, {}, console);
  Recipe recipe = flags.recipe;
  recipe.seed = flags.seed;
  check_recipe(recipe);
  const Job job = open_job(flags.source, flags.seed, console);
  print_job(job, console);
  return run_recipe(job, recipe, flags.out, console);
}

int run_fit(FitFlags& flags) {
  set_threads(flags.common.threads);
  Console console(flags.common.json ? stderr : stdout, flags.quiet);
  catch_interrupts();
  const Json result = fit(flags, console);
  if (flags.common.json)
    print_json(result);
  else
    print_fit(result, console);
  return 0;
}

}  // namespace

void add_fit(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<FitFlags>();
  CLI::App* verb = app.add_subcommand("fit", "Graft a network that has learnt to see onto your pictures");
  CLI::Option* resume = add_flags(*verb, *flags);
  verb->footer(
      "Examples:\n"
      "  enxerto fit photos --weights mobilenet_v2.onnx --out run\n"
      "  enxerto fit photos --weights resnet50 --head svm --pca 128 --out run\n"
      "  enxerto fit photos --weights resnet18 --recipe warmup+finetune --out run\n"
      "  enxerto fit --resume run\n"
      "Ctrl-C stops after the step under way and keeps the run.");
  verb->callback([flags, verb, resume, &chosen] {
    if (resume->count() > 0) {
      std::set<std::string> allowed = flags_without_effect();
      allowed.insert("--resume");
      allowed.erase("--recompute");  // is as the run began
      check_resume_alone(*verb, allowed);
    } else if (flags->recipe.name == "auto") {
      check_flags_have_meaning(*verb, advised_recipes());
      flags->advice.given = given_flags(*verb);
    } else {
      refuse_flags(*verb, {"--budget", "--pilot"},
                   text("is for the recipe auto and means nothing to ", flags->recipe.name));
      if (flags->recipe.name == "probe")
        for (const auto& [flag, why] : unheeded_by_probe(flags->recipe)) refuse_flags(*verb, {flag}, why);
      check_flags_have_meaning(*verb, {flags->recipe.name});
    }
    chosen = [flags] { return run_fit(*flags); };
  });
}

}  // namespace enxerto::cli
