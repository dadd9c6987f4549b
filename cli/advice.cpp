#include "cli/advice.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "cli/commands.h"
#include "cli/numbers.h"
#include "cli/progress.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"

namespace enxerto::cli {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t depth_pictures = 1000;     ///< of training, for probes at several depths
constexpr std::int64_t pilot_val_pictures = 400;  ///< that judge a pilot
constexpr std::int64_t least_pilot_pictures = 64;
constexpr int pilot_epochs = 4;

/// Sums up how long epochs took.
class Stopwatch final : public Observer {
 public:
  bool on_epoch(const EpochReport& report, const Graph&, const TrainState&) override {
    seconds_ += report.seconds;
    return true;
  }
  double seconds() const { return seconds_; }

 private:
  double seconds_ = 0;
};

/// What advice is made of, gathered step by step.
class Adviser {
 public:
  Adviser(const Job& job, const Recipe& usual, const AdviceOptions& options, Console& console)
      : job_(job), usual_(usual), options_(options), console_(console) {
    if (job.splits.train->multi_label())
      throw Error(ErrorKind::unsupported,
                  text(job.source.data,
                       ": its pictures may have several labels; advice is for one each; "
                       "`enxerto fit --recipe warmup+finetune` takes them"));
    if (!job.splits.val)
      throw Error(ErrorKind::usage,
                  "--val-fraction: advice needs validation pictures, which it is judged by");
  }

  Advice make() {
    began_ = now_seconds();
    look_at_depths();
    draw_curve();
    measure_speed();
    choices_.push_back(choice_of_probe());
    for (const std::string& recipe : advised_recipes())
      if (recipe != "probe") try_out(recipe);
    return decide();
  }

 private:
  std::int64_t count() const { return job_.splits.train->size(); }
  std::int64_t val_count() const { return job_.splits.val->size(); }
  int classes() const { return static_cast<int>(job_.config.classes.size()); }

  void look_at_depths() {
    const Subset train(job_.splits.train, stratified_part(*job_.splits.train, depth_pictures, usual_.seed));
    const Dataset& val = *job_.splits.val;
    const std::vector<Cut> cuts = depth_cuts(job_.backbone.graph, job_.backbone.cut, 4);
    Json rows = Json::array();
    for (const Cut& cut : cuts) {
      const Features train_rows = features_at(job_, cut, train, text("features of ", cut.layer), console_);
      const Features val_rows = features_at(job_, cut, val, text("features of ", cut.layer), console_);
      depths_.push_back(probe_depth(cut, train_rows, train, val_rows, val, head_));
      const DepthProbe& made = depths_.back();
      const Accuracy top1 = made.top1();
      rows.push_back({{"layer", cut.layer},
                      {"pooled", cut.pool},
                      {"features", made.features},
                      {"logme", made.logme},
                      {"top1", top1.mean},
                      {"top1_interval", interval_json(top1.interval)}});
    }
    best_ = best_depth(depths_);
    json_["depths"] = {
        {"pictures", train.size()}, {"probes", std::move(rows)}, {"best", depths_[best_].cut.layer}};
  }

  /// At the depth that was found best, with all pictures.
  void draw_curve() {
    const Cut& cut = depths_[best_].cut;
    const Dataset &train = *job_.splits.train, &val = *job_.splits.val;
    const Features train_rows = features_at(job_, cut, train, "features of train", console_);
    const Features val_rows = features_at(job_, cut, val, "features of val", console_);
    probe_ = probe_depth(cut, train_rows, train, val_rows, val, head_);
    const std::array<double, 3> shares{0.25, 0.5, 1};
    curve_ = learning_curve(train_rows, train, val_rows, val, probe_.head, shares, 3, usual_.seed);
    Json points = Json::array();
    for (const CurvePoint& point : curve_)
      points.push_back({{"share", point.share},
                        {"pictures", point.pictures},
                        {"top1", point.mean()},
                        {"draws", point.top1}});
    const auto twice = top1_of_twice(curve_, val_count());
    json_["learning_curve"] = {{"points", std::move(points)},
                               {"top1_of_twice", twice ? Json(*twice) : Json()}};
  }

