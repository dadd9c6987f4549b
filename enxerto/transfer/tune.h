/// Training with a frozen part that is computed once: what comes before the first layer that learns runs as a
/// prefix, its rows are kept where there is room, and only the rest is trained. In phases, each of which may
/// free more layers.
#pragma once

#include <string>
#include <vector>

#include "enxerto/train/trainer.h"
#include "enxerto/transfer/features.h"

namespace enxerto {

/// From this epoch on (the first is 1) all nodes up to and with this one are frozen; empty: none.
struct Phase {
  int first_epoch = 1;
  std::string frozen_through;
  friend bool operator==(const Phase&, const Phase&) = default;
};

struct TuneConfig {
  TrainConfig training;
  std::vector<Phase> phases = {{}};  ///< ascending, from epoch 1; each frees what the one before did, or more
  /// Batch norms stay frozen in what is freed too: they go on with the mean and the deviation of their own
  /// training. A head that was fitted to their features would not know those that a batch's mean and
  /// deviation give.
  bool freeze_batch_norm = false;
  /// Where training augments: views of each picture that are kept and come round again; 0: new ones in each
  /// epoch, so that nothing of the training pictures is kept.
  int views = 0;
  bool half = false, bf16 = false;  ///< of the frozen part (Prefix)
  FeatureOptions features = {};     ///< where rows are kept; its views are not read
};

/// What was done with the frozen part in a phase.
struct PhaseStart {
  Phase phase;
  std::string cut;  ///< after which rows are kept; empty: everything is trained
  bool kept = false;
  std::int64_t row_values = 0, bytes = 0;  ///< of a row; of all that are kept, training and validation
};

/// Trains in place and leaves the best epoch's weights in the graph, as train() does, with the same bits
/// whether rows are kept or computed anew. `graph` is whole: observers are given it, so that a RunFolder
/// saves whole models and checkpoints that tune() goes on from. Throws as train() and compute_features().
TrainResult tune(Graph& graph, const Dataset& data, const Dataset* val, const TuneConfig& config,
                 std::span<Observer* const> observers = {}, TrainState from = {},
                 const std::atomic<bool>* stop = nullptr,
                 const std::function<void(const PhaseStart&)>& on_phase = {});

/// A network comes apart into blocks: names of cut points that end one, from the input to the head, as the
/// names of layers tell ("layer1.0", "features.3", "block2"). The last is before the head.
std::vector<std::string> block_ends(const Graph& graph);

/// Unfreezing from the back: a phase with only what follows the last block end, then `stages` in which a
/// growing part of the blocks is free, evenly spread over the epochs; the last frees the part `share` of
/// them.
std::vector<Phase> unfreezing(const Graph& graph, int epochs, int stages, double share);

/// Rates that fall towards the input (as in Howard & Ruder 2018, section 3.2): of the head's rate the last
/// block has the part `last`, the first the part `first`, those between them a geometric row. Both above 0,
/// at most 1.
std::vector<LayerRate> falling_rates(const Graph& graph, double last, double first);

}  // namespace enxerto
