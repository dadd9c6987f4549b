/// Pictures that a model takes for alike, by the features that its head is given: what `explain` shows of
/// other pictures than the one it was asked about.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/backbone.h"
#include "cli/console.h"
#include "cli/model.h"
#include "enxerto/data/open.h"
#include "enxerto/heads/knn.h"
#include "enxerto/report/explanation.h"
#include "enxerto/transfer/prefix.h"

namespace enxerto::cli {

struct LikenessFlags {
  std::string data;   ///< empty: that of the run
  std::string split;  ///< of the map; empty: the first of test, val, all that there is
  CacheFlags cache;
  int k = 5, points = 1000, workers = 1;
};
/// Adds --data, --split, --k, --points, --feature-cache, --no-feature-cache and --workers.
void add_likeness_flags(CLI::App& verb, LikenessFlags& flags);
/// Throws Error{usage}.
void check(const LikenessFlags& flags);

/// Compares pictures by the features of one model. Refers to all that it is given.
class Likeness {
 public:
  /// `path` names the model in errors. Throws Error{usage} where the network has no features before its head.
  Likeness(const std::string& path, const Classifier& model, const LikenessFlags& flags, Console& console);
  const FeatureSource& source() const { return source_; }
  /// {"layer", "pooled", "features"}.
  nlohmann::json to_json() const;

  /// Makes the training pictures ready to be searched: computes what is not kept of their features. Throws
  /// Error: what data_of_run() and opening data throw, unsupported where all would take more than 4 GiB.
  NearestPictures open_training();
  /// The training pictures nearest to one, the network's input {1, c, h, w}, that was answered so. Thumbnails
  /// take a decoding of each.
  std::vector<NearPicture> nearest(ConstView image, const Ranked& answer, bool thumbnails);
  std::int64_t computed() const { return computed_; }  ///< rows of features that were not found, so far

  /// The map of a data set, with the answers of the model.
  MapOfPictures map();

 private:
  struct Opened {
    std::string data;
    Splits splits;
    bool same_classes = false;  ///< as the model's
  };
  /// Pictures of one split, all of which can be read.
  struct Pictures {
    std::string split;
    std::shared_ptr<const Dataset> set;
    bool of_run = false;  ///< as Chosen has it
  };
  void open_data();
  Pictures open(const std::string& split);
  /// Rows {n, c} of features.
  Tensor rows_of(const Dataset& pictures, const std::string& what);
  std::string label_of(std::int64_t index) const;  ///< of a training picture
  /// What the model says of each, and their thumbnails.
  void add_answers(const Dataset& set, MapOfPictures& to) const;

  const std::string& path_;
  const Classifier& model_;
  const LikenessFlags& flags_;
  Console& console_;
  bool pooled_ = false;
  FeatureSource source_;
  Prefix prefix_;
  std::optional<PrefixRunner> one_;  ///< of one picture
  std::optional<Opened> opened_;
  Pictures training_;
  Knn rows_;  ///< of these
  std::int64_t computed_ = 0;
};

/// A picture as the page shows it: a JPEG in base64, no side longer than 160 pixels.
std::string thumbnail_of(const Image& picture);

}  // namespace enxerto::cli
