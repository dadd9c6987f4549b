// enxerto preview: a batch as the network gets it in training, as a picture.
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/augment_flags.h"
#include "cli/check.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/numbers.h"
#include "cli/picture_flags.h"
#include "cli/printable.h"
#include "cli/training.h"
#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/data/loader.h"
#include "enxerto/data/preprocess_view.h"
#include "enxerto/image/contact_sheet.h"
#include "enxerto/image/encode.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int most_pictures = 1024;
constexpr std::int64_t most_pixels = std::int64_t{1} << 26;

struct PreviewFlags {
  Common common;
  AugmentFlags augment;
  PictureFlags pictures;
  std::string source, out, net, preprocess;
  int size = 0, count = 32, epoch = 1;
  std::optional<int> batch;
  std::optional<std::uint64_t> seed;
};

/// What is shown: the pictures of a run as it trains, or of data as a run with these flags would.
struct Source {
  std::shared_ptr<const Dataset> data;
  LoaderConfig loader;
};

bool is_run(const fs::path& path) { return fs::is_regular_file(path / "config.json"); }

Source source_of_run(const PreviewFlags& flags) {
  if (!(flags.net + flags.preprocess).empty() || flags.pictures.any())
    throw Error(ErrorKind::usage, text(flags.source,
                                       ": is a run, which has its own preprocessing; leave out --net, "
                                       "--preprocess, --fit, --filter and --decode"));
  const RunConfig run = load_run_config(flags.source);
  Source source{.data = leave_out_as_in(flags.source, open_splits(run)).train, .loader = {}};
  source.loader.batch = run.training.batch;
  source.loader.seed = run.training.seed;
  source.loader.preprocess = run.training.preprocess;
  source.loader.augment = augment_of(flags.augment, run.training.augment);
  if (flags.size) source.loader.preprocess.height = source.loader.preprocess.width = flags.size;
  return source;
}

Source source_of_data(const PreviewFlags& flags) {
  if (!flags.net.empty() && !flags.preprocess.empty())
    throw Error(ErrorKind::usage, "--net and --preprocess both say how pictures are prepared; leave out one");
  Source source{.data = open_data(flags.source).train, .loader = {}};
  constexpr int usual_size = 96;
  const int size = flags.size ? flags.size : usual_size;
  source.loader.preprocess = flags.net.empty() ? Preprocess::of(Normalization::unit, size, size)
                                               : preprocess_for(flags.net, flags.size);
  if (!flags.preprocess.empty())
    source.loader.preprocess = Preprocess::of(parse_normalization(flags.preprocess), size, size);
  flags.pictures.apply(source.loader.preprocess);
  source.loader.batch = flags.count;
  source.loader.augment = augment_of(flags.augment);
  return source;
}

Json json_of_picture(const Dataset& data, const Batch& batch, std::size_t row) {
  const std::span<const std::string> classes = data.classes();
  const auto name_of = [&](std::int32_t label) {
    return label == unlabelled ? Json() : Json(classes[static_cast<std::size_t>(label)]);
  };
  Json picture = {{"file", data.name(batch.indices[row])}, {"class", name_of(batch.labels[row])}};
  if (batch.targets.empty()) return picture;
  picture["shares"] = Json::array();
  const std::span<const float> shares = batch.targets.data().subspan(row * classes.size(), classes.size());
  for (std::size_t c = 0; c < classes.size(); ++c)
    if (shares[c] > 0) picture["shares"].push_back({{"class", classes[c]}, {"share", shares[c]}});
  return picture;
}

std::string format_classes(const Json& picture) {
  if (!picture.contains("shares"))
    return picture["class"].is_null() ? "no class" : picture["class"].get<std::string>();
  std::vector<std::string> parts;
  for (const Json& each : picture["shares"])
    parts.push_back(text(each["class"].get<std::string>(), " ", fixed(each["share"].get<double>(), 2)));
  return parts.empty() ? "no class" : join(parts, ", ");
}

void print_table(const Json& pictures) {
  std::size_t width = 0;
  for (const Json& each : pictures) width = std::max(width, columns_of(each["file"].get<std::string>()));
  for (std::size_t i = 0; i < pictures.size(); ++i)
    std::cout << printable(text(pad_left(text(i + 1), 4), "  ",
                                pad_right(pictures[i]["file"].get<std::string>(), width), "  ",
                                format_classes(pictures[i])))
              << '\n';
}

void check_flags(const PreviewFlags& flags) {
  check_at_least("--count", flags.count, 1);
  if (flags.count > most_pictures)
    throw Error(ErrorKind::usage, text("--count: at most ", most_pictures, ", not ", flags.count));
  if (flags.size != 0) check_at_least("--size", flags.size, 1);
  check_at_least("--epoch", flags.epoch, 1);
  if (flags.batch) check_at_least("--batch", *flags.batch, 1);
  if (fs::is_directory(flags.out))
    throw Error(ErrorKind::usage, text(flags.out, ": is a folder; --out is a PNG file"));
}

