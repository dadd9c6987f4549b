/// From a RunConfig to a finished run: what train, train --resume and demo share.
#pragma once

#include <CLI/CLI.hpp>
#include <atomic>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cli/check.h"
#include "cli/console.h"
#include "cli/start.h"
#include "enxerto/data/open.h"
#include "enxerto/train/run_folder.h"

namespace enxerto::cli {

/// From now on SIGINT and SIGTERM set this flag; a second one ends the process at once.
const std::atomic<bool>& catch_interrupts();

/// The data as the run splits them. Error{usage} where --out of a new run cannot be.
Splits open_splits(const RunConfig& config);
/// Pictures of which nobody asks the classes: any split and any class may be missing, and a folder without
/// folders for classes is taken whole.
Splits open_pictures(const std::string& data);
/// The same as the run splits them and without labels, for distillation: they have config.classes as names of
/// the outputs, and what is held back does not depend on labels. Pictures for the test are left alone.
Splits open_unlabelled(const RunConfig& config);
/// Throws Error{usage} unless the folder is empty or is not there.
void check_is_new(const std::filesystem::path& out);

/// Preprocessing as the net wants it for pictures of size x size; 0: its own size, 96 at most.
Preprocess preprocess_for(std::string_view net, int size);
/// The network before its first step: `weights` may be null. Prints notes.
Graph start_network(const RunConfig& config, const StartWeights* weights, Console& console);
/// Fills in what the data say: classes and what identifies the splits.
void record_data(RunConfig& config, const Splits& splits);

/// Adds --val-fraction and --test-fraction.
void add_held_back_flags(CLI::App& verb, double& val_fraction, double& test_fraction);
/// The data of a new run, looked at before it begins.
struct NewData {
  Splits splits;
  std::optional<TrainingCheck> check;  ///< for save_check()
};
/// Opens them as `config` says they are split, prints notes, and fills in what config says of them and of
/// this process. Throws as open_data(), with_splits() and check_data(); unsupported where a name is not
/// UTF-8.
NewData open_new_data(RunConfig& config, const std::string& data, const CheckFlags& flags, Console& console);
/// For a loss in which every class weighs the same: n / (classes * pictures of the class).
std::vector<double> balanced_class_weights(const Dataset& data);

/// A run that failed before its first checkpoint leaves nothing that one could go on from: what it wrote
/// goes.
void remove_stillborn(const std::filesystem::path& folder);

/// Throws CLI::ValidationError where a flag was given beside --resume that is none of these.
void check_resume_alone(const CLI::App& verb, const std::set<std::string>& allowed);
/// A run that goes on, with its data.
struct Resumed {
  RunFolder run;
  Splits splits;
  nlohmann::json ended = nullptr;  ///< its result, where it has ended already: the splits are empty then
};
/// The verb that a run began with: "train", "fit" or "distill".
std::string_view verb_of(const RunConfig& config);
/// `verb` is the one that goes on. Sets the threads: `threads`, or where that is 0 those that the run began
/// with. Throws Error: not_found, usage where the run is the other verb's or its data are others, and what
/// RunFolder::resume() throws.
Resumed open_resumed(const std::filesystem::path& folder, std::string_view verb, int threads,
                     Console& console);

/// Where a run that was not fitted goes on: its checkpoint or, where it was stopped before the first, its
/// start. Takes the checkpoint out of the run.
RunFolder::Checkpoint place_to_go_on(RunFolder& run, Console& console);

/// How pictures come to the network; changes no bits.
struct Feeding {
  int workers = 1;
  std::string cache_folder;
};

/// predictions.jsonl, of the evaluations that there are.
void save_predictions(const RunFolder& run, const Splits& splits, const std::optional<Evaluation>& val,
                      const std::optional<Evaluation>& test);

/// Trains the graph in place from `state` on.
using Trainer =
    std::function<TrainResult(Graph& graph, const TrainConfig& training, std::span<Observer* const> observers,
                              TrainState state, const std::atomic<bool>* stop)>;
/// Where a verb does it its own way.
struct TrainHooks {
  Trainer trainer = {};  ///< empty: train()
  /// May change the best weights and tells what goes under "transfer" into the result. May evaluate the test
  /// pictures too; else that is done afterwards.
  std::function<nlohmann::json(Graph& graph, TrainResult& result, std::optional<Evaluation>& test)> finish =
      {};
};
/// Trains from `state`, evaluates on the test split, writes result and report. Gives back what
/// `enxerto train --json` prints. An Error{interrupted} says how to go on.
nlohmann::json train_run(RunFolder& run, Graph graph, TrainState state, const Splits& splits,
                         const Feeding& feeding, Console& console, const TrainHooks& hooks = {});

/// Writes the page of a run that has ended. Where that fails, the run is none the worse: warns.
void report_on(const std::filesystem::path& run, Console& console);

/// The outcome for people.
void print_outcome(const nlohmann::json& result, Console& console);

}  // namespace enxerto::cli
