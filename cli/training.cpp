#include "cli/training.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cli/commands.h"
#include "cli/progress.h"
#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/data/split.h"
#include "enxerto/graph/executor.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/graph/summary.h"
#include "enxerto/report/report.h"
#include "enxerto/transfer/distill.h"
#include "enxerto/weights/checks.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free, "signal handlers may touch nothing else");

std::string format_split(const char* name, const Dataset* data) {
  return data ? text(", ", with_commas(data->size()), " ", name) : "";
}

/// " of 10 classes: "
std::string format_outputs(const RunConfig& config) {
  const std::size_t count = config.classes.size();
  if (!config.distill.is_null())
    return text(", to give what its teacher does, ", with_commas(static_cast<std::int64_t>(count)),
                count == 1 ? " number: " : " numbers: ");
  return text(" of ", count, count == 1 ? " class" : " classes",
              config.multi_label ? ", any number of them in one picture: " : ": ");
}

void print_plan(const RunConfig& config, const Graph& graph, const Splits& splits, const RunStart& start,
                Console& console) {
  const TrainConfig& training = config.training;
  const Summary summary = summarize(graph);
  const std::string name =
      config.net.empty() ? "The network of " + fs::path(config.weights).filename().string() : config.net;
  console.line(text(console.bold(name), " for ", training.preprocess.width, "x", training.preprocess.height,
                    training.preprocess.channels == 1 ? " grey" : " colour", " pictures",
                    format_outputs(config), with_commas(summary.parameters), " parameters",
                    summary.non_trainable ? text(", ", with_commas(summary.trainable), " trained") : ""));
  console.line(text(with_commas(splits.train->size()), " pictures to train with",
                    format_split("for validation", splits.val.get()),
                    format_split("for the test", splits.test.get())));
  const nlohmann::json json = training.to_json();
  console.line(text(json.at("optimizer").at("kind").get<std::string>(), ", lr ", training.schedule.base, " (",
                    json.at("schedule").at("curve").get<std::string>(), "), batch ", training.batch,
                    ", epochs ", start.first_epoch, " to ", training.epochs, ", seed ", training.seed, ", ",
                    threads(), threads() == 1 ? " thread" : " threads"));
  console.line(text("pictures as ", format_preprocess(training.preprocess)));
  if (training.augment.any()) console.line(text("augmented by ", format_augment(training.augment)));
  console.line(text(human_bytes(static_cast<double>(start.executor_bytes)),
                    " of memory for the network, at most ",
                    human_bytes(static_cast<double>(start.loader_bytes)), " for pictures"));
  console.line();
}

/// The file's own network for these pictures and classes. What it says is frozen was so for its last
/// training; only fixed arithmetic stays.
Graph with_new_head(const StartWeights& weights, const Shape& image, int classes) {
  try {
    Graph graph = rebuilt(*weights.graph, {.image = image, .classes = classes, .logits = true});
    for (int i = 0; i <= graph.last().index; ++i)
      if (!std::holds_alternative<Affine>(graph.node({i}).layer)) graph.set_frozen({i}, false);
    return graph;
  } catch (const Error& error) {
    throw Error(error.kind(), text(weights.file, ": ", error.what()));
  }
}

/// Names go into JSON, which is UTF-8: config.json, and what lies in the model file.
void check_utf8(const std::string& name, const char* what) {
  if (!is_utf8(name))
    throw Error(ErrorKind::unsupported,
                text(what, " ", shown(name), " is not UTF-8, as a run's files have to be; rename it"));
}

/// Prints the plan once all of it was found to make sense.
class Plan final : public Observer {
 public:
  Plan(const RunConfig& config, const Graph& graph, const Splits& splits, Console& console)
      : config_(config), graph_(graph), splits_(splits), console_(console) {}
  void on_start(const RunStart& start) override {
    if (!start.goes_on) print_plan(config_, graph_, splits_, start, console_);
  }

 private:
  const RunConfig& config_;
  const Graph& graph_;
  const Splits& splits_;
  Console& console_;
};

std::string format_score(const nlohmann::json& score) {
  if (score.contains("multi_label")) {
    const auto part = [&](const char* key) {
      return score.at(key).is_null() ? "-" : percent(score.at(key).get<double>());
    };
    return text("mAP ", part("mean_average_precision"), ", micro F1 ", part("micro_f1"), ", macro F1 ",
                part("macro_f1"), ", all labels right in ", part("exact_match"), " of ",
                with_commas(score.at("n").get<std::int64_t>()), " pictures, loss ",
                fixed(score.at("loss").get<double>(), 4));
  }
  if (!score.contains("top1"))
    return text("loss ", fixed(score.at("loss").get<double>(), 4), " on ",
                with_commas(score.at("n").get<std::int64_t>()), " pictures");
  const auto& interval = score.at("top1_interval");
  return text(percent(score.at("top1").get<double>()), " of ", with_commas(score.at("n").get<std::int64_t>()),
              " pictures right (95 % interval ", percent(interval.at(0).get<double>()), " to ",
              percent(interval.at(1).get<double>()), "), loss ", fixed(score.at("loss").get<double>(), 4));
}

