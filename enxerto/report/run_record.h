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
  std::vector<StepLine> steps;    ///< thinned out where there are very many
  std::vector<EpochLine> epochs;  ///< likewise
  std::int64_t epochs_done = 0, steps_done = 0;
  std::optional<EpochLine> best;
  std::string metric;  ///< that `best` is by
  std::optional<EvaluationRecord> val, test;
  Figure seconds, images_per_second, peak_memory_bytes;
  std::string message;             ///< what a diverged run said
  std::int64_t unread_lines = 0;   ///< of the log, but for a last one that is cut off
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
