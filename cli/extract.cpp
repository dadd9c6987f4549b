// enxerto extract: what a frozen network makes of pictures, as rows of numbers.
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/backbone.h"
#include "cli/check.h"
#include "cli/commands.h"
#include "cli/numbers.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/transfer/export.h"

namespace enxerto::cli {
namespace {

struct ExtractFlags {
  Common common;
  BackboneFlags backbone;
  CacheFlags cache;
  CheckFlags check{.allow_leaks = true};
  std::string data, split = "all", out, labels;
  int workers = 1, batch = 32;
};

std::shared_ptr<const Dataset> choose(const std::string& data, const std::string& split,
                                      const Splits& splits) {
  if (split == "all") return joined(splits);
  const auto& chosen = split == "train" ? splits.train : split == "val" ? splits.val : splits.test;
  if (!chosen)
    throw Error(ErrorKind::not_found,
                text(data, ": has no ", split, " split; choose another --split, or all"));
  return chosen;
}

int run_extract(const ExtractFlags& flags) {
  if (flags.out.empty())
    throw Error(ErrorKind::usage, "--out is missing: where the features go; see `enxerto extract --help`");
  check_feature_ending(flags.out);
  if (!flags.labels.empty() && std::filesystem::path(flags.labels).extension() != ".npy")
    throw Error(ErrorKind::usage, text("--labels: a name that ends in .npy, not ", flags.labels));
  if (!flags.labels.empty()) check_another_file("--labels", flags.labels, flags.out);
  for (const auto& [flag, file] : {std::pair("--out", &flags.out), {"--labels", &flags.labels}}) {
    if (file->empty()) continue;
    check_file_to_write(flag, *file);
    check_another_file(flag, *file, flags.data);
  }
  check_at_least("--workers", flags.workers, 0);
  check_at_least("--batch", flags.batch, 1);
  set_threads(flags.common.threads);
  Console console(flags.common.json ? stderr : stdout);
  const double began = now_seconds();
  const Backbone backbone = load_backbone(flags.backbone);
  check_another_file("--out", flags.out, find_model(backbone.file));
  Splits splits = open_data(flags.data, {.classes = {}, .for_training = false});
  for (const std::string& note : splits.notes) console.line(note);
  check_data(flags.data, {}, flags.check, splits, console);
  const auto data = choose(flags.data, flags.split, splits);
  if (data->size() == 0) throw Error(ErrorKind::not_found, text(flags.data, ": there are no pictures in it"));

  const Prefix prefix{.graph = features_of(backbone.graph, backbone.cut),
                      .preprocess = backbone.preprocess,
                      .batch = flags.batch,
                      .half = flags.cache.half,
                      .bf16 = flags.cache.bf16};
  const std::int64_t columns = prefix.row_size();
  console.line(text(with_commas(data->size()), " pictures, ", with_commas(columns),
                    " features of each after \"", backbone.cut.layer, "\"",
                    backbone.cut.pool ? ", pooled: " : ": ",
                    human_bytes(static_cast<double>(feature_bytes(prefix, data->size(), 1)))));
  FeatureOptions options = feature_options(flags.cache, flags.workers, "features", console);
  // All of it goes into the file that is written, and there has to be room for that.
  options.memory_bytes = std::max(options.memory_bytes, feature_bytes(prefix, data->size(), 1));
  const Features features = compute_features(prefix, *data, options);
  if (const std::string note = features.note(); !note.empty()) console.warn(note);
  Tensor room;
  ConstView rows = features.matrix(1, room);
  rows.shape = {.n = rows.shape.n, .c = columns};
  save_features(flags.out, rows, *data);
  if (!flags.labels.empty()) save_label_file(flags.labels, *data);

  const double seconds = now_seconds() - began;
  if (flags.common.json) {
    nlohmann::json json{{"out", flags.out},
                        {"n", data->size()},
                        {"features", columns},
                        {"cut", backbone.cut.layer},
                        {"pooled", backbone.cut.pool},
                        {"classes", std::vector<std::string>(data->classes().begin(), data->classes().end())},
                        {"split", flags.split},
                        {"computed", features.computed()},
                        {"preprocess", backbone.preprocess.to_json()},
                        {"seconds", seconds}};
    if (!flags.labels.empty()) json["labels"] = flags.labels;
    print_json(json);
    return 0;
  }
  console.line(text(with_commas(features.computed()), " rows computed, ",
                    with_commas(data->size() - features.computed()), " found again, ",
                    human_seconds(seconds)));
  console.line(
      text(flags.out, ": {", data->size(), ", ", columns, "}, in the order train, val, test, by path"));
  if (!flags.labels.empty()) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < data->classes().size(); ++i)
      names.push_back(text(i, " ", data->classes()[i]));
    console.line(text(flags.labels, ": ", join(names, ", ")));
  }
  return 0;
}

}  // namespace

void add_extract(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<ExtractFlags>();
  CLI::App* verb =
      app.add_subcommand("extract", "Write what a frozen network makes of pictures, as rows of features");
  verb->add_option("data", flags->data, "Data as `enxerto train` takes them")->required()->type_name("DATA");
  add_backbone_flags(*verb, flags->backbone);
  verb->add_option("--out", flags->out, "The features: .npy, .csv, .safetensors, .svm or .libsvm")
      ->type_name("FEATURES.npy");
  verb->add_option("--labels", flags->labels, "The labels, int64, by the classes' order")
      ->type_name("LABELS.npy");
  verb->add_option("--split", flags->split, "train, val, test or all")
      ->capture_default_str()
      ->check(CLI::IsMember({"train", "val", "test", "all"}))
      ->type_name("NAME");
  add_cache_flags(*verb, flags->cache);
  verb->add_option("--max-unreadable", flags->check.max_unreadable,
                   "Up to this proportion of pictures that cannot be read is left out")
      ->capture_default_str()
      ->check(number_from(0.0, 1.0))
      ->type_name("X");
  verb->add_option("--batch", flags->batch, "Pictures at once")->capture_default_str()->type_name("N");
  add_workers(*verb, flags->workers);
  add_threads(*verb, flags->common);
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto extract photos --weights mobilenet_v2.onnx --out x.npy --labels y.npy\n"
      "  enxerto extract photos --weights vgg16.h5 --cut block5_pool --split train --out train.svm\n"
      "  enxerto extract photos --weights resnet50 --cut layer3 --pool --out x.csv");
  verb->callback([flags, &chosen] { chosen = [flags] { return run_extract(*flags); }; });
}

}  // namespace enxerto::cli