/// Of the run in a folder, whose config.json may be damaged.
std::string_view verb_of(const fs::path& run) {
  try {
    return cli::verb_of(load_run_config(run));
  } catch (const Error&) {
    return "train";
  }
}

}  // namespace

const std::atomic<bool>& catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop = true; };
  action.sa_flags = SA_RESETHAND | SA_RESTART;  // the second one does what it always does
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return stop;
}

Splits open_splits(const RunConfig& config) {
  if (!config.distill.is_null()) return open_unlabelled(config);
  Splits splits = open_data(config.data);
  if (config.val_as_test) splits = with_val_as_test(std::move(splits));
  return with_splits(std::move(splits), config.val_fraction, config.test_fraction, config.split_seed);
}

Splits open_pictures(const std::string& data) {
  try {
    return open_data(data, {.classes = {}, .for_training = false});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found || !fs::is_directory(data)) throw;
  }
  std::vector<std::string> paths = list_pictures(data);
  LabelTable labels(std::vector<std::int32_t>(paths.size(), unlabelled));
  Splits splits;
  splits.train =
      std::make_shared<const FileDataset>(std::move(paths), std::move(labels), std::vector<std::string>{});
  splits.notes.push_back(text(data, ": has no folder for each class, so no picture has a label"));
  return splits;
}

Splits open_unlabelled(const RunConfig& config) {
  check_utf8(config.data, "the path of the data");
  Splits opened = open_pictures(config.data);
  const auto without = [&](const std::shared_ptr<const Dataset>& pictures) {
    return std::make_shared<Unlabelled>(pictures, config.classes);
  };
  Splits splits{.train = without(opened.train ? opened.train : joined(opened)),
                .val = opened.train && opened.val ? without(opened.val) : nullptr,
                .test = nullptr,
                .notes = std::move(opened.notes)};
  if (opened.train && opened.test) splits.notes.emplace_back("the test pictures are left alone");
  if (splits.val || config.val_fraction == 0) return splits;
  const auto all = splits.train;
  SplitIndices parts =
      split_stratified(labels_of(*all), config.val_fraction, Rng(config.split_seed).child(1));
  splits.notes.push_back(text("val: ", with_commas(std::ssize(parts.taken)), " of ", with_commas(all->size()),
                              " pictures held back"));
  splits.train = std::make_shared<const Subset>(all, std::move(parts.kept));
  if (!parts.taken.empty()) splits.val = std::make_shared<const Subset>(all, std::move(parts.taken));
  return splits;
}

void check_is_new(const fs::path& out) {
  if (!is_utf8(out.string()))
    throw Error(ErrorKind::usage, text("--out: a name in UTF-8, not ", shown(out.string())));
  std::error_code code;
  const fs::file_status status = fs::status(out, code);
  if (status.type() == fs::file_type::not_found) return check_folder(out);
  if (code) throw Error(ErrorKind::io, text(out.string(), ": ", code.message()));
  if (!fs::is_directory(status))
    throw Error(ErrorKind::usage, text(out.string(), ": is a file; choose another --out"));
  if (fs::exists(out / "config.json") && fs::exists(out / "log.jsonl"))
    throw Error(ErrorKind::usage,
                text(out.string(), ": holds a run already; go on with `enxerto ", verb_of(out), " --resume ",
                     shell_word(out), "` or choose another --out"));
  if (!fs::is_empty(out))
    throw Error(ErrorKind::usage, text(out.string(), ": is not empty; choose another --out"));
  check_folder(out);
}

Preprocess preprocess_for(std::string_view net, int size) {
  const NetInfo& info = find_net(net);
  constexpr int usual = 96;
  const int side = size ? size : std::min(usual, static_cast<int>(info.image.h));
  return Preprocess::of(info.normalization, side, side, static_cast<int>(info.image.c));
}

