#include "enxerto/report/run_record.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <fstream>
#include <functional>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::uint64_t most_json_bytes = 64u << 20;              // 4,000 classes
constexpr std::uint64_t most_log_bytes = std::uint64_t{2} << 30;  // a month of steps
constexpr std::size_t most_line_bytes = 40u << 20;                // likewise
constexpr int most_depth = 12;
constexpr std::size_t most_lines_kept = 4096, most_layer_lines = 64, most_layers = 300;
constexpr std::size_t most_pictures = 4u << 20, most_shown = 300, most_thumbnails = 20;  // of a split
constexpr std::size_t most_thumbnail_bytes = 48u << 10;
constexpr std::int64_t quiet_when_stopped = 180;  // seconds: a validation may take that long

constexpr std::size_t most_name = 200, most_path = 1000;  // bytes of what is kept of a file's texts
constexpr std::array<std::string_view, 4> fault_kinds{"equal", "dead", "vanishing", "exploding"};

struct TooDeep {};

/// Null where the text is no JSON, or nested more deeply than any of ours (an array costs a hostile file
/// one byte and us many).
Json parse(std::string_view content) {
  const auto bounded = [](int depth, Json::parse_event_t, Json&) {
    if (depth > most_depth) throw TooDeep{};
    return true;
  };
  try {
    return Json::parse(content, bounded);
  } catch (const Json::exception&) {
    return nullptr;
  } catch (const TooDeep&) {
    return nullptr;
  }
}

Json load_object(const fs::path& path) {
  Json json = parse(read_text_file(path, most_json_bytes));
  if (!json.is_object())
    throw Error(ErrorKind::corrupt, text(path.string(), ": it is damaged: a JSON object was expected"));
  return json;
}

Figure find_not_negative(const Json& json, std::string_view key) {
  const Figure value = find_number(json, key);
  return value && *value >= 0 && *value < 1e15 ? value : std::nullopt;
}

Figure find_proportion(const Json& json, std::string_view key) {
  const Figure value = find_number(json, key);
  return value && *value >= 0 && *value <= 1 ? value : std::nullopt;
}

std::optional<Bounds> find_bounds(const Json& json, std::string_view key) {
  const Json& pair = find_member(json, key);
  if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number() || !pair[1].is_number())
    return std::nullopt;
  const Bounds bounds{pair[0].get<double>(), pair[1].get<double>()};
  if (!(0 <= bounds.low && bounds.low <= bounds.high && bounds.high <= 1)) return std::nullopt;
  return bounds;
}

std::vector<std::string> find_names(const Json& json, std::string_view key) {
  std::vector<std::string> names;
  const Json& list = find_member(json, key);
  if (!list.is_array()) return names;
  for (const Json& name : list) names.push_back(name.is_string() ? name.get<std::string>() : "");
  return names;
}

std::int64_t count_of(const Json& json) {
  const double value = json.is_number() ? json.get<double>() : 0;
  return value >= 0 && value <= 9007199254740992.0 ? static_cast<std::int64_t>(value) : 0;
}

std::optional<EvaluationRecord> evaluation_of(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  EvaluationRecord made{.n = find_count(json, "n"),
                        .top1 = find_proportion(json, "top1"),
                        .top5 = find_proportion(json, "top5"),
                        .loss = find_number(json, "loss"),
                        .macro_precision = find_proportion(json, "macro_precision"),
                        .macro_recall = find_proportion(json, "macro_recall"),
                        .macro_f1 = find_proportion(json, "macro_f1"),
                        .top1_interval = find_bounds(json, "top1_interval"),
                        .multi_label = find_member(json, "multi_label") == true,
                        .mean_average_precision = find_proportion(json, "mean_average_precision"),
                        .micro_f1 = find_proportion(json, "micro_f1"),
                        .exact_match = find_proportion(json, "exact_match"),
                        .classes = {},
                        .confusion = {}};
  const Json& rows = find_member(json, "per_class");
  for (const Json& row : rows.is_array() ? rows : Json::array())
    made.classes.push_back({.name = find_text(row, "class"),
                            .n = find_count(row, "n"),
                            .predicted = find_count(row, "predicted"),
                            .right = find_count(row, "right"),
                            .precision = find_proportion(row, "precision"),
                            .recall = find_proportion(row, "recall"),
                            .f1 = find_proportion(row, "f1"),
                            .average_precision = find_proportion(row, "average_precision")});

  const Json& matrix = find_member(json, "confusion");
  const std::size_t c = made.classes.size();
  const auto has_c = [c](const Json& row) { return row.is_array() && row.size() == c; };
  if (c > 0 && has_c(matrix) && std::ranges::all_of(matrix, has_c))
    for (const Json& row : matrix)
      for (const Json& count : row) made.confusion.push_back(count_of(count));
  return made;
}

