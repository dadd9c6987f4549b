#include "enxerto/train/run_folder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>

#include "enxerto/core/base64.h"
#include "enxerto/core/file.h"
#include "enxerto/core/json_text.h"
#include "enxerto/core/system.h"
#include "enxerto/data/place.h"
#include "enxerto/graph/json.h"
#include "enxerto/image/encode.h"
#include "enxerto/image/thumbnail.h"
#include "enxerto/train/fields_json.h"
#include "enxerto/weights/checks.h"
#include "enxerto/weights/safetensors.h"
#include "enxerto/zoo/model_file.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

constexpr const char *config_name = "config.json", *log_name = "log.jsonl", *result_name = "result.json",
                     *checkpoint_name = "checkpoint.safetensors", *model_name = "model.safetensors",
                     *best_name = "best.safetensors", *predictions_name = "predictions.jsonl";
constexpr const char *format_key = "enxerto.checkpoint", *graph_key = "enxerto.graph",
                     *state_key = "enxerto.state", *checkpoint_format = "1";
constexpr std::string_view model_prefix = "model/", optimizer_prefix = "optimizer/";
constexpr double seconds_between_steps = 0.5;

Json parse_json(const std::string& content, const std::string& where) {
  try {
    return Json::parse(content);
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::corrupt, text(where, ": it is damaged: ", error.what()));
  }
}

void write_json(const fs::path& path, const Json& json) {
  try {
    write_file(path, format_json(json));
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::usage, text(path.string(), ": a name cannot be saved: ", error.what()));
  }
}

/// What write_file() leaves of a process that was killed in it: NAME.partialPID. Nobody else is at work here.
void remove_partials(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::directory_entry& each : fs::directory_iterator(folder, ignored))
    if (is_partial(each.path().filename().string())) fs::remove(each.path(), ignored);
}

/// FNV-1a.
std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t hash = 0xCBF29CE484222325ull;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3ull;
  return hash;
}

std::string_view last_two_parts(std::string_view name) {
  const std::size_t last = name.rfind('/');
  if (last == std::string_view::npos || last == 0) return name;
  const std::size_t before = name.rfind('/', last - 1);
  return before == std::string_view::npos ? name : name.substr(before + 1);
}

Json to_json(const std::optional<DataRecord>& record) {
  if (!record) return nullptr;
  return {{"pictures", record->pictures}, {"digest", record->digest}};
}

std::optional<DataRecord> data_record_from_json(const Json& json, const std::string& where) {
  if (json.is_null()) return std::nullopt;
  DataRecord record;
  ObjectReader reader(json, where);
  reader.read("pictures", record.pictures);
  reader.read("digest", record.digest);
  reader.finish();
  return record;
}

void check_same(const std::string& split, const std::optional<DataRecord>& then, const Dataset* now) {
  if (then.has_value() != (now != nullptr))
    throw Error(ErrorKind::usage, text("the run began ", then ? "with" : "without", " a ", split,
                                       " split, the data of now ", now ? "have one" : "have none"));
  if (!now) return;
  if (then->pictures != now->size())
    throw Error(ErrorKind::usage, text("the run began with ", then->pictures, " pictures in ", split,
                                       ", now there are ", now->size()));
  if (*then != record_of(*now))
    throw Error(ErrorKind::usage, text("the pictures of ", split,
                                       " are others than those that the run began with, or in another "
                                       "order or with other labels"));
}

/// What a resume may not change.
Json what_matters(Json training) {
  training.erase("workers");
  const Json& schedule = training.at("schedule");
  const Json& curve = schedule.at("curve");
  if (schedule.at("total") != 0 || curve == "constant" || curve == "step") training.erase("epochs");
  return training;
}

