// enxerto demo: the whole job on pictures that it makes itself.
#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/check.h"
#include "cli/commands.h"
#include "cli/model.h"
#include "cli/numbers.h"
#include "cli/recipe.h"
#include "cli/training.h"
#include "enxerto/core/environment.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/data/shapes.h"
#include "enxerto/image/resize.h"
#include "enxerto/zoo/builtin.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;

struct DemoFlags {
  Common common;
  std::string out;
  std::uint64_t seed = 0;
  int pictures = 1600, epochs = 8;
  bool quiet = false;
};

constexpr int picture_px = 48;

/// The first of enxerto-demo, enxerto-demo-2, ... that is not there yet.
std::string free_folder() {
  std::string name = "enxerto-demo";
  for (int i = 2; fs::exists(name); ++i) name = text("enxerto-demo-", i);
  return name;
}

/// The nearest of the 6x6x6 colours that every colour terminal has.
int colour_of(const std::uint8_t* rgb) {
  const auto level = [](std::uint8_t value) { return (value * 5 + 127) / 255; };
  return 16 + 36 * level(rgb[0]) + 6 * level(rgb[1]) + level(rgb[2]);
}

constexpr int art_columns = 16;

/// A picture as rows of text, art_columns wide: with Unicode two pixels a character, in colour; else one
/// character for what lies under it.
std::vector<std::string> draw_picture(const Image& image, bool unicode) {
  std::vector<std::string> rows;
  if (unicode) {
    const Image small = resize(with_channels(image, 3), art_columns, art_columns);
    for (int y = 0; y < small.height; y += 2) {
      std::string row;
      for (int x = 0; x < small.width; ++x)
        row += text("\x1b[38;5;", colour_of(small.row(y) + 3 * x), ";48;5;",
                    colour_of(small.row(y + 1) + 3 * x), "m▀");
      rows.push_back(row + "\x1b[0m");
    }
  } else {
    constexpr std::string_view ink = " .:-=+*#%@";
    const Image small = resize(with_channels(image, 1), art_columns, art_columns / 2);
    const auto [darkest, lightest] = std::ranges::minmax(small.pixels);
    const int range = std::max(1, lightest - darkest);
    for (int y = 0; y < small.height; ++y) {
      std::string row;
      for (int x = 0; x < small.width; ++x)
        row += ink[static_cast<std::size_t>((small.row(y)[x] - darkest) * 9 / range)];
      rows.push_back(row);
    }
  }
  return rows;
}

struct Shown {
  Sample sample;
  std::string file;
  Ranked guess;
};

/// "cross 97.2 %", with an X where that is wrong.
std::string caption_of(const Shown& shown, const Dataset& test) {
  const std::string& truth = test.classes()[static_cast<std::size_t>(shown.sample.label)];
  return text(shown.guess.name, " ", percent(shown.guess.probability), shown.guess.name == truth ? "" : " X");
}

void print_predictions(const std::vector<Shown>& all, const Dataset& test, Console& console) {
  if (!console.is_terminal()) {
    for (const Shown& each : all) console.line(text(each.file, "  ", caption_of(each, test)));
    return;
  }
  const auto in_a_row = static_cast<std::size_t>(std::max(1, console.width() / (art_columns + 3)));
  for (std::size_t begin = 0; begin < all.size(); begin += in_a_row) {
    std::vector<std::string> lines(art_columns / 2 + 1);
    for (std::size_t i = begin; i < std::min(all.size(), begin + in_a_row); ++i) {
      const std::string space(i == begin ? 0 : 3, ' ');
      const auto rows = draw_picture(all[i].sample.image, console.has_unicode());
      for (std::size_t y = 0; y < rows.size(); ++y) lines[y] += space + rows[y];
      lines.back() += space + pad_right(caption_of(all[i], test), art_columns);
    }
    for (const std::string& line : lines) console.line(line);
    console.line();
  }
}

/// A few pictures of the test split that the network has never seen.
void show_predictions(const fs::path& run, const Dataset& test, Console& console) {
  Classifier model = load_classifier({.path = run.string(), .net = {}, .preprocess = {}});
  ModelRunner runner = model.runner(1);
  Tensor image(model.preprocess.shape());
  std::vector<Shown> all;
  constexpr std::int64_t count = 8;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t index = i * (test.size() - 1) / (count - 1);
    Sample sample = test.get(index);
    model.preprocess.apply(sample.image, image.data());
    const std::vector<Ranked> ranked = rank(model, runner.run(image.view(), 1).data, 1);
    all.push_back({std::move(sample), test.name(index), ranked.front()});
  }
  print_predictions(all, test, console);
}