/// Every item, then every second, every fourth and so on: never more than `most`.
template <class T, std::size_t most = most_lines_kept>
class Thinned {
 public:
  void add(T item) {
    if (seen_++ % stride_ != 0) return;
    items_.push_back(std::move(item));
    if (items_.size() < most) return;
    for (std::size_t i = 0; 2 * i < items_.size(); ++i) items_[i] = std::move(items_[2 * i]);
    items_.resize((items_.size() + 1) / 2);
    stride_ *= 2;
  }
  std::vector<T> take() { return std::move(items_); }

 private:
  std::vector<T> items_;
  std::size_t seen_ = 0, stride_ = 1;
};

/// Gives the lines of a file to `take`, which says whether it understood, and returns how many were not: a
/// last line without its end, cut off where the process ended, does not count. No file has no lines.
std::int64_t read_lines(const fs::path& path, const std::function<bool(std::string_view line)>& take) {
  std::error_code code;
  if (!fs::is_regular_file(path, code)) return 0;
  if (fs::file_size(path, code) > most_log_bytes)
    throw Error(ErrorKind::unsupported,
                text(path.string(), ": is larger than the ", human_bytes(static_cast<double>(most_log_bytes)),
                     " that are read"));
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorKind::io, text(path.string(), ": cannot be opened; check the permissions"));
  std::string line, piece(64u << 10, '\0');
  bool is_too_long = false;
  std::int64_t unread = 0;
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    std::string_view rest(piece.data(), static_cast<std::size_t>(file.gcount()));
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      const std::string_view part = rest.substr(0, end);
      if (line.size() + part.size() > most_line_bytes) is_too_long = true;
      if (!is_too_long) line += part;
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
      if (is_too_long || !take(line)) ++unread;
      line.clear();
      is_too_long = false;
    }
  }
  if (file.bad()) throw Error(ErrorKind::io, text(path.string(), ": cannot be read"));
  if (!is_too_long) take(line);  // whole but for its end of line, or cut off
  return unread;
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

/// Reads the log line by line. What it learns of figures is the state at the last line.
class LogReader {
 public:
  explicit LogReader(RunRecord& run) : run_(run) {}

  void read(const fs::path& path) {
    run_.unread_lines += read_lines(path, [this](std::string_view line) { return take(line); });
    run_.steps = steps_.take();
    run_.epochs = epochs_.take();
    run_.layers = layers_.take();
  }

 private:
  /// Whether the line was understood.
  bool take(std::string_view line) {
    if (is_blank(line)) return true;
    const Json json = parse(line);
    if (!json.is_object()) return false;
    const std::string kind = find_text(json, "kind");
    run_.ends_with_step = kind == "step";
    if (kind == "start") take_start(json);
    if (kind == "step") take_step(json);
    if (kind == "epoch") take_epoch(json);
    if (kind == "evaluation") take_evaluation(json);
    if (kind == "diverged") {
      run_.outcome = Outcome::diverged;
      run_.message = find_text(json, "message");
    }
    return true;
  }

