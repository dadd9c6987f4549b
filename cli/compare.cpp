// enxerto compare: several recipes on the same pictures, and whether the difference is more than chance.
#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "cli/commands.h"
#include "cli/numbers.h"
#include "cli/recipe.h"
#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/json_text.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/transfer/comparison.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct CompareFlags {
  Common common;
  SourceFlags source;
  Recipe recipe;
  std::vector<std::string> recipes;
  std::string out = "comparison";
  int seeds = 3;
  std::uint64_t seed = 0;
  bool quiet = false;
};

/// One of those that are compared: "probe", or "probe:svm" with another head than the others.
struct Entrant {
  std::string label;
  Recipe recipe;
};

Entrant parse_entrant(const std::string& asked, const Recipe& usual) {
  Entrant made{.label = asked, .recipe = usual};
  const std::size_t colon = asked.find(':');
  made.recipe.name = asked.substr(0, colon);
  if (colon != std::string::npos) made.recipe.head.kind = asked.substr(colon + 1);
  const auto &names = recipe_names(), &heads = head_kinds();
  if (std::ranges::find(names, made.recipe.name) == names.end())
    throw Error(ErrorKind::usage, text("--recipes: there is no \"", made.recipe.name, "\"; there are ",
                                       join(names, ", "), ", and probe:HEAD"));
  if (colon != std::string::npos &&
      (made.recipe.name != "probe" || std::ranges::find(heads, made.recipe.head.kind) == heads.end()))
    throw Error(ErrorKind::usage,
                text("--recipes: \"", asked, "\": a head is named for a probe, one of ", join(heads, ", ")));
  check_recipe(made.recipe);
  return made;
}

std::vector<Entrant> parse_entrants(const CompareFlags& flags) {
  std::vector<Entrant> entrants;
  for (const std::string& asked : flags.recipes) {
    entrants.push_back(parse_entrant(asked, flags.recipe));
    if (std::ranges::count(flags.recipes, asked) > 1)
      throw Error(ErrorKind::usage, text("--recipes: \"", asked, "\" is there twice"));
  }
  if (entrants.size() < 2) throw Error(ErrorKind::usage, "--recipes: two or more, separated by commas");
  return entrants;
}

/// comparison.json: what was asked, and what has been found so far. Written anew after each run, so that the
/// same command goes on where it was stopped.
class Ledger {
 public:
  /// Throws Error{usage} where the folder holds another comparison, or something else.
  Ledger(fs::path folder, Json asked) : folder_(std::move(folder)) {
    json_ = {{"format", 1}, {"asked", std::move(asked)}, {"runs", Json::object()}};
    if (!fs::exists(file())) {
      check_is_new(folder_);
      return;
    }
    const Json found = Json::parse(read_text_file(file()), nullptr, false);
    if (!found.is_object() || !found.contains("asked") || !found.value("runs", Json()).is_object())
      throw Error(ErrorKind::corrupt, text(file().string(), ": is damaged; choose another --out"));
    Json other = found.at("asked"), mine = json_.at("asked");
    if (other.is_object() && other.contains("network") && other["network"] != mine["network"]) {
      other.erase("network");
      mine.erase("network");
      if (other == mine)
        throw Error(
            ErrorKind::usage,
            text(folder_.string(),
                 ": holds a comparison of another network: ", mine.at("--weights").at(0).get<std::string>(),
                 " has changed, or another version began it; choose another --out, or put the weights back"));
    }
    if (found.at("asked") != json_.at("asked"))
      throw Error(ErrorKind::usage,
                  text(folder_.string(), ": holds a comparison that was asked for otherwise: ",
                       found.at("asked").dump(), "; choose another --out"));
    json_ = found;
  }

  const fs::path& folder() const { return folder_; }
  /// The run's record; null where it has not ended.
  const Json& run(const std::string& name) const {
    static const Json none;
    const auto found = json_.at("runs").find(name);
    return found == json_.at("runs").end() ? none : *found;
  }
  void add(const std::string& name, Json record) {
    json_["runs"][name] = std::move(record);
    save();
  }
  /// `outcome`: what was made of the runs.
  void finish(const Json& outcome) {
    for (const auto& [key, value] : outcome.items()) json_[key] = value;
    save();
  }