void check_same_training(const Json& then, const Json& now, const std::string& where) {
  const Json before = what_matters(then), after = what_matters(now);
  for (const auto& [key, value] : before.items())
    if (!after.contains(key) || after.at(key) != value)
      throw Error(
          ErrorKind::usage,
          text(where, ": \"", key, "\" was ", value.dump(), " when the checkpoint was written and is ",
               after.contains(key) ? after.at(key).dump() : "missing", " now; set it back to go on"));
}

Json sums_to_json(const EpochSums& sums) {
  Json json{{"pictures", sums.pictures}, {"labelled", sums.labelled},   {"right", sums.right},
            {"loss", sums.loss},         {"grad_norm", sums.grad_norm}, {"seconds", sums.seconds}};
  if (!sums.layers.empty()) json["layers"] = layers_to_json(sums.layers);
  return json;
}

/// The tensors whose names begin with the prefix, without it.
NamedTensors take(NamedTensors& from, std::string_view prefix) {
  NamedTensors taken;
  for (NamedTensor& tensor : from)
    if (tensor.name.starts_with(prefix))
      taken.push_back({tensor.name.substr(prefix.size()), tensor.dims, std::move(tensor.value)});
  return taken;
}

constexpr std::size_t most_thumbnails = 20;
constexpr int thumbnail_side = 160, thumbnail_quality = 82;

/// The worst of each way to be wrong, by falling loss, and after these the worst of all that is left.
std::set<std::size_t> worth_a_look(std::span<const PictureScore> pictures) {
  std::vector<std::size_t> order(pictures.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t i) { return pictures[i].loss; });
  std::set<std::size_t> shown;
  std::set<std::pair<std::int32_t, std::int32_t>> ways;
  for (const std::size_t i : order) {
    const PictureScore& score = pictures[i];
    if (shown.size() >= most_thumbnails) break;
    if (score.label != score.predicted && ways.insert({score.label, score.predicted}).second) shown.insert(i);
  }
  for (const std::size_t i : order) {
    if (shown.size() >= most_thumbnails) break;
    shown.insert(i);
  }
  return shown;
}

/// "thumbnail", a JPEG in base64, with its sides.
void add_thumbnail(const Dataset& data, std::int64_t index, Json& line) {
  try {
    const Image image = thumbnail(data.get(index).image, thumbnail_side);
    line["thumbnail"] = base64(encode_jpeg(image, thumbnail_quality));
    line["thumbnail_size"] = {image.width, image.height};
  } catch (const Error&) {
    return;  // it was there a moment ago; the page does without
  }
}

}  // namespace

DataRecord record_of(const Dataset& data) {
  std::uint64_t digest = 0;
  const auto add = [&](std::uint64_t value) { digest = mix64(digest ^ value); };
  for (const std::string& name : data.classes()) add(hash_of(name));
  for (std::int64_t i = 0; i < data.size(); ++i) {
    add(hash_of(last_two_parts(data.name(i))));
    const auto labels = data.labels(i);
    if (data.multi_label()) {
      add(labels.size());
      for (const std::int32_t label : labels) add(static_cast<std::uint64_t>(label));
    } else {
      add(static_cast<std::uint64_t>(data.label(i)));
    }
  }
  DataRecord record{.pictures = data.size(), .digest = std::string(16, '0')};
  for (std::size_t i = 0; i < 16; ++i) record.digest[15 - i] = "0123456789abcdef"[digest >> (4 * i) & 15];
  return record;
}

bool RunConfig::gives_classes() const {
  return !distill.is_object() || distill.value("match", Json()) != "features";
}

Json RunConfig::to_json() const {
  Json json{{"format", "enxerto-run"},
            {"format_version", 1},
            {"version", version},
            {"chip", chip},
            {"command", command},
            {"net", net},
            {"image", image},
            {"data", data},
            {"val_fraction", val_fraction},
            {"test_fraction", test_fraction},
            {"split_seed", split_seed},
            {"weights", weights},
            {"init", init},
            {"freeze", freeze},
            {"threads", threads},
            {"classes", classes},
            {"splits",
             {{"train", enxerto::to_json(std::optional(train))},
              {"val", enxerto::to_json(val)},
              {"test", enxerto::to_json(test)}}},
            {"training", training.to_json()}};
  if (multi_label) json["multi_label"] = true;
  if (val_as_test) json["val_as_test"] = true;
  if (!transfer.is_null()) json["transfer"] = transfer;
  if (!distill.is_null()) json["distill"] = distill;
  return json;
}