/// The same pictures once more: the network in the box, frozen, and a head on what it sees. Its result.json.
nlohmann::json graft(const fs::path& run, const DemoFlags& flags, Console& console) {
  SourceFlags source;
  source.data = (run / "data").string();
  source.backbone.model.path =
      environment().cache.empty() ? builtin_file(run).string() : std::string(builtin_name);
  source.check.skip = true;  // the training looked at them
  const Job job = open_job(source, flags.seed, console);
  print_job(job, console);
  Recipe recipe;
  recipe.seed = flags.seed;
  return run_recipe(job, recipe, run / "grafted", console);
}

int run_demo(const DemoFlags& flags) {
  check_at_least("--pictures", flags.pictures, 16);
  check_at_least("--epochs", flags.epochs, 1);
  set_threads(flags.common.threads);
  Console console(flags.common.json ? stderr : stdout, flags.quiet);
  const fs::path out = flags.out.empty() ? free_folder() : flags.out;
  check_is_new(out);

  RunConfig config;
  config.net = "lecture3";
  config.data = fs::absolute(out / "data").lexically_normal().string();
  config.split_seed = flags.seed;
  config.init = "he_normal";
  config.threads = threads();
  config.version = ENXERTO_VERSION;
  config.command = command_line();
  const std::int64_t for_train = flags.pictures, for_val = flags.pictures / 8, for_test = flags.pictures / 4;
  console.line(text("Making ", with_commas(for_train + for_val + for_test),
                    " pictures of crosses and circles in ", (out / "data").string()));
  const Rng rng(flags.seed);
  const auto make = [&](const char* split, std::int64_t count, std::uint64_t place) {
    const auto pictures = make_crosses_and_circles(count, picture_px, rng.at(place), 3);
    write_dataset_as_folder(*pictures, out / "data" / split);
  };
  make("train", for_train, 1);
  make("val", for_val, 2);
  make("test", for_test, 3);
  Splits splits = open_splits(config);
  const auto check = check_data(config.data, {}, {}, splits, console);
  record_data(config, splits);
  TrainConfig& training = config.training;
  training.epochs = flags.epochs;
  training.seed = flags.seed;
  training.preprocess = preprocess_for(config.net, picture_px);
  training.optimizer = Adam{};
  training.schedule.curve = Schedule::Curve::one_cycle;
  training.schedule.base = usual_lr(training.optimizer);
  training.workers = 1;
  config.image = {training.preprocess.channels, picture_px, picture_px};
  Graph graph = start_network(config, nullptr, console);
  RunFolder run = RunFolder::create(out, config);
  if (check) save_check(run.folder(), *check);
  nlohmann::json result = train_run(run, std::move(graph), {}, splits,
                                    {.workers = training.workers, .cache_folder = {}}, console);
  if (flags.common.json) {
    result["grafted"] = graft(out, flags, console);
    print_json(result);
    return 0;
  }
  console.line();
  console.line("Pictures of the test split, what the network takes them for, and how sure it is (X: wrong):");
  console.line();
  show_predictions(out, *splits.test, console);
  print_outcome(result, console);
  console.line();
  console.line("And the same pictures with a network that has learnt to see before, and a new head on it:");
  console.line();
  print_fit(graft(out, flags, console), console);
  console.line(text("Next    enxerto predict ", shell_word(out), " ", shell_word(out / "data" / "test")));
  console.line("        enxerto fit YOUR_PHOTOS --out my_run");
  return 0;
}

}  // namespace

void add_demo(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<DemoFlags>();
  CLI::App* verb = app.add_subcommand("demo", "The whole job on pictures that it makes itself");
  verb->add_option("--out", flags->out, "Folder for the run (enxerto-demo, or enxerto-demo-2 and so on)")
      ->type_name("RUN");
  verb->add_option("--seed", flags->seed, "Of pictures and training")
      ->capture_default_str()
      ->check(seed_number())
      ->type_name("N");
  verb->add_option("--pictures", flags->pictures,
                   "To train with; an eighth more for validation, a quarter for the test")
      ->capture_default_str()
      ->type_name("N");
  verb->add_option("--epochs", flags->epochs, "Times through them")->capture_default_str()->type_name("N");
  add_threads(*verb, flags->common);
  verb->add_flag("--quiet", flags->quiet, "Print nothing but errors");
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto demo\n"
      "  enxerto demo --out first-run --seed 7");
  verb->callback([flags, &chosen] { chosen = [flags] { return run_demo(*flags); }; });
}

}  // namespace enxerto::cli
