#include "cli/auto.h"

#include <algorithm>
#include <array>
#include <functional>
#include <system_error>

#include "cli/commands.h"
#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/json_text.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* state_name = "auto.json";
/// A run's files; the model first, so that what is moved last is what only tells about it.
constexpr std::array run_files{"model.safetensors", "start.safetensors", "checkpoint.safetensors",
                               "config.json",       "log.jsonl",         "doctor.json",
                               "predictions.jsonl", "result.json",       "report.html"};

Json read_json(const fs::path& path) {
  Json json = Json::parse(read_text_file(path), nullptr, false);
  if (!json.is_object())
    throw Error(ErrorKind::corrupt, text(path.string(), ": is damaged; start the run again"));
  return json;
}

void write_json(const fs::path& path, const Json& json) { write_file(path, format_json(json)); }

/// The same file under a second name, so that replacing the first leaves the second.
void keep_as(const fs::path& from, const fs::path& to) {
  if (!fs::exists(from) || fs::exists(to)) return;
  std::error_code code;
  fs::create_hard_link(from, to, code);
  if (code) fs::copy_file(from, to);  // a file system without links
}

/// The advised run takes the probe's place. Each file is there at any moment, and a second call finishes what
/// the first began.
void promote(const fs::path& out) {
  const fs::path advised = out / "advised";
  for (const char* name : run_files)
    if (fs::exists(advised / name)) fs::rename(advised / name, out / name);
  std::error_code ignored;
  fs::remove(advised, ignored);  // where it is empty
}

bool is_better(const Json& tuned, const Json& probe) {
  const Json &a = tuned.at("val"), &b = probe.at("val");
  const double top1 = a.at("top1").get<double>() - b.at("top1").get<double>();
  return top1 != 0 ? top1 > 0 : a.at("loss").get<double>() < b.at("loss").get<double>();
}

std::string top1_of(const Json& result) { return percent(result.at("val").at("top1").get<double>()); }

/// Trains what the advice says, from wherever it was stopped.
Json advised_run(const Job& job, const Recipe& recipe, const fs::path& folder, double end_by,
                 Console& console) {
  if (fs::exists(folder / "result.json")) return read_json(folder / "result.json");
  if (fs::exists(folder / "config.json"))
    return resume_recipe(folder, job.source, threads(), console, {.end_by = end_by});
  remove_unborn(folder, job.backbone.file);
  return run_recipe(job, recipe, folder, console, {.end_by = end_by});
}

/// What was decided goes into the run's result, and its paths become those of the run.
Json finish(const fs::path& out, const Json& state, Console& console) {
  Json result = read_json(out / "result.json");
  // Of the advised training; what the probe took nobody foretells.
  const Json recipe = state.value("recipe", Json::object());
  const Json expected_seconds =
      state.at("chosen") == "advised" ? recipe.value("expected_seconds", Json()) : Json();
  result["run"] = out.string();
  result["transfer"]["auto"] = {{"chosen", state.at("chosen")},
                                {"probe", state.at("probe")},
                                {"advised", state.value("advised", Json())},
                                {"advice", state.at("advice")},
                                {"expected_seconds", expected_seconds}};
  write_json(out / "result.json", result);
  report_on(out, console);
  Json ended = state;
  ended["ended"] = true;
  write_json(out / state_name, ended);
  return result;
}

Json score_of(const Json& result) {
  return {{"recipe", result.at("transfer").at("recipe")},
          {"val_top1", result.at("val").at("top1")},
          {"seconds", result.at("seconds")}};
}

/// A run on its way from a probe to the better of two. What it knows is in auto.json, written after each
/// step, so that a resume begins with the step that is missing.
class AutoRun {
 public:
  AutoRun(Job job, const Recipe& usual, const AdviceOptions& options, fs::path out, Console& console)
      : job_(std::move(job)), usual_(usual), options_(options), out_(std::move(out)), console_(console) {
    usual_.name = "probe";
  }

