// enxerto predict: what is in these pictures.
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/model.h"
#include "cli/printable.h"
#include "enxerto/core/error.h"
#include "enxerto/core/pool.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/data/open.h"

namespace enxerto::cli {
namespace {

struct PredictFlags {
  Common common;
  ModelFlags model;
  std::vector<std::string> paths;
  int top = 5, batch = 32;
  bool no_unknown = false;
};

/// A file, or something given that has no files.
struct Picture {
  std::string file, error;  ///< error: why it cannot be read; empty: it can
};

std::vector<Picture> list_all(const std::vector<std::string>& paths) {
  std::vector<Picture> pictures;
  for (const std::string& path : paths) {
    try {
      for (std::string& file : list_pictures(path)) pictures.push_back({std::move(file), ""});
    } catch (const Error& error) {
      pictures.push_back({path, error.what()});
    }
  }
  return pictures;
}

/// Decodes a batch's pictures into its rows, on all threads; those that cannot be read get an error.
void read_batch(std::span<Picture> pictures, const Preprocess& preprocess, Tensor& images) {
  const auto row = static_cast<std::size_t>(preprocess.shape().size());
  parallel_for(std::ssize(pictures), threads(), [&](std::int64_t number) {
    const auto i = static_cast<std::size_t>(number);
    const std::span<float> chw = images.data().subspan(i * row, row);
    try {
      if (pictures[i].error.empty()) preprocess.apply(source_of(pictures[i].file), chw);
    } catch (const Error& error) {
      pictures[i].error = error.what();
    } catch (const std::bad_alloc&) {
      pictures[i].error = text(pictures[i].file, ": there is not enough memory to decode it");
    }
    // An executor is given numbers, whatever the row before held.
    if (!pictures[i].error.empty()) std::ranges::fill(chw, 0.0f);
  });
}

/// Columns of the table for people.
struct Widths {
  std::size_t file = 0, name = 0;
};

/// How many of them, best first, are above one half.
std::size_t count_likely(std::span<const Ranked> ranked) {
  return static_cast<std::size_t>(
      std::ranges::count_if(ranked, [](const Ranked& each) { return each.probability > likely; }));
}

/// All classes are in `ranked`; `top` says how many to list. Of ImageNet's classes WordNet's id is told too,
/// which has no synonyms.
void print_as_json(const Picture& picture, std::span<const Ranked> ranked, std::optional<double> distance,
                   std::size_t top, const Classifier& model) {
  nlohmann::json list = nlohmann::json::array();
  for (const Ranked& each : ranked.first(std::min(top, ranked.size()))) {
    list.push_back({{"class", each.name}, {"probability", each.probability}, {"index", each.index}});
    if (!model.wnids.empty()) list.back()["wnid"] = model.wnids[static_cast<std::size_t>(each.index)];
  }
  nlohmann::json line{{"file", picture.file},
                      {"class", ranked.front().name},
                      {"probability", ranked.front().probability},
                      {"top", std::move(list)}};
  if (model.multi_label) {
    line["labels"] = nlohmann::json::array();
    for (const Ranked& each : ranked.first(count_likely(ranked))) line["labels"].push_back(each.name);
  }
  if (distance) {
    line["unknown"] = model.novelty->is_unknown(*distance);
    line["distance"] = *distance;
  }
  print_json(line);
}

/// "cat 97.2 %, dog 80.1 %".
std::string list(std::span<const Ranked> ranked) {
  std::vector<std::string> parts;
  for (const Ranked& each : ranked) parts.push_back(text(each.name, " ", percent(each.probability)));
  return join(parts, ", ");
}

/// The likeliest class before the others, or that it is none of them; of several labels those above one half
/// before the others.
void print(const Picture& picture, std::span<const Ranked> ranked, bool unknown, std::size_t top,
           const Classifier& model, const Widths& widths) {
  const std::size_t said = unknown ? 0 : model.multi_label ? count_likely(ranked) : 1;
  std::string line = text(pad_right(picture.file, widths.file), "  ");
  if (unknown)
    line += pad_right("unknown", widths.name) + pad_left("", 9);
  else if (!model.multi_label)
    line +=
        text(pad_right(ranked.front().name, widths.name), pad_left(percent(ranked.front().probability), 9));
  else
    line += said ? list(ranked.first(said)) : "none of the classes";
  const std::size_t listed = std::max(said, std::min(top, ranked.size()));
  if (listed > said)
    line += text(model.multi_label ? "   not "
                 : unknown         ? "   if any "
                                   : "   ",
                 list(ranked.subspan(said, listed - said)));
  std::cout << printable(line) << '\n';
}

int run_predict(const PredictFlags& flags) {
  check_at_least("--top", flags.top, 1);
  check_at_least("--batch", flags.batch, 1);
  set_threads(flags.common.threads);
  Classifier model = load_classifier(flags.model);
  if (flags.no_unknown) model.novelty = nullptr;
  std::vector<Picture> pictures = list_all(flags.paths);
  Widths widths;
  for (const Picture& picture : pictures)
    if (picture.error.empty()) widths.file = std::max(widths.file, columns_of(picture.file));
  constexpr std::size_t widest = 30;  // ImageNet's names go on and on
  for (const std::string& name : model.classes)
    widths.name = std::max(widths.name, std::min(columns_of(name), widest));
  if (model.novelty) widths.name = std::max(widths.name, columns_of("unknown"));
  // All of several labels may be likely, however few are listed.
  const auto top = static_cast<std::size_t>(flags.top);
  const int ranked_classes = model.multi_label ? static_cast<int>(model.classes.size()) : flags.top;

  const int batch =
      std::clamp(static_cast<int>(std::min<std::size_t>(pictures.size(), 4096)), 1, flags.batch);
  ModelRunner runner = model.runner(batch);
  Shape shape = model.preprocess.shape();
  shape.n = batch;
  Tensor images(shape);
  bool all_read = true;
  for (std::size_t begin = 0; begin < pictures.size(); begin += static_cast<std::size_t>(batch)) {
    const std::span<Picture> part = std::span(pictures).subspan(
        begin, std::min(pictures.size() - begin, static_cast<std::size_t>(batch)));
    read_batch(part, model.preprocess, images);
    const ConstView outputs = runner.run(images.view(), part.size());
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (part[i].error.empty()) {
        const std::size_t classes = model.classes.size();
        const std::vector<Ranked> ranked =
            rank(model, outputs.data.subspan(i * classes, classes), ranked_classes);
        std::optional<double> distance;
        if (model.novelty) distance = runner.distances()[i];
        if (flags.common.json)
          print_as_json(part[i], ranked, distance, top, model);
        else
          print(part[i], ranked, distance && model.novelty->is_unknown(*distance), top, model, widths);
      } else {
        all_read = false;
        if (flags.common.json) print_json({{"file", part[i].file}, {"error", part[i].error}});
        std::cout << std::flush;
        std::cerr << "enxerto: " << printable(part[i].error) << '\n';
      }
    }
    std::cout << std::flush;
  }
  return all_read ? 0 : 3;
}

}  // namespace

void add_predict(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<PredictFlags>();
  CLI::App* verb = app.add_subcommand("predict", "Say what is in pictures");
  add_model(*verb, flags->model);
  verb->add_option("files", flags->paths, "Pictures, or folders of them")
      ->required()
      ->type_name("FILE_OR_FOLDER");
  verb->add_option("--top", flags->top, "Classes to list for each, the likeliest first")
      ->capture_default_str()
      ->type_name("N");
  verb->add_option("--batch", flags->batch, "Pictures at once")->capture_default_str()->type_name("N");
  verb->add_flag("--no-unknown", flags->no_unknown,
                 "Name a class for every picture, however far it is from all that the model was shown");
  add_threads(*verb, flags->common);
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto predict run holiday.jpg\n"
      "  enxerto predict run/model.safetensors photos --top 3 --json\n"
      "  enxerto predict squeezenet1_0-b66bff10.pth photos\n"
      "A file that cannot be read is named on standard error; the others are still told, and the exit code "
      "is 3.");
  verb->callback([flags, &chosen] { chosen = [flags] { return run_predict(*flags); }; });
}

}  // namespace enxerto::cli
