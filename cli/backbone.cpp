#include "cli/backbone.h"

#include <cmath>
#include <iostream>

#include "cli/commands.h"
#include "cli/numbers.h"
#include "cli/progress.h"
#include "cli/training.h"
#include "enxerto/core/environment.h"
#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/split.h"
#include "enxerto/zoo/builtin.h"
#include "enxerto/zoo/cache.h"
#include "enxerto/zoo/imagenet.h"
#include "enxerto/zoo/sources.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto::cli {

void add_backbone_flags(CLI::App& verb, BackboneFlags& flags) {
  verb.add_option(
          "--weights", flags.model.path,
          "The network that has learnt to see: a model file, a run, weights as .safetensors, .pth, .h5, "
          ".keras, .onnx, a net that was pulled, or builtin, the small one in the box (the best that was "
          "pulled, else builtin)")
      ->type_name("FILE");
  verb.add_option("--net", flags.model.net, "The zoo's net that bare weights are of (as their tensors tell)")
      ->type_name("NAME");
  verb.add_option("--size", flags.model.size, "Sides of the input (the model's own)")->type_name("PIXELS");
  verb.add_option("--cut", flags.cut,
                  "The layer whose output is the features (the last list before the head, else the last map, "
                  "pooled)")
      ->type_name("LAYER");
  verb.add_flag("--pool", flags.pool, "Of a map the mean of each channel");
  add_picture_flags(verb, flags.pictures);
  add_weight_flags(verb, flags.model);
}

std::string usual_weights() {
  const Source* best = nullptr;
  for (const Source& source : sources())
    if (find_net(source.net).classes == std::ssize(imagenet_classes()) &&
        (!best || source.top1 > best->top1) && !environment().cache.empty() && find_cached(source))
      best = &source;
  if (best) {
    std::cerr << "No --weights: " << best->name() << ", the best of the nets that were pulled\n";
    return best->name();
  }
  std::cerr
      << "No --weights: the small network in the box. A larger one is likely to see more: MobileNetV2 has 4 "
         "points more right on average (docs/backbone.md); `enxerto pull mobilenet_v2` fetches it once\n";
  return std::string(builtin_name);
}

Backbone load_backbone(const BackboneFlags& flags) {
  ModelFlags model = flags.model;
  if (model.path.empty()) model.path = usual_weights();
  Pretrained loaded = load(model);
  const std::string& file = model.path;
  Backbone backbone{.file = file,
                    .net = loaded.net,
                    .graph = with_linear_head(loaded.model),
                    .preprocess = {},
                    .cut = {},
                    .classes = loaded.model.classes,
                    .multi_label = loaded.model.multi_label,
                    .has_own_head = !loaded.model.head && !loaded.model.trunk};
  if (loaded.model.preprocess.is_null())
    throw Error(ErrorKind::usage,
                text(file, ": does not say how its pictures are prepared; give ", flags.preprocess_flag,
                     ", one of ", join(normalization_names(), ", ")));
  try {
    backbone.preprocess = Preprocess::from_json(loaded.model.preprocess);
    backbone.graph.set_side_outputs({});
    backbone.cut = flags.cut.empty() ? usual_cut(backbone.graph) : Cut{.layer = flags.cut};
    const Shape features = features_of(backbone.graph, {.layer = backbone.cut.layer}).output_shape();
    backbone.cut.pool = (backbone.cut.pool || flags.pool) && is_map(features);
  } catch (const Error& error) {
    throw Error(error.kind(), text(file, ": ", error.what()));
  }
  flags.pictures.apply(backbone.preprocess);
  return backbone;
}

void add_cache_folder_flags(CLI::App& verb, CacheFlags& flags) {
  CLI::Option* folder =
      verb.add_option("--feature-cache", flags.folder,
                      "Keep features in this folder, for later runs (\"features\" in ENXERTO_CACHE)")
          ->type_name("FOLDER");
  verb.add_flag("--no-feature-cache", flags.none, "Keep features in memory only")->excludes(folder);
}

void add_cache_place_flags(CLI::App& verb, CacheFlags& flags) {
  add_cache_folder_flags(verb, flags);
  verb.add_option("--feature-memory", flags.memory_gib, "Features that take more are read from the file")
      ->capture_default_str()
      ->check(number_from(0.0, 1e6))
      ->type_name("GIB");
  verb.add_option("--feature-file", flags.file_gib, "The file of features grows no further")
      ->capture_default_str()
      ->check(number_from(0.0, 1e6))
      ->type_name("GIB");
}

void add_cache_flags(CLI::App& verb, CacheFlags& flags) {
  add_cache_place_flags(verb, flags);
  verb.add_flag("--half", flags.half, "Features in half precision: half the memory, nearly the same numbers");
  verb.add_flag("--bf16", flags.bf16,
                "Convolutions in bfloat16, frozen or trained, where the processor has it (AVX-512 BF16, "
                "AMX): faster, nearly the "
                "same numbers");
}

FeatureOptions feature_options(const CacheFlags& flags, int workers, const std::string& what,
                               Console& console) {
  FeatureOptions options;
  options.workers = workers;
  options.memory_bytes = std::llround(std::ldexp(flags.memory_gib, 30));
  options.file_bytes = std::llround(std::ldexp(flags.file_gib, 30));
  if (!flags.none) {
    options.folder = flags.folder;
    // Where nowhere is said where the cache may be: in memory only.
    if (flags.folder.empty() && !environment().cache.empty()) options.folder = cache_folder() / "features";
  }
  options.stop = &catch_interrupts();
  options.on_progress = [pace = Pace(console, what)](std::int64_t done, std::int64_t all) mutable {
    pace.show(done, all);
  };
  return options;
}

}  // namespace enxerto::cli