RunConfig RunConfig::from_json(const Json& json) {
  RunConfig config;
  ObjectReader reader(json, "run");
  std::string format;
  int format_version = 0;
  reader.read("format", format);
  reader.read("format_version", format_version);
  if (format != "enxerto-run") fail_json("run", "\"format\" is not \"enxerto-run\"");
  if (format_version != 1)
    throw Error(ErrorKind::unsupported,
                text("the run's format is ", format_version, ", this program knows 1; use a newer one"));
  reader.read("version", config.version);
  reader.read("chip", config.chip);
  reader.read("command", config.command);
  reader.read("net", config.net);
  reader.read("image", config.image);
  if (config.image.size() != 3) fail_json("run: image", "three sizes were expected");
  reader.read("data", config.data);
  reader.read("val_fraction", config.val_fraction);
  reader.read("test_fraction", config.test_fraction);
  reader.read("split_seed", config.split_seed);
  reader.read("weights", config.weights);
  reader.read("init", config.init);
  reader.read("freeze", config.freeze);
  reader.read("threads", config.threads);
  reader.read("classes", config.classes);
  if (reader.has("multi_label")) reader.read("multi_label", config.multi_label);
  ObjectReader splits(reader.at("splits"), "run: splits");
  const auto train = data_record_from_json(splits.at("train"), "run: splits: train");
  if (!train) fail_json("run: splits", "\"train\" is null");
  config.train = *train;
  config.val = data_record_from_json(splits.at("val"), "run: splits: val");
  config.test = data_record_from_json(splits.at("test"), "run: splits: test");
  splits.finish();
  config.training = TrainConfig::from_json(reader.at("training"));
  if (reader.has("val_as_test")) reader.read("val_as_test", config.val_as_test);
  if (reader.has("transfer")) config.transfer = reader.at("transfer");
  if (reader.has("distill")) config.distill = reader.at("distill");
  reader.finish();
  return config;
}

RunFolder::RunFolder(fs::path folder, RunConfig config)
    : folder_(std::move(folder)), config_(std::move(config)) {
  if (!is_utf8(folder_.string()))  // result.json has it
    throw Error(ErrorKind::usage, text("the path of the run, ", shown(folder_.string()),
                                       ", is not UTF-8; rename it or choose another"));
}

RunFolder RunFolder::create(const fs::path& folder, RunConfig config) {
  for (const char* name : {config_name, checkpoint_name, model_name, log_name, result_name})
    if (fs::exists(folder / name))
      throw Error(ErrorKind::usage, text(folder.string(), ": there is a run already (", name,
                                         "); go on with --resume or choose another --out"));
  config.chip = chip_name();
  RunFolder made(folder, std::move(config));
  make_folder(folder);
  made.lock();
  write_json(folder / config_name, made.config_.to_json());
  made.open_log();
  return made;
}

RunConfig load_run_config(const fs::path& folder) {
  const fs::path config_path = folder / config_name;
  const Json json = parse_json(read_text_file(config_path), config_path.string());
  try {
    return RunConfig::from_json(json);
  } catch (const Error& error) {
    throw Error(error.kind(), text(config_path.string(), ": ", error.what()));
  }
}

RunFolder RunFolder::resume(const fs::path& folder) {
  RunFolder made(folder, load_run_config(folder));
  made.lock();
  remove_partials(folder);
  if (fs::exists(folder / checkpoint_name)) {
    std::error_code no_log;
    const std::uint64_t size = fs::file_size(folder / log_name, no_log);
    made.log_bytes_ = std::min(made.load_checkpoint(), no_log ? 0 : size);
  }
  return made;
}