Graph start_network(const RunConfig& config, const StartWeights* weights, Console& console) {
  const Shape image = config.training.preprocess.shape();
  const auto classes = static_cast<int>(config.classes.size());
  Graph graph = config.net.empty() ? with_new_head(*weights, image, classes)
                                   : make_net(config.net, {.image = image, .classes = classes});
  if (weights && weights->batch_norm_eps) graph = rebuilt(graph, {.batch_norm_eps = weights->batch_norm_eps});
  graph.init(parse_init(config.init), Rng(config.training.seed));
  if (weights)
    for (const std::string& note : apply_start_weights(graph, *weights, config.classes)) console.line(note);
  for (const std::string& prefix : config.freeze) graph.freeze(prefix);
  return graph;
}

void record_data(RunConfig& config, const Splits& splits) {
  config.classes.assign(splits.train->classes().begin(), splits.train->classes().end());
  config.multi_label = splits.train->multi_label();
  config.train = record_of(*splits.train);
  if (splits.val) config.val = record_of(*splits.val);
  if (splits.test) config.test = record_of(*splits.test);
}

void add_held_back_flags(CLI::App& verb, double& val_fraction, double& test_fraction) {
  verb.add_option("--val-fraction", val_fraction, "Held back from train where there is no val/")
      ->capture_default_str()
      ->type_name("X");
  verb.add_option("--test-fraction", test_fraction, "Held back from train where there is no test/")
      ->capture_default_str()
      ->type_name("X");
}

NewData open_new_data(RunConfig& config, const std::string& data, const CheckFlags& flags, Console& console) {
  config.data = fs::absolute(data).lexically_normal().string();
  config.threads = threads();
  config.version = ENXERTO_VERSION;
  config.command = command_line();
  check_utf8(config.data, "the path of the data");
  check_utf8(config.weights, "the path of the weights");
  NewData made;
  made.splits = open_data(data);
  for (const std::string& name : made.splits.train->classes()) check_utf8(name, "the name of the class");
  if (config.val_as_test) made.splits = with_val_as_test(std::move(made.splits));
  const HeldBack held_back{.val = !made.splits.val, .test = !made.splits.test};
  made.splits =
      with_splits(std::move(made.splits), config.val_fraction, config.test_fraction, config.split_seed);
  for (const std::string& note : made.splits.notes) console.line(note);
  made.check = check_data(data, held_back, flags, made.splits, console);
  record_data(config, made.splits);
  return made;
}

std::vector<double> balanced_class_weights(const Dataset& data) {
  const std::vector<std::int64_t> counts = class_counts(data);
  std::vector<double> weights;
  for (const std::int64_t count : counts)
    weights.push_back(static_cast<double>(data.size()) /
                      (static_cast<double>(counts.size()) * static_cast<double>(count)));
  return weights;
}

void check_resume_alone(const CLI::App& verb, const std::set<std::string>& allowed) {
  for (const CLI::Option* option : verb.get_options()) {
    const std::string name = option->get_name();
    if (option->count() > 0 && !allowed.contains(name))
      throw CLI::ValidationError(name, "a run goes on as it began; leave this out beside --resume");
  }
}

std::string_view verb_of(const RunConfig& config) {
  if (!config.distill.is_null()) return "distill";
  return config.transfer.is_null() ? "train" : "fit";
}

Resumed open_resumed(const fs::path& folder, std::string_view verb, int threads_wanted, Console& console) {
  if (!fs::exists(folder / "config.json"))
    throw Error(ErrorKind::not_found, text(folder.string(), ": there is no run in it (no config.json)"));
  RunFolder run = RunFolder::resume(folder);
  Resumed made{.run = std::move(run), .splits = {}};
  const RunConfig& config = made.run.config();
  const std::string_view began_by = verb_of(config);
  if (began_by != verb)
    throw Error(ErrorKind::usage, text(folder.string(), ": is a run of ", began_by, "; `enxerto ", began_by,
                                       " --resume ", shell_word(folder), "` goes on"));
  if (fs::exists(folder / "result.json")) {
    nlohmann::json result = nlohmann::json::parse(read_text_file(folder / "result.json"), nullptr, false);
    if (result.is_object() &&
        (result.value("stopped_early", false) || result.value("epochs", 0) >= config.training.epochs)) {
      console.line(text(folder.string(), ": the run has ended already"));
      result["run"] = folder.string();  // it may have been moved since
      made.ended = std::move(result);
      return made;
    }
  }
  if (config.training.bf16) require_bf16();
  if (threads_wanted <= 0) set_threads(config.threads);
  if (threads() != config.threads)
    console.warn(text("the run began with ", config.threads, " threads and goes on with ", threads(),
                      ": its bits will not be those of one that never stopped"));
  made.splits = leave_out_as_in(folder, open_splits(config));
  check_same_data(folder, config, *made.splits.train, made.splits.val.get(), made.splits.test.get());
  return made;
}

