#include "cli/job.h"

#include <filesystem>

#include "cli/commands.h"
#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;

std::int64_t count_of(const std::shared_ptr<const Dataset>& data) { return data ? data->size() : 0; }

}  // namespace

Job open_job(const SourceFlags& source, std::uint64_t split_seed, Console& console) {
  Backbone backbone = load_backbone(source.backbone);
  Job job{.source = source,
          .config = {},
          .splits = {},
          .backbone = std::move(backbone),
          .start = {},
          .check = {}};
  job.source.backbone.model.path = job.backbone.file;
  RunConfig& config = job.config;
  config.net = job.backbone.net;
  config.val_fraction = source.val_fraction;
  config.test_fraction = source.test_fraction;
  config.split_seed = split_seed;
  config.val_as_test = source.val_as_test;
  config.weights = fs::absolute(find_model(job.backbone.file)).lexically_normal().string();
  config.init = "he_normal";
  NewData opened = open_new_data(config, source.data, source.check, console);
  job.splits = std::move(opened.splits);
  job.check = std::move(opened.check);
  const Preprocess& preprocess = job.backbone.preprocess;
  config.image = {preprocess.channels, preprocess.height, preprocess.width};
  config.training.preprocess = preprocess;
  config.training.workers = source.workers;
  if (!job.splits.val) config.training.metric = Metric::train_loss;
  cut_at(job.backbone.cut, job);
  return job;
}

void cut_at(const Cut& cut, Job& job) {
  job.backbone.cut = cut;
  job.start = grafted(job.backbone.graph, cut, static_cast<int>(job.config.classes.size()));
}

Job part_of(const Job& job, std::vector<std::int64_t> train, std::vector<std::int64_t> val) {
  Graph graph = job.backbone.graph.clone(), start = job.start.clone();
  Job part{.source = job.source,
           .config = job.config,
           .splits = {},
           .backbone = {.file = job.backbone.file,
                        .net = job.backbone.net,
                        .graph = std::move(graph),
                        .preprocess = job.backbone.preprocess,
                        .cut = job.backbone.cut,
                        .classes = job.backbone.classes,
                        .multi_label = job.backbone.multi_label},
           .start = std::move(start),
           .check = {}};
  part.splits.train = std::make_shared<Subset>(job.splits.train, std::move(train));
  part.splits.val = std::make_shared<Subset>(job.splits.val, std::move(val));
  return part;
}

RunConfig config_of(const Job& job, const Recipe& recipe) {
  RunConfig config = job.config;
  config.training.batch = recipe.batch;
  config.training.seed = recipe.seed;
  config.transfer = {{"recipe", recipe.name},
                     {"cut", job.backbone.cut.layer},
                     {"pooled", job.backbone.cut.pool},
                     {"head", recipe.name == "probe" ? recipe.head.kind : "logistic"}};
  if (job.source.cache.half) config.transfer["half"] = true;
  if (job.source.cache.bf16) config.transfer["bf16"] = config.training.bf16 = true;
  return config;
}

Features views_at(const Job& job, const Cut& cut, const Dataset& data, const std::string& what,
                  const Views& views, Console& console) {
  Prefix prefix = prefix_at(job, cut);
  prefix.augment = views.augment;
  prefix.seed = views.seed;
  FeatureOptions options = feature_options(job.source.cache, job.source.workers, what, console);
  options.views = views.count;
  Features made = compute_features_in_memory(prefix, data, options);
  if (const std::string note = made.note(); !note.empty()) console.warn(note);
  return made;
}

Prefix prefix_at(const Job& job, const Cut& cut) {
  return {.graph = features_of(job.backbone.graph, cut),
          .preprocess = job.backbone.preprocess,
          .half = job.source.cache.half,
          .bf16 = job.source.cache.bf16};
}

Features features_at(const Job& job, const Cut& cut, const Dataset& data, const std::string& what,
                     Console& console) {
  return views_at(job, cut, data, what, {}, console);
}

void print_job(const Job& job, Console& console) {
  console.line(text(console.bold(job.backbone.net.empty() ? fs::path(job.backbone.file).filename().string()
                                                          : job.backbone.net),
                    " cut after \"", job.backbone.cut.layer, "\"", job.backbone.cut.pool ? ", pooled" : "",
                    ": ",
                    with_commas(features_of(job.backbone.graph, job.backbone.cut).output_shape().size()),
                    " features of each picture, for ", job.config.classes.size(), " classes"));
  console.line(text(with_commas(count_of(job.splits.train)), " pictures to train with, ",
                    with_commas(count_of(job.splits.val)), " for validation, ",
                    with_commas(count_of(job.splits.test)), " for the test"));
  console.line(text("pictures as ", format_preprocess(job.backbone.preprocess)));
}

}  // namespace enxerto::cli