 private:
  fs::path file() const { return folder_ / "comparison.json"; }
  void save() const { write_file(file(), format_json(json_)); }

  fs::path folder_;
  Json json_;
};

/// What decides the outcome, as it was asked for: the flags that were given, without those that only say
/// where things lie or how they are shown.
Json asked_by(const CLI::App& verb) {
  std::set<std::string> passed_over = flags_without_effect();
  passed_over.insert("--out");
  Json asked{{"data", verb.get_option("data")->results()}};
  for (const GivenFlag& flag : given_flags(verb))
    if (!passed_over.contains(flag.name)) asked[flag.name] = flag.values;
  return asked;
}

RightAnswers answers_of(const Ledger& ledger, const std::vector<std::string>& runs, std::int64_t pictures) {
  RightAnswers made;
  for (const std::string& run : runs) {
    made.emplace_back();
    for (const char each : ledger.run(run).at("right").get<std::string>()) made.back().push_back(each == '1');
    if (std::ssize(made.back()) != pictures)
      throw Error(ErrorKind::corrupt,
                  text((ledger.folder() / "comparison.json").string(), ": ", run,
                       ": has not an answer for each test picture; choose another --out"));
  }
  return made;
}

/// Makes the run, or goes on with it, and keeps what it answered.
void run_one(const Job& job, const Recipe& recipe, const std::string& name, Ledger& ledger, int threads,
             Console& console) {
  const fs::path folder = ledger.folder() / name;
  std::string right(static_cast<std::size_t>(job.splits.test->size()), '0');
  const auto on_test = [&](std::int64_t i, std::int32_t label, std::span<const float> outputs) {
    if (label != unlabelled && rank_of(outputs, label) == 0) right[static_cast<std::size_t>(i)] = '1';
  };
  const double began = now_seconds();
  Json result;
  const bool goes_on = fs::exists(folder / "config.json") && !fs::exists(folder / "result.json") &&
                       load_run_config(folder).transfer.contains("phases");
  if (goes_on) {
    result = resume_recipe(folder, job.source, threads, console, {.on_test = on_test});
  } else {
    fs::remove_all(folder);  // what was stopped before it could be gone on with
    result = run_recipe(job, recipe, folder, console, {.on_test = on_test});
  }
  const Json& test = result.at("test");
  ledger.add(name, {{"recipe", recipe.name},
                    {"seed", recipe.seed},
                    {"top1", test.at("top1")},
                    {"balanced_accuracy", test.at("macro_recall")},
                    {"macro_f1", test.at("macro_f1")},
                    {"seconds", now_seconds() - began},
                    {"resumed", goes_on},
                    {"right", right}});
}

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::first_better:
      return "first better";
    case Verdict::second_better:
      return "second better";
    case Verdict::seeds_matter:
      return "seeds matter";
    case Verdict::not_shown:
      break;
  }
  return "not shown";
}

Json outcome_of(const std::vector<Entrant>& entrants, const std::vector<std::vector<std::string>>& runs,
                const Ledger& ledger, const Job& job) {
  Json outcome{{"out", ledger.folder().string()},
               {"n", job.splits.test->size()},
               {"recipes", Json::array()},
               {"pairs", Json::array()}};
  std::vector<RightAnswers> answers;
  for (std::size_t r = 0; r < entrants.size(); ++r) {
    answers.push_back(answers_of(ledger, runs[r], job.splits.test->size()));
    const Accuracy accuracy = accuracy_of(answers.back());
    const auto mean = [&](const char* key) {
      double sum = 0;
      for (const std::string& run : runs[r])
        sum += ledger.run(run).at(key).is_null() ? 0 : ledger.run(run).at(key).get<double>();
      return sum / static_cast<double>(runs[r].size());
    };
    outcome["recipes"].push_back({{"recipe", entrants[r].label},
                                  {"top1", accuracy.mean},
                                  {"top1_interval", interval_json(accuracy.interval)},
                                  {"seeds", accuracy.seeds},
                                  {"seed_deviation", accuracy.seed_deviation},
                                  {"balanced_accuracy", mean("balanced_accuracy")},
                                  {"macro_f1", mean("macro_f1")},
                                  {"seconds", mean("seconds")},
                                  {"runs", runs[r]}});
  }
  for (const Contrast& each : contrasts_of(answers)) {
    Json pair{{"first", entrants[each.first].label},
              {"second", entrants[each.second].label},
              {"difference", each.difference},
              {"difference_interval", interval_json(each.interval)},
              {"only_first", each.only_first},
              {"only_second", each.only_second},
              {"p", each.p},
              {"p_adjusted", each.p_adjusted},
              {"verdict", name_of(each.verdict)},
              {"enough_pictures", nullptr}};
    if (each.enough) pair["enough_pictures"] = *each.enough;
    outcome["pairs"].push_back(std::move(pair));
  }
  return outcome;
}