  /// Seconds for a picture's way to the features, decoding included: the second half of some pictures, so
  /// that making the program does not count.
  void measure_speed() {
    const Subset some(job_.splits.train, stratified_part(*job_.splits.train, 64, usual_.seed));
    const Prefix prefix = prefix_at(job_, depths_.back().cut);
    FeatureOptions options;
    options.workers = job_.source.workers;
    options.stop = &catch_interrupts();
    const std::int64_t pictures = some.size();
    double half_way = 0, done_then = 0;
    options.on_progress = [&](std::int64_t done, std::int64_t) {
      if (half_way == 0 && 2 * done >= pictures) {
        half_way = now_seconds();
        done_then = static_cast<double>(done);
      }
    };
    const double began = now_seconds();
    compute_features(prefix, some, options);
    const double ended = now_seconds(), all = static_cast<double>(pictures);
    forward_ =
        done_then < all && half_way > 0 ? (ended - half_way) / (all - done_then) : (ended - began) / all;
    json_["pictures_per_second"] = 1 / forward_;
  }

  double seconds_of_probe() const {
    return forward_ * static_cast<double>(count() + val_count()) + probe_.seconds;
  }

  Choice choice_of_probe() const {
    const Accuracy top1 = probe_.top1();
    return {.recipe = "probe",
            .cut = probe_.cut,
            .top1 = top1.mean,
            .interval = top1.interval,
            .seconds = seconds_of_probe()};
  }

  /// A pilot of the recipe on as many pictures as there is time for.
  void try_out(const std::string& name) {
    const auto pass_over = [&](const std::string& why) {
      json_["pilots"].push_back({{"recipe", name}, {"skipped", why}});
    };
    if (options_.pilot_seconds <= 0) return pass_over("--pilot 0");
    Recipe recipe = usual_;
    recipe.name = name;
    recipe.epochs = pilot_epochs;
    recipe.plain = true;
    recipe.augment = {};
    recipe.patience = 0;
    // A picture goes forward once for each phase, or forward and back (three times the work) in each epoch.
    const double passes = name == "finetune" ? 3.0 * pilot_epochs : 1 + recipe.stages + 1.5 * pilot_epochs;
    const auto judges = std::min(val_count(), pilot_val_pictures);
    const double seconds_for_judges =
        static_cast<double>(judges) * forward_ * (name == "finetune" ? pilot_epochs : 3);
    const auto affordable =
        static_cast<std::int64_t>((options_.pilot_seconds - seconds_for_judges) / (forward_ * passes));
    if (affordable < std::min(count(), least_pilot_pictures))
      return pass_over(text("it would take more than the ", human_seconds(options_.pilot_seconds),
                            " that --pilot allows"));
    const auto pilot_of = [&](std::int64_t pictures) {
      const Job part = part_of(job_, stratified_part(*job_.splits.train, pictures, usual_.seed),
                               stratified_part(*job_.splits.val, judges, usual_.seed));
      console_.line(text("Pilot of ", name, ": ", pilot_epochs, " epochs with ",
                         with_commas(part.splits.train->size()), " pictures"));
      return run_pilot(part, recipe);
    };
    Pilot pilot = pilot_of(std::min(affordable, count()));
    // That was cautious: it takes a picture to be read and decoded each time. What time is left serves a
    // larger one.
    const auto more = static_cast<std::int64_t>((options_.pilot_seconds / pilot.seconds - 1) *
                                                static_cast<double>(pilot.pictures));
    if (pilot.pictures < count() && more >= 2 * pilot.pictures) pilot = pilot_of(std::min(more, count()));
    const Contrast gain = pilot.gain();
    json_["pilots"].push_back({{"recipe", name},
                               {"pictures", pilot.pictures},
                               {"val_pictures", pilot.val_pictures},
                               {"epochs", pilot.epochs},
                               {"probe_top1", accuracy_of({pilot.probe_right}).mean},
                               {"top1", accuracy_of({pilot.tuned_right}).mean},
                               {"gain", gain.difference},
                               {"gain_interval", interval_json(gain.interval)},
                               {"p", gain.p},
                               {"seconds", pilot.seconds}});
    add_choice(name, gain);
  }