void check_same_data(const fs::path& run, const RunConfig& config, const Dataset& train, const Dataset* val,
                     const Dataset* test) {
  try {
    if (!std::ranges::equal(train.classes(), config.classes))
      throw Error(ErrorKind::usage, text("the run began with the classes ", join(config.classes, ", "),
                                         "; the data of now have others"));
    check_same("train", config.train, &train);
    check_same("val", config.val, val);
    check_same("test", config.test, test);
  } catch (const Error& error) {
    throw Error(error.kind(), text(run.string(), ": cannot go on: ", error.what()));
  }
}

void RunFolder::lock() {
  lock_ = Lock::on_folder(folder_);
  if (!lock_->try_take())
    throw Error(ErrorKind::usage, text(folder_.string(),
                                       ": another process is at work in this run; wait until that has ended, "
                                       "or stop it"));
}

void RunFolder::open_log() {
  const fs::path path = folder_ / log_name;
  std::error_code code;
  if (fs::exists(path)) fs::resize_file(path, log_bytes_, code);
  log_.open(path, std::ios::binary | std::ios::app);
  if (code || !log_)
    throw Error(ErrorKind::io, text(path.string(), ": cannot be written; check the permissions"));
}

void RunFolder::log(const Json& line) {
  if (!log_.is_open()) open_log();
  const std::string content = line.dump() + "\n";
  log_.write(content.data(), static_cast<std::streamsize>(content.size()));
  log_.flush();
  if (!log_)
    throw Error(ErrorKind::io, text((folder_ / log_name).string(), ": cannot be written; is the disk full?",
                                    fs::exists(folder_ / checkpoint_name)
                                        ? " The last checkpoint is whole: --resume goes on from there"
                                        : ""));
  log_bytes_ += content.size();
}

void RunFolder::save_checkpoint(const Graph& graph, const TrainState& state) {
  NamedTensors tensors = graph.state();
  for (NamedTensor& tensor : tensors) tensor.name.insert(0, model_prefix);
  for (const NamedTensor& tensor : state.optimizer)
    tensors.push_back({text(optimizer_prefix, tensor.name), tensor.dims, tensor.value.clone()});
  const Json json{{"epoch", state.epoch},
                  {"step", state.step},
                  {"step_in_epoch", state.step_in_epoch},
                  {"sums", sums_to_json(state.sums)},
                  {"seconds", state.seconds},
                  {"best_epoch", state.best_epoch},
                  {"best_value", state.best_value},
                  {"train_loss", state.train_loss},
                  {"log_bytes", log_bytes_},
                  {"training", config_.training.to_json()}};
  save_safetensors(
      folder_ / checkpoint_name, tensors,
      {{format_key, checkpoint_format}, {graph_key, graph_to_json(graph).dump()}, {state_key, json.dump()}});
}