std::string format_verdict(const Json& pair, std::int64_t n) {
  const std::string verdict = pair.at("verdict").get<std::string>();
  if (verdict == "first better") return text(pair.at("first").get<std::string>(), " is better");
  if (verdict == "second better") return text(pair.at("second").get<std::string>(), " is better");
  if (verdict == "seeds matter") return "other seeds might turn it round";
  if (pair.at("enough_pictures").is_null()) return "not shown";
  const auto enough = pair.at("enough_pictures").get<std::int64_t>();
  return enough <= n ? "not shown"
                     : text("not shown; ", with_commas(enough - n),
                            " more test pictures would tell, if it is so large");
}

void print_outcome_of(const Json& outcome, int seeds, Console& console) {
  std::size_t width = 6;
  for (const Json& each : outcome.at("recipes"))
    width = std::max(width, columns_of(each.at("recipe").get<std::string>()));
  const auto n = outcome.at("n").get<std::int64_t>();
  console.line();
  console.line(
      text("Judged by ", with_commas(n), " test pictures, ", seeds, seeds == 1 ? " seed" : " seeds"));
  console.line(console.bold(text(pad_right("recipe", width), pad_left("top-1", 9), "   95 % interval    ",
                                 seeds > 1 ? "over seeds  " : "", "balanced  macro F1  seconds a run")));
  for (const Json& each : outcome.at("recipes")) {
    const Json& interval = each.at("top1_interval");
    console.line(text(
        pad_right(each.at("recipe").get<std::string>(), width),
        pad_left(percent(each.at("top1").get<double>()), 9), "   ",
        pad_right(
            text(fixed(100 * interval.at(0).get<double>(), 1), " to ", percent(interval.at(1).get<double>())),
            17),
        seeds > 1 ? pad_right(text("± ", fixed(100 * each.at("seed_deviation").get<double>(), 1)), 12) : "",
        pad_left(percent(each.at("balanced_accuracy").get<double>()), 8),
        pad_left(percent(each.at("macro_f1").get<double>()), 10),
        pad_left(fixed(each.at("seconds").get<double>(), 1), 9)));
  }
  console.line();
  std::size_t pair_width = 0;
  const auto title = [](const Json& pair) {
    return text(pair.at("first").get<std::string>(), " - ", pair.at("second").get<std::string>());
  };
  for (const Json& pair : outcome.at("pairs")) pair_width = std::max(pair_width, columns_of(title(pair)));
  console.line(console.bold(text(pad_right("difference", pair_width), pad_left("points", 9),
                                 "   95 % interval     p (McNemar, Holm)")));
  for (const Json& pair : outcome.at("pairs")) {
    const Json& interval = pair.at("difference_interval");
    console.line(text(
        pad_right(title(pair), pair_width), pad_left(points(pair.at("difference").get<double>()), 9), "   ",
        pad_right(text(points(interval.at(0).get<double>()), " to ", points(interval.at(1).get<double>())),
                  18),
        pad_right(fixed(pair.at("p_adjusted").get<double>(), 4), 8), format_verdict(pair, n)));
  }
}