int run_preview(const PreviewFlags& flags) {
  check_flags(flags);
  Source source = is_run(flags.source) ? source_of_run(flags) : source_of_data(flags);
  LoaderConfig& loader_config = source.loader;
  loader_config.batch = flags.batch.value_or(loader_config.batch);
  loader_config.batch = static_cast<int>(std::min<std::int64_t>(loader_config.batch, source.data->size()));
  loader_config.seed = flags.seed.value_or(loader_config.seed);
  loader_config.shuffle = true;  // from here on as train() has it
  loader_config.drop_last = true;
  loader_config.cache_bytes = 0;
  const Preprocess& preprocess = loader_config.preprocess;
  preprocess.check();
  const auto picture_size = static_cast<std::size_t>(preprocess.shape().size());
  if (std::int64_t{preprocess.height} * preprocess.width * std::max(flags.count, loader_config.batch) >
      most_pixels)
    throw Error(ErrorKind::usage, text("so many pictures of ", preprocess.width, "x", preprocess.height,
                                       " are too many for one; give a smaller --count, --batch or --size"));

  Loader loader(*source.data, loader_config);
  loader.start(flags.epoch);
  std::vector<Image> shown;
  Json pictures = Json::array();
  const auto wanted = static_cast<std::size_t>(flags.count);
  for (Batch batch; shown.size() < wanted && loader.next(batch);)
    for (std::size_t row = 0; row < batch.labels.size() && shown.size() < wanted; ++row) {
      shown.push_back(
          unnormalized(preprocess, batch.images.data().subspan(row * picture_size, picture_size)));
      pictures.push_back(json_of_picture(*source.data, batch, row));
    }

  const int columns = sheet_columns(shown.size(), preprocess.width, preprocess.height);
  save_png(flags.out, contact_sheet(shown, columns));
  if (flags.common.json) {
    print_json({{"out", flags.out},
                {"columns", columns},
                {"epoch", flags.epoch},
                {"seed", loader_config.seed},
                {"batch", loader_config.batch},
                {"preprocess", preprocess.to_json()},
                {"augment", loader_config.augment.to_json()},
                {"pictures", pictures}});
    return 0;
  }
  print_table(pictures);
  std::cout << flags.out << ": " << shown.size() << " pictures, " << columns << " in a row, each "
            << format_preprocess(preprocess) << "\nAugmentation: " << format_augment(loader_config.augment)
            << "; epoch " << flags.epoch << ", seed " << loader_config.seed << ", batches of "
            << loader_config.batch << '\n';
  return 0;
}

}  // namespace

void add_preview(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<PreviewFlags>();
  CLI::App* verb = app.add_subcommand("preview", "Show a batch as the network gets it in training");
  verb->add_option("source", flags->source,
                   "Data as train takes it, or a run folder: its data, preprocessing and augmentation")
      ->required()
      ->type_name("DATA_or_RUN");
  verb->add_option("--out", flags->out, "Picture file to write")->required()->type_name("FILE.png");
  verb->add_option("--count", flags->count, "Pictures to show")->capture_default_str()->type_name("N");
  verb->add_option("--epoch", flags->epoch, "Of the training, from 1")->capture_default_str()->type_name("N");
  verb->add_option("--seed", flags->seed, "Of order and augmentation (the run's, or 0)")
      ->check(seed_number())
      ->type_name("N");
  verb->add_option("--batch", flags->batch, "Pictures that are mixed with each other (the run's, or --count)")
      ->type_name("N");
  verb->add_option("--net", flags->net, "Prepared as this net of the zoo wants it")->type_name("NAME");
  verb->add_option("--preprocess", flags->preprocess,
                   "Prepared by this convention: " + join(normalization_names(), ", "))
      ->check(CLI::IsMember(normalization_names()))
      ->type_name("NAME");
  verb->add_option("--size", flags->size,
                   "Sides of the network's input (the run's; the net's, 96 at most; 96)")
      ->type_name("PIXELS");
  add_picture_flags(*verb, flags->pictures);
  add_augment_flags(*verb, flags->augment);
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto preview photos --augment --out sheet.png\n"
      "  enxerto preview photos --policy trivial --cutmix 1 --count 16 --size 128 --out sheet.png\n"
      "  enxerto preview run --epoch 3 --out sheet.png");
  verb->callback([flags, &chosen] { chosen = [flags] { return run_preview(*flags); }; });
}

}  // namespace enxerto::cli
