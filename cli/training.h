/// From a RunConfig to a finished run: what train, train --resume and demo share.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "cli/console.h"
#include "cli/start.h"
#include "enxerto/data/open.h"
#include "enxerto/train/run_folder.h"

namespace enxerto::cli {

/// From now on SIGINT and SIGTERM set this flag; a second one ends the process at once.
const std::atomic<bool>& catch_interrupts();

/// The data as the run splits them. Error{usage} where --out of a new run cannot be.
Splits open_splits(const RunConfig& config);
/// Throws Error{usage} unless the folder is empty or is not there.
void check_is_new(const std::filesystem::path& out);

/// Preprocessing as the net wants it for pictures of size x size; 0: its own size, 96 at most.
Preprocess preprocess_for(std::string_view net, int size);
/// The network before its first step: `weights` may be null. Prints notes.
Graph start_network(const RunConfig& config, const StartWeights* weights, Console& console);
/// Fills in what the data say: classes and what identifies the splits.
void record_data(RunConfig& config, const Splits& splits);

/// How pictures come to the network; changes no bits.
struct Feeding {
  int workers = 1;
  std::string cache_folder;
};

/// Trains the graph in place from `state` on.
using Trainer =
    std::function<TrainResult(Graph& graph, const TrainConfig& training, std::span<Observer* const> observers,
                              TrainState state, const std::atomic<bool>* stop)>;
/// Trains from `state` by `trainer` (empty: train()), evaluates on the test split, writes result and report.
/// `finish` may change the best weights and tells what goes under "transfer" into the result. Gives back what
/// `enxerto train --json` prints. An Error{interrupted} says how to go on.
nlohmann::json train_run(RunFolder& run, Graph graph, TrainState state, const Splits& splits,
                         const Feeding& feeding, Console& console, const Trainer& trainer = {},
                         const std::function<nlohmann::json(Graph& graph, TrainResult& result)>& finish = {});

/// The outcome for people.
void print_outcome(const nlohmann::json& result, Console& console);

}  // namespace enxerto::cli
