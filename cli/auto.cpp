#include "cli/auto.h"

#include <array>
#include <system_error>

#include "cli/commands.h"
#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/report/report.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* state_name = "auto.json";
/// A run's files; the model first, so that what is moved last is what only tells about it.
constexpr std::array run_files{"model.safetensors", "start.safetensors", "checkpoint.safetensors",
                               "config.json",       "log.jsonl",         "doctor.json",
                               "result.json",       "report.html"};

Json read_json(const fs::path& path) {
  Json json = Json::parse(read_text_file(path), nullptr, false);
  if (!json.is_object())
    throw Error(ErrorKind::corrupt, text(path.string(), ": is damaged; start the run again"));
  return json;
}

void write_json(const fs::path& path, const Json& json) { write_file(path, json.dump(2) + "\n"); }

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
  remove_unborn(folder);
  return run_recipe(job, recipe, folder, console, {.end_by = end_by});
}

/// What was decided goes into the run's result, and its paths become those of the run.
Json finish(const fs::path& out, const Json& state) {
  Json result = read_json(out / "result.json");
  result["run"] = out.string();
  result["transfer"]["auto"] = {{"chosen", state.at("chosen")},
                                {"probe", state.at("probe")},
                                {"advised", state.value("advised", Json())},
                                {"advice", state.at("advice")}};
  write_json(out / "result.json", result);
  write_report(out);
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

}  // namespace

Json asked_of(const fs::path& out) {
  if (!fs::exists(out / state_name)) return nullptr;
  const Json state = read_json(out / state_name);
  return state.contains("ended") || !state.contains("asked") ? Json() : state.at("asked");
}

Json fit_by_advice(Job job, const Recipe& usual, AdviceOptions options, const fs::path& out,
                   const Json& asked, Console& console) {
  const double began = now_seconds(), budget = options.budget_seconds;
  const auto left = [&] { return budget > 0 ? budget - (now_seconds() - began) : 0; };
  const fs::path file = out / state_name;
  const auto interrupted = [&](const std::string& when) {
    return Error(ErrorKind::interrupted,
                 text("interrupted ", when, "; ", shell_word(out),
                      " has the best model so far, `enxerto fit --resume ", shell_word(out), "` goes on"));
  };
  Json state;
  if (fs::exists(file)) {
    state = read_json(file);
  } else {
    Recipe probe = usual;
    probe.name = "probe";
    const Json result = run_recipe(job, probe, out, console);
    console.line(text("Probe: ", top1_of(result), " of the validation pictures right; ", shell_word(out),
                      " can be used from now on"));
    state = {{"format", 1}, {"asked", asked}, {"probe", score_of(result)}, {"advice", nullptr}};
    write_json(file, state);
  }
  if (state.at("advice").is_null()) {
    options.budget_seconds = budget > 0 ? std::max(1.0, left()) : 0;
    options.pilot_seconds =
        budget > 0 ? std::min(options.pilot_seconds, 0.15 * budget) : options.pilot_seconds;
    Recipe settings = usual;
    settings.name = "probe";
    try {
      Advice advice = advise(job, settings, options, console);
      if (!console.is_quiet()) print_advice(advice.json, console);
      state["advice"] = std::move(advice.json);
      state["recipe"] = {{"name", advice.recipe.name},
                         {"epochs", advice.recipe.epochs},
                         {"cut", advice.cut.layer},
                         {"pool", advice.cut.pool},
                         {"expected_seconds", advice.seconds}};
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw interrupted("while measuring");
      throw;
    }
    write_json(file, state);
  }
  if (!state.contains("chosen")) {
    Recipe recipe = usual;
    recipe.name = state.at("recipe").at("name").get<std::string>();
    recipe.epochs = state.at("recipe").at("epochs").get<int>();
    const Cut cut{.layer = state.at("recipe").at("cut").get<std::string>(),
                  .pool = state.at("recipe").at("pool").get<bool>()};
    state["chosen"] = "probe";
    if (recipe.name != "probe" || !(cut == job.backbone.cut)) {
      cut_at(cut, job);
      console.line();
      try {
        const Json tuned =
            advised_run(job, recipe, out / "advised", budget > 0 ? now_seconds() + left() : 0, console);
        const Json probe = read_json(out / "result.json");
        state["advised"] = score_of(tuned);
        if (is_better(tuned, probe)) state["chosen"] = "advised";
        console.line(
            text(recipe.name, ": ", top1_of(tuned), " of the validation pictures right, the probe ",
                 top1_of(probe),
                 state.at("chosen") == "advised" ? "; it takes the probe's place" : "; the probe stays"));
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw interrupted("while training");
        if (error.kind() != ErrorKind::diverged) throw;
        console.warn(text(recipe.name, ": ", error.what(), "; the probe stays"));
      }
    }
    if (state.at("chosen") == "advised") {
      make_folder(out / "probe");
      for (const char* name : run_files) keep_as(out / name, out / "probe" / name);
    }
    write_json(file, state);
  }
  if (state.at("chosen") == "advised") promote(out);
  return finish(out, state);
}

}  // namespace enxerto::cli