RunFolder::Checkpoint place_to_go_on(RunFolder& run, Console& console) {
  if (auto checkpoint = run.take_checkpoint()) return std::move(*checkpoint);
  const RunConfig& config = run.config();
  std::optional<StartWeights> weights;
  if (!config.weights.empty())
    weights =
        load_start_weights({.path = config.weights, .net = config.net, .preprocess = {}, .not_strict = true});
  return {.graph = start_network(config, weights ? &*weights : nullptr, console)};
}

void remove_stillborn(const fs::path& folder) {
  if (fs::exists(folder / "checkpoint.safetensors")) return;
  std::error_code ignored;
  for (const char* name : {"config.json", "log.jsonl", "doctor.json", "predictions.jsonl"})
    fs::remove(folder / name, ignored);
  fs::remove(folder, ignored);  // only where it is empty
}

void save_predictions(const RunFolder& run, const Splits& splits, const std::optional<Evaluation>& val,
                      const std::optional<Evaluation>& test) {
  std::vector<RunFolder::Judged> judged;
  if (val && splits.val && !val->pictures.empty()) judged.push_back({"val", *val, *splits.val});
  if (test && splits.test && !test->pictures.empty()) judged.push_back({"test", *test, *splits.test});
  if (!judged.empty()) run.save_predictions(judged);
}

nlohmann::json train_run(RunFolder& run, Graph graph, TrainState state, const Splits& splits,
                         const Feeding& feeding, Console& console, const TrainHooks& hooks) {
  const std::atomic<bool>& stop_now = catch_interrupts();
  Plan plan(run.config(), graph, splits, console);
  TrainConfig training = run.config().training;
  training.workers = feeding.workers;
  training.cache_folder = feeding.cache_folder;
  Progress progress(console);
  const std::array<Observer*, 3> observers = {&run, &plan, &progress};
  try {
    TrainResult result =
        hooks.trainer
            ? hooks.trainer(graph, training, observers, std::move(state), &stop_now)
            : train(graph, *splits.train, splits.val.get(), training, observers, std::move(state), &stop_now);
    std::optional<Evaluation> test;
    const nlohmann::json more = hooks.finish ? hooks.finish(graph, result, test) : nlohmann::json(nullptr);
    if (splits.test && !test)
      test = evaluate(graph, *splits.test, training.preprocess, training.batch, feeding.workers,
                      {.stop = &stop_now});
    save_predictions(run, splits, result.val, test);
    nlohmann::json json = run.finish(result, test, more);
    report_on(run.folder(), console);
    return json;
  } catch (const Error& error) {
    console.clear();
    if (error.kind() == ErrorKind::interrupted)
      throw Error(error.kind(),
                  text(error.what(), "; what was done is kept, `enxerto ", verb_of(run.config()),
                       " --resume ", shell_word(run.folder()), "` goes on"));
    if (error.kind() == ErrorKind::diverged) {
      run.log_diverged(error.what());
      if (fs::exists(run.folder() / "checkpoint.safetensors")) report_on(run.folder(), console);
    }
    remove_stillborn(run.folder());
    throw;
  }
}

void report_on(const fs::path& run, Console& console) {
  try {
    write_report(run);
  } catch (const Error& error) {
    console.warn(text("the run is kept, but there is no report of it: ", error.what(), "; `enxerto report ",
                      shell_word(run), "` makes it"));
  }
}

void print_outcome(const nlohmann::json& result, Console& console) {
  const fs::path run = result.at("run").get<std::string>();
  const int epochs = result.at("epochs").get<int>();
  console.line();
  console.line(text("Kept: epoch ", result.at("best_epoch").get<int>(), " of ", epochs, ", the best by ",
                    result.at("metric").get<std::string>(),
                    result.at("stopped_early").get<bool>() ? "; stopped early" : ""));
  for (const char* split : {"val", "test"})
    if (const auto& score = result.at(split); !score.is_null())
      console.line(text(pad_right(split, 6), console.bold(format_score(score))));
  console.line(text(human_seconds(result.at("seconds").get<double>()), ", ",
                    with_commas(static_cast<std::int64_t>(result.at("images_per_second").get<double>())),
                    " img/s, ", human_bytes(result.at("peak_memory_bytes").get<double>()),
                    " of memory at most"));
  console.line(text("Model   ", (run / "model.safetensors").string()));
  if (const fs::path report = run / "report.html"; fs::exists(report))
    console.line(text("Report  ", report.string()));
}

}  // namespace enxerto::cli