  void take_common(const Json& json, std::string_view seconds, std::string_view loss) {
    // Not finite: as JSON has no such number, it is written as null.
    if (json.contains(loss) && json.at(std::string(loss)).is_null()) run_.outcome = Outcome::diverged;
    run_.steps_done = std::max(run_.steps_done, find_count(json, "step"));
    if (const Figure value = find_not_negative(json, seconds)) run_.seconds = value;
    if (const Figure value = find_not_negative(json, "images_per_second")) run_.images_per_second = value;
    if (const Figure value = find_not_negative(json, "peak_memory_bytes"))
      run_.peak_memory_bytes = std::max(run_.peak_memory_bytes.value_or(0), *value);
  }

  void take_start(const Json& json) {
    if (const Figure value = find_not_negative(json, "planned_bytes"))
      run_.planned_bytes = std::max(run_.planned_bytes.value_or(0), *value);
  }

  void take_step(const Json& json) {
    take_common(json, "seconds", "loss");
    const auto epoch = static_cast<double>(find_count(json, "epoch"));
    const auto step = static_cast<double>(find_count(json, "step_in_epoch"));
    const auto steps = static_cast<double>(find_count(json, "steps_per_epoch"));
    if (epoch < 1 || steps < 1 || step > steps) return;
    steps_.add({.at = epoch - 1 + step / steps,
                .loss = find_number(json, "loss"),
                .lr = find_number(json, "lr"),
                .grad_norm = find_not_negative(json, "grad_norm"),
                .images_per_second = find_not_negative(json, "images_per_second")});
  }

  void take_epoch(const Json& json) {
    take_common(json, "total_seconds", "train_loss");
    const std::int64_t epoch = find_count(json, "epoch");
    if (epoch < 1) return;
    run_.epochs_done = std::max(run_.epochs_done, epoch);
    EpochLine line{.epoch = static_cast<double>(epoch),
                   .train_loss = find_number(json, "train_loss"),
                   .train_top1 = find_proportion(json, "train_top1"),
                   .val_loss = find_number(json, "val_loss"),
                   .val_top1 = find_proportion(json, "val_top1"),
                   .val_map = find_proportion(json, "val_map"),
                   .lr = find_number(json, "lr"),
                   .grad_norm = find_not_negative(json, "grad_norm"),
                   .seconds = find_not_negative(json, "seconds"),
                   .images_per_second = find_not_negative(json, "images_per_second"),
                   .val_top1_interval = find_bounds(json, "val_top1_interval")};
    const Json& best = find_member(json, "best");
    if (best.is_boolean() && best.get<bool>()) run_.best = line;
    take_layers(json, line.epoch);
    epochs_.add(std::move(line));
  }

  void take_layers(const Json& json, double epoch) {
    const Json &list = find_member(json, "layers"), &faults = find_member(json, "faults");
    LayersLine line{.epoch = epoch, .layers = {}};
    for (const Json& each : list.is_array() ? list : Json::array()) {
      const Figure norm = find_not_negative(each, "grad_norm");
      if (!norm || line.layers.size() == most_layers) continue;
      line.layers.push_back({.name = find_text(each, "name").substr(0, most_name),
                             .grad_norm = *norm,
                             .filters = find_count(each, "filters"),
                             .equal = find_count(each, "equal"),
                             .still = find_count(each, "still")});
    }
    if (!line.layers.empty()) layers_.add(std::move(line));
    for (const Json& each : faults.is_array() ? faults : Json::array()) {
      const std::string kind = find_text(each, "kind");
      if (std::ranges::find(fault_kinds, kind) == fault_kinds.end()) continue;
      if (std::ranges::find(run_.faults, kind, &FaultRecord::kind) != run_.faults.end()) continue;
      run_.faults.push_back({.kind = kind,
                             .layer = find_text(each, "layer").substr(0, most_name),
                             .layers = find_count(each, "layers"),
                             .epoch = epoch});
    }
  }