  Json run(const Json& asked) {
    if (fs::exists(out_ / state_name))
      state_ = read_json(out_ / state_name);
    else
      begin(asked);
    if (state_.at("advice").is_null()) step("while measuring", [&] { measure(); });
    if (!state_.contains("chosen")) step("while training", [&] { choose(); });
    if (state_.at("chosen") == "advised") promote(out_);
    return finish(out_, state_, console_);
  }

 private:
  void save() const { write_json(out_ / state_name, state_); }
  /// Seconds of the budget; 0 where there is none.
  double left() const {
    return options_.budget_seconds > 0 ? std::max(1.0, options_.budget_seconds - (now_seconds() - began_))
                                       : 0;
  }
  void step(const char* when, const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::interrupted) throw;
      throw Error(error.kind(),
                  text("interrupted ", when, "; ", shell_word(out_),
                       " has the best model so far, `enxerto fit --resume ", shell_word(out_), "` goes on"));
    }
    save();
  }

  void begin(const Json& asked) {
    const Json result = run_recipe(job_, usual_, out_, console_);
    console_.line(text("Probe: ", top1_of(result), " of the validation pictures right; ", shell_word(out_),
                       " can be used from now on"));
    state_ = {{"format", 1}, {"asked", asked}, {"probe", score_of(result)}, {"advice", nullptr}};
    save();
  }

  void measure() {
    AdviceOptions options = options_;
    options.budget_seconds = left();
    keep_within(options_.budget_seconds, options);
    Advice advice = advise(job_, usual_, options, console_);
    if (!console_.is_quiet()) print_advice(advice.json, console_);
    state_["advice"] = std::move(advice.json);
    state_["recipe"] = {{"name", advice.recipe.name},
                        {"epochs", advice.recipe.epochs},
                        {"cut", advice.cut.layer},
                        {"pool", advice.cut.pool},
                        {"expected_seconds", advice.seconds}};
  }

  /// Trains what was recommended, unless that is the probe that is there already.
  void choose() {
    const Json& wanted = state_.at("recipe");
    Recipe recipe = usual_;
    recipe.name = wanted.at("name").get<std::string>();
    recipe.epochs = wanted.at("epochs").get<int>();
    const Cut cut{.layer = wanted.at("cut").get<std::string>(), .pool = wanted.at("pool").get<bool>()};
    std::string chosen = "probe";
    if (recipe.name != "probe" || !(cut == job_.backbone.cut)) {
      cut_at(cut, job_);
      console_.line();
      try {
        const Json advised =
            advised_run(job_, recipe, out_ / "advised", left() > 0 ? now_seconds() + left() : 0, console_);
        const Json probe = read_json(out_ / "result.json");
        state_["advised"] = score_of(advised);
        if (is_better(advised, probe)) chosen = "advised";
        console_.line(text(recipe.name, ": ", top1_of(advised),
                           " of the validation pictures right, the probe ", top1_of(probe),
                           chosen == "advised" ? "; it takes the probe's place" : "; the probe stays"));
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::diverged) throw;
        console_.warn(text(recipe.name, ": ", error.what(), "; the probe stays"));
      }
    }
    if (chosen == "advised") {
      make_folder(out_ / "probe");
      for (const char* name : run_files) keep_as(out_ / name, out_ / "probe" / name);
    }
    state_["chosen"] = chosen;
  }

  Job job_;
  Recipe usual_;
  AdviceOptions options_;
  fs::path out_;
  Console& console_;
  double began_ = now_seconds();
  Json state_;
};

}  // namespace

Json asked_of(const fs::path& out) {
  if (!fs::exists(out / state_name)) return nullptr;
  const Json state = read_json(out / state_name);
  return state.contains("ended") || !state.contains("asked") ? Json() : state.at("asked");
}

Json fit_by_advice(Job job, const Recipe& usual, const AdviceOptions& options, const fs::path& out,
                   const Json& asked, Console& console) {
  try {
    return AutoRun(std::move(job), usual, options, out, console).run(asked);
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::corrupt,
                text((out / state_name).string(), " or a result.json of the run is damaged: ", error.what(),
                     "; start the run again"));
  }
}

}  // namespace enxerto::cli