std::uint64_t RunFolder::load_checkpoint() {
  const std::string file = (folder_ / checkpoint_name).string();
  SafetensorsFile stored = load_safetensors(file);
  for (const char* key : {format_key, graph_key, state_key})
    if (!stored.metadata.contains(key))
      throw Error(ErrorKind::corrupt, text(file, ": it is no checkpoint, ", key, " is missing"));
  if (stored.metadata.at(format_key) != checkpoint_format)
    throw Error(ErrorKind::unsupported, text(file, ": it was written by a newer program; use that"));

  std::int64_t floats = 0;
  for (const NamedTensor& tensor : stored.tensors) floats += tensor.value.shape().size();
  Checkpoint checkpoint{.graph = graph_from_json(parse_json(stored.metadata.at(graph_key), file), floats)};
  checkpoint.graph.load_state(take(stored.tensors, model_prefix), file);
  TrainState& state = checkpoint.state;
  state.optimizer = take(stored.tensors, optimizer_prefix);

  const Json json = parse_json(stored.metadata.at(state_key), file);
  ObjectReader reader(json, file);
  std::uint64_t log_bytes = 0;
  reader.read("epoch", state.epoch);
  reader.read("step", state.step);
  reader.read("step_in_epoch", state.step_in_epoch);
  ObjectReader sums(reader.at("sums"), file + ": sums");
  sums.read("pictures", state.sums.pictures);
  state.sums.labelled = state.sums.pictures;  // as it is in older files, where each has one label
  if (sums.has("labelled")) sums.read("labelled", state.sums.labelled);
  sums.read("right", state.sums.right);
  sums.read("loss", state.sums.loss);
  sums.read("grad_norm", state.sums.grad_norm);
  sums.read("seconds", state.sums.seconds);
  if (sums.has("layers")) state.sums.layers = layers_from_json(sums.at("layers"), file + ": sums: layers");
  sums.finish();
  reader.read("seconds", state.seconds);
  reader.read("best_epoch", state.best_epoch);
  reader.read("best_value", state.best_value);
  if (reader.has("train_loss")) reader.read("train_loss", state.train_loss);  // files of before have none
  reader.read("log_bytes", log_bytes);
  const Json then = TrainConfig::from_json(reader.at("training")).to_json();
  reader.finish();
  if (state.epoch < 0 || state.step < 0 || state.step_in_epoch < 0 || state.best_epoch > state.epoch)
    fail_json(file, "its counts make no sense");
  check_same_training(then, config_.training.to_json(), (folder_ / config_name).string());

  if (state.best_epoch > 0 && state.best_epoch == state.epoch && state.step_in_epoch == 0) {
    // The best weights are those of the checkpoint; the process may have ended before it wrote them. A run
    // that has ended may have others there: save_final().
    state.best = checkpoint.graph.state();
    if (!ended_at(state.epoch)) save_best(checkpoint.graph, state.best_epoch, state.best_value);
  } else if (state.best_epoch > 0) {
    // A run that was killed in save_final() has them here.
    const bool aside = fs::exists(folder_ / best_name);
    state.best = load_model(folder_ / (aside ? best_name : model_name)).graph.state();
  }
  checkpoint_ = std::move(checkpoint);
  return log_bytes;
}

void RunFolder::save_best(const Graph& graph, int epoch, double value) {
  save_model(folder_ / model_name,
             {.graph = graph.clone(),
              .preprocess = config_.training.preprocess.to_json(),
              .classes = config_.gives_classes() ? config_.classes : std::vector<std::string>{},
              .multi_label = config_.multi_label,
              .training = {{"net", config_.net},
                           {"weights", config_.weights},
                           {"data", config_.data},
                           {"splits", config_.to_json().at("splits")},
                           {"epoch", epoch},
                           {"metric", name_of(config_.training.metric)},
                           {"value", value},
                           {"version", config_.version},
                           {"config", config_.training.to_json()}},
              .head = head_,
              .novelty = novelty_});
}

/// Whether there is a result of just so many epochs.
bool RunFolder::ended_at(int epoch) const {
  if (!fs::exists(folder_ / result_name)) return false;
  const Json json = Json::parse(read_text_file(folder_ / result_name), nullptr, false);
  return json.is_object() && json.value("epochs", Json()) == epoch;
}

void RunFolder::on_start(const RunStart& start) {
  log({{"kind", "start"},
       {"epoch", start.first_epoch},
       {"step", start.first_step},
       {"steps_per_epoch", start.steps_per_epoch},
       {"pictures", start.pictures},
       {"planned_bytes", start.executor_bytes + start.loader_bytes}});
}