  void take_evaluation(const Json& json) {
    const std::string split = find_text(json, "split");
    if (split == "val") run_.val = evaluation_of(json);
    if (split == "test") run_.test = evaluation_of(json);
  }

  RunRecord& run_;
  Thinned<StepLine> steps_;
  Thinned<EpochLine> epochs_;
  Thinned<LayersLine, most_layer_lines> layers_;
};

/// Nothing but base64 of what begins as a JPEG.
bool is_jpeg(std::string_view thumbnail) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  return thumbnail.starts_with("/9j/") && thumbnail.size() <= most_thumbnail_bytes &&
         thumbnail.find_first_not_of(digits) == std::string_view::npos;
}

/// Reads predictions.jsonl: all pictures, and of the largest losses what it takes to show them.
class PredictionsReader {
 public:
  explicit PredictionsReader(RunRecord& run) : run_(run) {}

  void read(const fs::path& path) {
    run_.unread_lines += read_lines(path, [this](std::string_view line) { return take(line); });
    for (Predictions* made : {&run_.val_predictions, &run_.test_predictions}) keep_largest(*made);
  }

 private:
  bool take(std::string_view line) {
    if (is_blank(line)) return true;
    const Json json = parse(line);
    const std::string split = find_text(json, "split");
    Predictions* made = split == "val"    ? &run_.val_predictions
                        : split == "test" ? &run_.test_predictions
                                          : nullptr;
    const auto c = static_cast<double>(run_.classes.size());
    const Figure label = find_number(json, "label"), predicted = find_number(json, "predicted"),
                 loss = find_number(json, "loss"), probability = find_proportion(json, "probability");
    const auto is_class = [&](const Figure& value) { return value && *value >= 0 && *value < c; };
    if (!made || !is_class(label) || !is_class(predicted) || !loss || std::abs(*loss) > 1e30) return false;
    if (made->pictures.size() == most_pictures) return true;
    const PictureRecord record{.label = static_cast<std::int32_t>(*label),
                               .predicted = static_cast<std::int32_t>(*predicted),
                               .probability = probability ? static_cast<float>(*probability) : -1,
                               .loss = static_cast<float>(*loss),
                               .index = find_count(json, "index")};
    made->pictures.push_back(record);
    std::string thumbnail = find_text(json, "thumbnail");
    if (!is_jpeg(thumbnail)) thumbnail.clear();
    made->shown.push_back({record, find_text(json, "file").substr(0, most_path), std::move(thumbnail)});
    if (made->shown.size() >= 4 * most_shown) keep_largest(*made);
    return true;
  }

  /// By falling loss: some hundreds, and beyond these what has a thumbnail, of which there are not many.
  static void keep_largest(Predictions& made) {
    std::ranges::stable_sort(made.shown, std::ranges::greater{},
                             [](const ShownPicture& each) { return each.record.loss; });
    std::size_t thumbnails = 0, place = 0;
    std::erase_if(made.shown, [&](ShownPicture& each) {
      if (!each.thumbnail.empty() && ++thumbnails > most_thumbnails) each.thumbnail.clear();
      return place++ >= most_shown && each.thumbnail.empty();
    });
  }

  RunRecord& run_;
};

/// The outcome has the last word on what the log says too.
void take_result(const Json& result, RunRecord& run) {
  run.transfer = find_member(result, "transfer");
  const Json& stopped = find_member(result, "stopped_early");
  run.outcome = stopped.is_boolean() && stopped.get<bool>() ? Outcome::stopped_early : Outcome::finished;
  run.epochs_done = std::max(run.epochs_done, find_count(result, "epochs"));
  run.steps_done = std::max(run.steps_done, find_count(result, "steps"));
  if (const std::string metric = find_text(result, "metric"); !metric.empty()) run.metric = metric;
  const auto best = static_cast<double>(find_count(result, "best_epoch"));
  if (best > 0 && (!run.best || run.best->epoch != best)) {
    const auto line = std::ranges::find(run.epochs, best, &EpochLine::epoch);
    run.best = line != run.epochs.end() ? *line : EpochLine{};
    run.best->epoch = best;
  }
  for (const auto& [key, figure] :
       {std::pair{"seconds", &run.seconds}, std::pair{"images_per_second", &run.images_per_second},
        std::pair{"peak_memory_bytes", &run.peak_memory_bytes}})
    if (const Figure value = find_not_negative(result, key)) *figure = value;
  if (!run.val) run.val = evaluation_of(find_member(result, "val"));
  if (!run.test) run.test = evaluation_of(find_member(result, "test"));
}