  Pilot run_pilot(const Job& part, const Recipe& recipe) {
    const Dataset &train = *part.splits.train, &val = *part.splits.val;
    const Cut& cut = part.backbone.cut;
    // What was chosen for this cut: another one's columns want another C.
    const HeadConfig& head = cut == probe_.cut ? probe_.head : depths_.back().head;
    const DepthProbe probe = probe_depth(cut, features_at(part, cut, train, "features", console_), train,
                                         features_at(part, cut, val, "features", console_), val, head);
    Pilot pilot{.recipe = recipe.name,
                .pictures = train.size(),
                .val_pictures = val.size(),
                .epochs = recipe.epochs,
                .probe_right = probe.right,
                .tuned_right = {}};
    Tuning tuning = plan_tuning(part, recipe, console_);
    // Nothing is found again, so that the time is the whole of it.
    FeatureOptions features = feature_options(part.source.cache, part.source.workers, "features", console_);
    features.folder.clear();
    TuneConfig config = tune_config_of(tuning.config, std::move(features));
    // The pictures that judge it do not choose its epoch too.
    config.training.metric = Metric::train_loss;
    Stopwatch epochs;
    Progress progress(console_, recipe.name + " ");
    const std::array<Observer*, 2> observers{&epochs, &progress};
    const double began = now_seconds();
    tune(tuning.graph, train, &val, config, observers, {}, &catch_interrupts());
    pilot.seconds = now_seconds() - began;
    epoch_seconds_ = epochs.seconds() / pilot.epochs / static_cast<double>(train.size());
    phases_ = static_cast<double>(config.phases.size());
    evaluate(tuning.graph, val, part.backbone.preprocess, recipe.batch, part.source.workers,
             {.on_outputs =
                  [&](std::int64_t, std::int32_t label, std::span<const float> outputs) {
                    if (label != unlabelled) pilot.tuned_right.push_back(rank_of(outputs, label) == 0);
                  },
              .stop = &catch_interrupts()});
    return pilot;
  }

  /// What the recipe should bring with all pictures, and what it takes: an epoch as in the pilot, and the
  /// features of each phase, of all the views that are kept.
  void add_choice(const std::string& name, const Contrast& gain) {
    const Choice& probe = choices_.front();
    Choice choice{.recipe = name, .cut = job_.backbone.cut};
    add_gain(gain, depths_, probe, choice);
    const auto n = static_cast<double>(count()), all = static_cast<double>(count() + val_count());
    double before = 0;
    if (name == "warmup+finetune") {
      const double views = usual_.plain ? 1 : std::max(usual_.views, 1);
      before = seconds_of_probe() + forward_ * phases_ * (n * views + static_cast<double>(val_count()));
    }
    const double epoch = epoch_seconds_ * n;
    int epochs = usual_.epochs;
    const double left = options_.budget_seconds - before - forward_ * all;
    if (options_.budget_seconds > 0 && epoch * epochs > left)
      epochs = static_cast<int>(std::max(0.0, left / epoch));
    epochs_[name] = epochs;
    choice.seconds = before + epoch * std::max(epochs, 1) + forward_ * all;
    // Fewer epochs than the pilot had are no training.
    if (epochs < pilot_epochs) {
      json_["pilots"].back()["too_long"] = true;
      choice.seconds = before + epoch * usual_.epochs + forward_ * all;
      epochs_[name] = usual_.epochs;
    }
    choices_.push_back(choice);
  }

