/// What a run folder holds, read with patience: what is missing or makes no sense is left out, only a
/// damaged file is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enxerto {

/// Finite, or not there.
using Figure = std::optional<double>;

/// The member `key` of an object; null where there is none, or where `json` is no object.
const nlohmann::json& find_member(const nlohmann::json& json, std::string_view key);
Figure find_number(const nlohmann::json& json, std::string_view key);
/// A count, from 0 to 2^53; 0 where there is none.
std::int64_t find_count(const nlohmann::json& json, std::string_view key);
std::string find_text(const nlohmann::json& json, std::string_view key);  ///< empty where there is none

struct Bounds {
  double low = 0, high = 0;
};

/// A line of kind "step". `at` counts epochs: 2.5 is half-way through the third.
struct StepLine {
  double at = 0;
  Figure loss, lr, grad_norm, images_per_second;
};

/// A line of kind "epoch".
struct EpochLine {
  double epoch = 0;
  Figure train_loss, train_top1, val_loss, val_top1, val_map, lr, grad_norm, seconds, images_per_second;
  std::optional<Bounds> val_top1_interval;
};

/// A layer at the last step of an epoch.
struct LayerRecord {
  std::string name;
  double grad_norm = 0;
  std::int64_t filters = 0, equal = 0, still = 0;
};
struct LayersLine {
  double epoch = 0;
  std::vector<LayerRecord> layers;  ///< at most 300
};
/// What is wrong with layers: "equal", "dead", "vanishing" or "exploding".
struct FaultRecord {
  std::string kind, layer;  ///< of several layers the first
  std::int64_t layers = 1;
  double epoch = 0;  ///< when it was seen first
};

/// What became of one picture: a line of predictions.jsonl.
struct PictureRecord {
  std::int32_t label = 0, predicted = 0;  ///< classes of config.json
  float probability = -1;                 ///< of `predicted`; below zero where it is not known
  float loss = 0;
  std::int64_t index = 0;
};
/// One that can be shown.
struct ShownPicture {
  PictureRecord record;
  std::string file;
  std::string thumbnail;  ///< a JPEG in base64, checked to be nothing else than base64; may be empty
};
/// Of one split.
struct Predictions {
  std::vector<PictureRecord> pictures;  ///< by the order of the file
  std::vector<ShownPicture>
      shown;  ///< the largest losses first, and all that have a thumbnail; some hundreds
};

struct ClassRecord {
  std::string name;
  std::int64_t n = 0, predicted = 0, right = 0;
  Figure precision, recall, f1, average_precision;
};

/// What `enxerto evaluate --json` prints.
struct EvaluationRecord {
  std::int64_t n = 0;
  Figure top1, top5, loss, macro_precision, macro_recall, macro_f1;
  std::optional<Bounds> top1_interval;
  bool multi_label = false;  ///< a picture may have several labels; the figures of the next line are for that
  Figure mean_average_precision, micro_f1, exact_match;
  std::vector<ClassRecord> classes;
  std::vector<std::int64_t> confusion;  ///< [true][predicted]; empty where it does not fit the classes

  /// The targets were no classes, but what another network made of the pictures: the loss is all there is.
  bool only_loss() const { return loss && !top1 && !multi_label && classes.empty(); }
  std::int64_t count(std::size_t truth, std::size_t predicted) const {
    return confusion[truth * classes.size() + predicted];
  }
};

enum class Outcome {
  finished,
  stopped_early,
  diverged,
  running,      ///< no result, and the log was written to a moment ago
  interrupted,  ///< no result, and nothing more was heard
};

const char* name_of(Outcome outcome);

struct RunRecord {
  std::filesystem::path folder;
  Outcome outcome = Outcome::interrupted;
  nlohmann::json config;    ///< an object
  nlohmann::json doctor;    ///< doctor.json: what was found in the pictures; null where nobody looked
  nlohmann::json transfer;  ///< of result.json: how a network was grafted; null elsewhere
  std::vector<std::string> classes;
  std::vector<StepLine> steps;      ///< thinned out where there are very many
  std::vector<EpochLine> epochs;    ///< likewise
  std::vector<LayersLine> layers;   ///< likewise, at most 64
  std::vector<FaultRecord> faults;  ///< one of each kind
  Predictions val_predictions, test_predictions;
  std::int64_t epochs_done = 0, steps_done = 0;
  std::optional<EpochLine> best;
  std::string metric;  ///< that `best` is by
  std::optional<EvaluationRecord> val, test;
  Figure seconds, images_per_second, peak_memory_bytes;
  Figure planned_bytes;            ///< of memory, for the network and the pictures on their way to it
  std::string message;             ///< what a diverged run said
  std::int64_t unread_lines = 0;   ///< of log and predictions, but for a last one that is cut off
  bool ends_with_step = false;     ///< the log: an epoch is under way, or was
  std::int64_t seconds_quiet = 0;  ///< since the log was written to
};

/// What `enxerto distill` wrote of itself into config.json; null of other runs.
const nlohmann::json& distill_of(const RunRecord& run);
/// Whether its outputs are classes, and not another network's features.
bool gives_classes(const RunRecord& run);

/// Throws Error as write_report() does.
RunRecord load_run(const std::filesystem::path& folder);

}  // namespace enxerto