bool is_newer(const fs::path& path, const fs::path& than) {
  std::error_code code, other;
  const fs::file_time_type first = fs::last_write_time(path, code), second = fs::last_write_time(than, other);
  return !code && !other && first > second;
}

std::int64_t seconds_since_change(const fs::path& path) {
  std::error_code code;
  const fs::file_time_type changed = fs::last_write_time(path, code);
  if (code) return quiet_when_stopped;
  const auto quiet =
      std::chrono::duration_cast<std::chrono::seconds>(fs::file_time_type::clock::now() - changed);
  return std::max<std::int64_t>(quiet.count(), 0);
}

}  // namespace

const Json& find_member(const Json& json, std::string_view key) {
  static const Json none;
  if (!json.is_object()) return none;
  const auto found = json.find(key);
  return found == json.end() ? none : *found;
}

Figure find_number(const Json& json, std::string_view key) {
  const Json& value = find_member(json, key);
  if (!value.is_number() || !std::isfinite(value.get<double>())) return std::nullopt;
  return value.get<double>();
}

std::int64_t find_count(const Json& json, std::string_view key) { return count_of(find_member(json, key)); }

std::string find_text(const Json& json, std::string_view key) {
  const Json& value = find_member(json, key);
  return value.is_string() ? value.get<std::string>() : "";
}

const char* name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::finished:
      return "finished";
    case Outcome::stopped_early:
      return "stopped_early";
    case Outcome::diverged:
      return "diverged";
    case Outcome::running:
      return "running";
    case Outcome::interrupted:
      return "interrupted";
  }
  return "";
}

const Json& distill_of(const RunRecord& run) { return find_member(run.config, "distill"); }

bool gives_classes(const RunRecord& run) { return find_text(distill_of(run), "match") != "features"; }

RunRecord load_run(const fs::path& folder) {
  const fs::path config = folder / "config.json", log = folder / "log.jsonl", result = folder / "result.json";
  std::error_code code;
  if (!fs::exists(config, code))
    throw Error(ErrorKind::not_found,
                text(config.string(), ": is missing; name a run folder, as `enxerto train --out` makes it"));
  RunRecord run;
  run.folder = folder;
  run.config = load_object(config);
  if (find_count(run.config, "format_version") > 1)
    throw Error(ErrorKind::unsupported,
                text(config.string(), ": the run's format is ", find_count(run.config, "format_version"),
                     ", this program knows 1; use a newer one"));
  if (const fs::path doctor = folder / "doctor.json"; fs::exists(doctor, code))
    run.doctor = load_object(doctor);
  run.classes = find_names(run.config, "classes");
  run.metric = find_text(find_member(run.config, "training"), "metric");
  run.seconds_quiet = seconds_since_change(log);
  if (run.seconds_quiet < quiet_when_stopped) run.outcome = Outcome::running;
  LogReader(run).read(log);
  // Checkpoints are written after an epoch's line, and otherwise only by a run that was told to stop.
  if (run.outcome == Outcome::running && run.ends_with_step &&
      is_newer(folder / "checkpoint.safetensors", log))
    run.outcome = Outcome::interrupted;
  PredictionsReader(run).read(folder / "predictions.jsonl");
  if (fs::exists(result, code)) take_result(load_object(result), run);
  return run;
}

}  // namespace enxerto