  Advice decide() {
    const Quadrant quadrant = quadrant_of(count(), depths_, classes());
    const std::size_t best = recommended(choices_, options_.budget_seconds);
    json_["pictures"] = count();
    json_["val_pictures"] = val_count();
    json_["classes"] = classes();
    json_["quadrant"] = {{"large", quadrant.large},
                         {"similar", quadrant.similar},
                         {"rule_of_thumb", quadrant.rule_of_thumb()}};
    json_["choices"] = Json::array();
    for (const Choice& choice : choices_) {
      Json row{{"recipe", choice.recipe},
               {"cut", choice.cut.layer},
               {"pooled", choice.cut.pool},
               {"top1", choice.top1},
               {"top1_interval", interval_json(choice.interval)},
               {"gain", choice.gain},
               {"gain_error", choice.gain_error},
               {"minutes", choice.seconds / 60}};
      if (choice.recipe != "probe") row["epochs"] = epochs_.at(choice.recipe);
      if (options_.price_per_hour) row["money"] = choice.seconds / 3600 * *options_.price_per_hour;
      json_["choices"].push_back(std::move(row));
    }
    const Choice& chosen = choices_[best];
    Advice made{.json = {}, .recipe = usual_, .cut = chosen.cut, .seconds = chosen.seconds};
    made.recipe.name = chosen.recipe;
    if (chosen.recipe != "probe") made.recipe.epochs = epochs_.at(chosen.recipe);
    json_["recommended"] = {{"recipe", chosen.recipe}, {"command", command_for(chosen)}};
    if (options_.budget_seconds > 0) json_["budget_minutes"] = options_.budget_seconds / 60;
    json_["measuring_seconds"] = now_seconds() - began_;
    made.json = std::move(json_);
    return made;
  }

  /// With the flags that it was measured with, but for those that the recipe does not heed.
  std::string command_for(const Choice& choice) const {
    std::set<std::string> left_out{"--weights", "--recipe", "--epochs", "--out",  "--budget",
                                   "--pilot",   "--price",  "--quiet",  "--json", "--resume"};
    left_out.merge(std::set<std::string>(flags_without_meaning(choice.recipe)));
    if (choice.recipe == "probe")
      for (const auto& [flag, why] : unheeded_by_probe(usual_)) left_out.insert(flag);
    std::string command = text("enxerto fit ", shell_word(job_.source.data), " --weights ",
                               shell_word(job_.source.backbone.model.path), " --recipe ", choice.recipe);
    if (!(choice.cut == job_.backbone.cut)) {
      left_out.insert({"--cut", "--pool"});
      command += text(" --cut ", shell_word(choice.cut.layer), choice.cut.pool ? " --pool" : "");
    }
    if (choice.recipe != "probe" && epochs_.at(choice.recipe) != Recipe{}.epochs)
      command += text(" --epochs ", epochs_.at(choice.recipe));
    for (const GivenFlag& flag : options_.given) {
      if (left_out.contains(flag.name)) continue;
      command += text(" ", flag.name);
      for (const std::string& value : flag.values) command += text(" ", shell_word(value));
    }
    return command + " --out run";
  }

  const Job& job_;
  const Recipe& usual_;
  const AdviceOptions& options_;
  Console& console_;
  HeadConfig head_ = head_of_recipe(usual_);
  double began_ = 0;
  Json json_{{"pilots", Json::array()}};
  std::vector<DepthProbe> depths_;
  std::size_t best_ = 0;
  std::vector<CurvePoint> curve_;
  DepthProbe probe_;
  double forward_ = 0;                     ///< seconds a picture, to the features
  double epoch_seconds_ = 0, phases_ = 1;  ///< of the last pilot: seconds a picture and epoch
  std::map<std::string, int> epochs_;
  std::vector<Choice> choices_;
};

std::string format_interval(const Json& interval) {
  return text(fixed(100 * interval.at(0).get<double>(), 1), " to ", percent(interval.at(1).get<double>()));
}

void print_depths(const Json& depths, Console& console) {
  std::size_t width = 5;
  for (const Json& each : depths.at("probes"))
    width = std::max(width, columns_of(each.at("layer").get<std::string>()));
  console.line();
  console.line(text("Where to cut: probes with ", with_commas(depths.at("pictures").get<std::int64_t>()),
                    " pictures"));
  console.line(console.bold(text(pad_right("after", width), "  features   LogME    top-1   95 % interval")));
  for (const Json& each : depths.at("probes"))
    console.line(text(pad_right(each.at("layer").get<std::string>(), width),
                      pad_left(with_commas(each.at("features").get<std::int64_t>()), 10),
                      pad_left(fixed(each.at("logme").get<double>(), 3), 8),
                      pad_left(percent(each.at("top1").get<double>()), 9), "   ",
                      format_interval(each.at("top1_interval")),
                      each.at("layer") == depths.at("best") ? "   <- the best" : ""));
}

void print_curve(const Json& curve, Console& console) {
  console.line();
  console.line("What more pictures bring: a probe's validation accuracy");
  for (const Json& point : curve.at("points"))
    console.line(text(pad_left(with_commas(point.at("pictures").get<std::int64_t>()), 9), " pictures",
                      pad_left(percent(point.at("top1").get<double>()), 9)));
  if (!curve.at("top1_of_twice").is_null())
    console.line(
        text("  twice as many, by the trend", pad_left(percent(curve.at("top1_of_twice").get<double>()), 9)));
}

}  // namespace

