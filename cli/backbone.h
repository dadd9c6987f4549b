/// The backbone that features come from: what extract, fit and the doctor share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/model.h"
#include "cli/picture_flags.h"
#include "enxerto/transfer/features.h"
#include "enxerto/transfer/graft.h"

namespace enxerto::cli {

struct BackboneFlags {
  ModelFlags model;  ///< --weights is its path
  PictureFlags pictures;
  std::string cut;
  bool pool = false;
  const char* preprocess_flag = "--preprocess";  ///< what an error calls it
};
/// Adds --weights, --net, --size, --cut, --pool, --fit, --filter, --decode, --preprocess, --not-strict.
void add_backbone_flags(CLI::App& verb, BackboneFlags& flags);

struct Backbone {
  std::string file, net;  ///< net: of the zoo, where it is one
  Graph graph;            ///< whole, with its old head, without side outputs
  Preprocess preprocess;
  Cut cut;
  std::vector<std::string> classes;  ///< of its old head, where the file names them
  bool multi_label = false;          ///< its old head's classes are questions of their own
  /// False: the file's head is no layer, or it has none; the graph ends with one that knows nothing.
  bool has_own_head = true;
};
/// What stands in for --weights: of the nets in the cache the one with the best published top-1 on ImageNet,
/// or else the one in the box. Says on standard error which and why.
std::string usual_weights();
/// That of --weights, or the usual. Throws Error that names the file: what load() throws, usage where nobody
/// knows its preprocessing or where the cut cannot be.
Backbone load_backbone(const BackboneFlags& flags);

struct CacheFlags {
  std::string folder;  ///< empty: "features" in the cache of the zoo, where there is one
  bool none = false;
  double memory_gib = 1, file_gib = 8;
  bool half = false, bf16 = false;
};
/// Adds --feature-cache and --no-feature-cache.
void add_cache_folder_flags(CLI::App& verb, CacheFlags& flags);
/// Adds these, --feature-memory and --feature-file.
void add_cache_place_flags(CLI::App& verb, CacheFlags& flags);
/// Adds these, --half and --bf16.
void add_cache_flags(CLI::App& verb, CacheFlags& flags);
/// With progress on the console that opens with `what`; Ctrl-C ends it.
FeatureOptions feature_options(const CacheFlags& flags, int workers, const std::string& what,
                               Console& console);

}  // namespace enxerto::cli