int run_compare(CompareFlags& flags, Json asked) {
  set_threads(flags.common.threads);
  Console console(flags.common.json ? stderr : stdout, flags.quiet);
  const std::atomic<bool>& stop = catch_interrupts();
  check_source_flags("compare", flags.source);
  check_at_least("--seeds", flags.seeds, 1);
  const std::vector<Entrant> entrants = parse_entrants(flags);
  flags.source.val_as_test = true;
  const Job job = open_job(flags.source, flags.seed, console);
  if (job.splits.train->multi_label())
    throw Error(ErrorKind::unsupported,
                text(flags.source.data, ": its pictures may have several labels; compare takes one each"));
  if (!job.splits.test)
    throw Error(ErrorKind::usage, "--test-fraction: without test pictures there is nothing to compare by");
  asked["--weights"] = {job.backbone.file};
  // Other weights may lie under the same name tomorrow.
  asked["network"] = format_key(prefix_at(job, job.backbone.cut).network_key());
  asked["splits"] = job.config.to_json().at("splits");
  Ledger ledger(flags.out, std::move(asked));
  print_job(job, console);
  make_folder(ledger.folder());
  std::vector<std::vector<std::string>> runs(entrants.size());
  // Seed by seed: what is there after an interruption are whole rounds.
  for (int s = 0; s < flags.seeds; ++s)
    for (std::size_t r = 0; r < entrants.size(); ++r) {
      Recipe recipe = entrants[r].recipe;
      recipe.seed = flags.seed + static_cast<std::uint64_t>(s);
      std::string name = text(entrants[r].label, "-", recipe.seed);
      std::ranges::replace(name, ':', '-');
      runs[r].push_back(name);
      console.line();
      console.line(text(console.bold(entrants[r].label), ", seed ", recipe.seed,
                        ledger.run(name).is_null() ? "" : ": done before"));
      if (!ledger.run(name).is_null()) continue;
      try {
        run_one(job, recipe, name, ledger, flags.common.threads, console);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::interrupted && !stop) throw;
        throw Error(ErrorKind::interrupted,
                    text("interrupted; the same command goes on with ", shell_word(flags.out)));
      }
    }
  Json outcome;
  try {
    outcome = outcome_of(entrants, runs, ledger, job);
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::corrupt, text((ledger.folder() / "comparison.json").string(),
                                         ": is damaged: ", error.what(), "; choose another --out"));
  }
  ledger.finish(outcome);
  if (flags.common.json)
    print_json(outcome);
  else
    print_outcome_of(outcome, flags.seeds, console);
  return 0;
}

}  // namespace

void add_compare(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<CompareFlags>();
  flags->source.test_fraction = 0.25;
  CLI::App* verb = app.add_subcommand(
      "compare", "Several recipes on the same pictures: which is better, and is it chance?");
  add_source_flags(*verb, flags->source);
  verb->add_option("--recipes", flags->recipes, text(join(recipe_names(), ", "), ", probe:HEAD"))
      ->required()
      ->delimiter(',')
      ->type_name("A,B,...");
  verb->add_option("--out", flags->out, "Folder for the runs; one that holds the same comparison goes on")
      ->capture_default_str()
      ->type_name("FOLDER");
  verb->add_option("--seeds", flags->seeds, "Runs of each recipe, each with a seed of its own")
      ->capture_default_str()
      ->type_name("N");
  add_recipe_flags(*verb, flags->recipe);
  verb->add_option("--seed", flags->seed, "Of the splits, and the first of the runs' seeds")
      ->capture_default_str()
      ->check(seed_number())
      ->type_name("N");
  add_threads(*verb, flags->common);
  verb->add_flag("--quiet", flags->quiet, "Print nothing but errors");
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto compare photos --weights resnet18 --recipes probe,warmup+finetune,finetune\n"
      "  enxerto compare photos --weights resnet50 --recipes probe:logistic,probe:svm --seeds 1 --json\n"
      "All are judged by the test pictures (where the data have only val/, by those), which nothing is "
      "chosen by.");
  verb->callback([flags, verb, &chosen] {
    std::vector<std::string> names;
    for (const std::string& each : flags->recipes) names.push_back(each.substr(0, each.find(':')));
    check_flags_have_meaning(*verb, names);
    const Json asked = asked_by(*verb);
    chosen = [flags, asked] { return run_compare(*flags, asked); };
  });
}

}  // namespace enxerto::cli