void RunFolder::on_step(const StepReport& report) {
  const double now = now_seconds();
  if (now - last_step_line_ < seconds_between_steps) return;
  last_step_line_ = now;
  Json line{{"kind", "step"},
            {"epoch", report.epoch},
            {"step", report.step},
            {"step_in_epoch", report.step_in_epoch},
            {"steps_per_epoch", report.steps_per_epoch},
            {"loss", report.loss},
            {"lr", report.lr},
            {"grad_norm", report.grad_norm},
            {"seconds", report.seconds},
            {"images_per_second", report.images_per_second},
            {"peak_memory_bytes", report.peak_memory_bytes}};
  if (report.top1) line["top1"] = *report.top1;
  log(line);
}

bool RunFolder::on_epoch(const EpochReport& report, const Graph& graph, const TrainState& state) {
  log(report.to_json());
  // In this order, so that model.safetensors is never ahead of the checkpoint.
  save_checkpoint(graph, state);
  if (report.best) save_best(graph, state.best_epoch, state.best_value);
  return true;
}

void RunFolder::on_fitted(const EpochReport& report, const Graph& graph, double value) {
  log(report.to_json());
  save_best(graph, report.epoch, value);
}

void RunFolder::set_beside(std::shared_ptr<const FittedHead> head, std::shared_ptr<const Novelty> novelty) {
  head_ = std::move(head);
  novelty_ = std::move(novelty);
}

void RunFolder::on_interrupt(const Graph& graph, const TrainState& state) { save_checkpoint(graph, state); }

void RunFolder::log_evaluation(std::string_view split, const Evaluation& evaluation) {
  Json line = evaluation.to_json();
  line["kind"] = "evaluation";
  line["split"] = split;
  log(line);
}

void RunFolder::save_predictions(std::span<const Judged> splits) const {
  std::string lines;
  for (const Judged& judged : splits) {
    const std::set<std::size_t> shown = worth_a_look(judged.evaluation.pictures);
    for (std::size_t i = 0; i < judged.evaluation.pictures.size(); ++i) {
      const PictureScore& score = judged.evaluation.pictures[i];
      Json line{{"split", judged.split},
                {"index", score.index},
                {"file", place_of(judged.data, score.index)},
                {"label", score.label},
                {"predicted", score.predicted},
                {"loss", score.loss}};
      if (score.probability) line["probability"] = *score.probability;
      if (shown.contains(i)) add_thumbnail(judged.data, score.index, line);
      // A name may be no UTF-8.
      lines += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    }
  }
  write_file(folder_ / predictions_name, lines);
}

void RunFolder::log_diverged(std::string_view message) { log({{"kind", "diverged"}, {"message", message}}); }

void RunFolder::save_final(const Graph& graph, const TrainResult& result) {
  std::error_code code;
  if (!fs::exists(folder_ / best_name))
    fs::rename(folder_ / model_name, folder_ / best_name, code);  // until finish(), for a run that goes on
  if (code) throw Error(ErrorKind::io, text((folder_ / best_name).string(), ": ", code.message()));
  save_best(graph, result.best_epoch, result.best_value);
}

Json RunFolder::finish(const TrainResult& result, const std::optional<Evaluation>& test, const Json& more) {
  if (result.val) log_evaluation("val", *result.val);
  if (test) log_evaluation("test", *test);
  Json json{{"run", folder_.string()},
            {"net", config_.net},
            {"classes", config_.classes},
            {"multi_label", config_.multi_label},
            {"epochs", result.epochs},
            {"best_epoch", result.best_epoch},
            {"metric", name_of(config_.training.metric)},
            {"best_value", result.best_value},
            {"steps", result.steps},
            {"stopped_early", result.stopped_early},
            {"seconds", result.seconds},
            {"images_per_second", result.images_per_second},
            {"peak_memory_bytes", result.peak_memory_bytes},
            {"train_loss", result.train_loss},
            {"val", result.val ? result.val->to_json() : Json(nullptr)},
            {"test", test ? test->to_json() : Json(nullptr)}};
  if (!more.is_null()) json["transfer"] = more;
  write_json(folder_ / result_name, json);
  std::error_code gone;
  fs::remove(folder_ / best_name, gone);
  return json;
}

}  // namespace enxerto