void keep_within(double budget_seconds, AdviceOptions& options) {
  const bool was_said =
      std::ranges::any_of(options.given, [](const GivenFlag& flag) { return flag.name == "--pilot"; });
  if (budget_seconds > 0 && !was_said)
    options.pilot_seconds = std::min(options.pilot_seconds, pilot_share * budget_seconds);
}

void add_advice_flags(CLI::App& verb, AdviceOptions& options) {
  verb.add_option_function<double>(
          "--budget", [&options](double minutes) { options.budget_seconds = 60 * minutes; },
          "Minutes that all of it may take")
      ->check(number_from(0.0, 1e6))
      ->type_name("MINUTES");
  verb.add_option_function<double>(
          "--pilot", [&options](double minutes) { options.pilot_seconds = 60 * minutes; },
          "Minutes for each short trial of a recipe; 0: no trials (1)")
      ->check(number_from(0.0, 1e6))
      ->type_name("MINUTES");
}

Advice advise(const Job& job, const Recipe& usual, const AdviceOptions& options, Console& console) {
  return Adviser(job, usual, options, console).make();
}

void print_advice(const Json& advice, Console& console) {
  print_depths(advice.at("depths"), console);
  print_curve(advice.at("learning_curve"), console);
  const Json& quadrant = advice.at("quadrant");
  console.line();
  console.line(text("Your data: ", quadrant.at("large").get<bool>() ? "large" : "small", " (",
                    with_commas(advice.at("pictures").get<std::int64_t>()), " pictures), ",
                    quadrant.at("similar").get<bool>() ? "similar to" : "different from",
                    " what the backbone knows; the rule of thumb says ",
                    quadrant.at("rule_of_thumb").get<std::string>()));
  for (const Json& pilot : advice.at("pilots"))
    console.line(pilot.contains("skipped")
                     ? text("No pilot of ", pilot.at("recipe").get<std::string>(), ": ",
                            pilot.at("skipped").get<std::string>())
                     : text("Pilot of ", pilot.at("recipe").get<std::string>(), ", ",
                            pilot.at("pictures").get<std::int64_t>(), " pictures, ",
                            pilot.at("epochs").get<int>(),
                            " epochs: ", percent(pilot.at("top1").get<double>()), ", a probe on the same ",
                            percent(pilot.at("probe_top1").get<double>())));
  console.line();
  const bool priced = advice.at("choices").front().contains("money");
  console.line(
      console.bold(text(pad_right("recipe", 17), "expected   95 % interval     over the probe     minutes",
                        priced ? "     money" : "")));
  for (const Json& choice : advice.at("choices")) {
    const bool probe = choice.at("recipe") == "probe";
    std::string line =
        text(pad_right(choice.at("recipe").get<std::string>(), 17),
             pad_left(percent(choice.at("top1").get<double>()), 8), "   ",
             pad_right(format_interval(choice.at("top1_interval")), 17),
             pad_right(probe ? ""
                             : text(points(choice.at("gain").get<double>()), " ± ",
                                    fixed(196 * choice.at("gain_error").get<double>(), 1), " points"),
                       18),
             pad_left(fixed(choice.at("minutes").get<double>(), 1), 8));
    if (priced) line += pad_left(fixed(choice.at("money").get<double>(), 2), 10);
    if (!probe && choice.at("epochs").get<int>() != Recipe{}.epochs)
      line += text("   (", choice.at("epochs").get<int>(), " epochs)");
    console.line(line);
  }
  console.line();
  console.line(text("Take ", console.bold(advice.at("recommended").at("recipe").get<std::string>()), ":"));
  console.line(text("  ", advice.at("recommended").at("command").get<std::string>()));
}

}  // namespace enxerto::cli
