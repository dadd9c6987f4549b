/// train(): a function whose loop can be read in one go. Everything else listens.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>

#include "enxerto/data/loader.h"
#include "enxerto/train/layer_signs.h"
#include "enxerto/train/metrics.h"
#include "enxerto/train/optimizer.h"
#include "enxerto/train/schedule.h"

namespace enxerto {

/// What the loss of each side output adds to that of the last node: auxiliary classifiers, as in Szegedy et
/// al. 2015, section 5.
inline constexpr double auxiliary_share = 0.3;

/// What a run is judged by: the best weights are those of the epoch that is best by it. val_map, the mean
/// average precision, is there for data with several labels a picture.
enum class Metric { val_loss, val_top1, val_map, train_loss };
bool larger_is_better(Metric metric);
Metric parse_metric(std::string_view name);  ///< Error{usage} lists them
std::string_view name_of(Metric metric);

/// Parameters whose names start with `prefix` learn at so many times the rate; the longest prefix counts.
struct LayerRate {
  std::string prefix;
  double scale = 1;  ///< 0 to 1e6
  friend bool operator==(const LayerRate&, const LayerRate&) = default;
};

/// All that decides a run's bits, beside the network's start, the data and the number of threads.
struct TrainConfig {
  int epochs = 10;
  int batch = 32;          ///< of no more pictures than there are
  std::uint64_t seed = 0;  ///< of order, augmentation and dropout
  Preprocess preprocess = {};
  Augment augment = {};
  LossConfig loss = CrossEntropy{};
  OptimizerConfig optimizer = Momentum{};
  Schedule schedule = {};
  Penalty penalty = {};
  std::vector<LayerRate> layer_rates = {};
  /// Activations and their gradients in bfloat16 (ExecutorConfig::bf16); validation stays float.
  /// Error{unsupported} where the processor has no arithmetic for it.
  bool bf16 = false;
  bool recompute = false;  ///< Recompute::blocks: less memory, more time, the same bits
  double clip_norm = 0;    ///< the most that the norm of all gradients may be; 0: no bound
  Metric metric = Metric::val_loss;
  double min_delta = 0;  ///< an epoch is the best only if it is better by more than this
  int patience = 0;      ///< stop after so many epochs without a better one; 0: never
  int workers = 0;       ///< threads that decode; changes no bits
  /// LoaderConfig::cache_folder. A matter of the machine: no part of to_json(), and changes no bits.
  std::filesystem::path cache_folder = {};
  friend bool operator==(const TrainConfig&, const TrainConfig&) = default;

  nlohmann::json to_json() const;
  /// Strict: Error{corrupt} where a key is unknown or missing, or a value absurd.
  static TrainConfig from_json(const nlohmann::json& json);
};

/// Optimizer steps in an epoch: whole batches only, for the padding of a short one would enter the
/// statistics of batch norm. Fewer pictures than a batch make one batch of them all.
std::int64_t steps_per_epoch(std::int64_t pictures, int batch);

/// Sums over the steps of one epoch.
struct EpochSums {
  std::int64_t pictures = 0;
  std::int64_t labelled = 0, right = 0;  ///< with a label, and those of them whose likeliest class is one
  double loss = 0;                       ///< times pictures, penalties included
  double grad_norm = 0;                  ///< times steps
  double seconds = 0;
  std::vector<LayerSigns> layers = {};  ///< of the last step, once it is done and where somebody listens
};

/// Where a run is. Going on from it gives the same bits as never having stopped, in the middle of an
/// epoch too (the pictures before it are then read again).
struct TrainState {
  int epoch = 0;                             ///< whole epochs behind us
  std::int64_t step = 0, step_in_epoch = 0;  ///< steps behind us, and of them in the epoch under way
  EpochSums sums;                            ///< of the epoch under way
  double seconds = 0;                        ///< trained so far, all sessions together
  int best_epoch = 0;                        ///< from 1; 0: none yet
  double best_value = 0;                     ///< of the metric, at that epoch
  double train_loss = 0;                     ///< of the last whole epoch
  NamedTensors best;                         ///< the weights after it
  NamedTensors optimizer;                    ///< see optimizer_state()
  /// What is trained now that was not before is new to `optimizer`, and joins.
  bool unfroze = false;
  /// Patience counts from here on where the best epoch was before: the last epoch of the phase before.
  int patience_from = 0;
  TrainState clone() const;
};

struct RunStart {
  std::int64_t steps_per_epoch = 0, pictures = 0, val_pictures = 0;
  int batch = 0, epochs = 0, first_epoch = 1;  ///< epochs count from 1 in all reports
  std::int64_t first_step = 0;                 ///< steps behind us: not 0 in a run that goes on
  std::int64_t executor_bytes = 0;             ///< planned: activations, gradients, parameters
  std::int64_t loader_bytes = 0;               ///< at most: Loader::memory_bytes() of training and validation
  bool multi_label = false;                    ///< a picture may have several labels
  bool only_loss = false;                      ///< Feeds::only_loss
  bool goes_on = false;  ///< a later phase of a run that on_start() was told of (transfer/tune.h)
};
struct StepReport {
  int epoch = 0, epochs = 0;
  std::int64_t step = 0, step_in_epoch = 0, steps_per_epoch = 0;  ///< with this one: from 1
  double loss = 0;                                                ///< of this batch, penalties included
  std::optional<double> top1 = {};                                ///< of this batch, as train_top1
  double lr = 0, grad_norm = 0;
  double seconds = 0;            ///< trained so far
  double images_per_second = 0;  ///< in this epoch, without validation
  std::int64_t peak_memory_bytes = 0;
};
struct EpochReport {
  int epoch = 0, epochs = 0;
  std::int64_t step = 0;
  double lr = 0;          ///< of the last step
  double train_loss = 0;  ///< over the epoch, while the weights changed
  /// The same. A mixed picture is right if its likeliest class has a share of one half or more. Empty where
  /// the targets are no classes.
  std::optional<double> train_top1 = {};
  double grad_norm = 0;                 ///< mean
  std::vector<LayerSigns> layers = {};  ///< those that learn, at the last step; empty without observers
  std::vector<LayerFault> faults = {};  ///< find_faults() of them
  std::optional<Evaluation> val = {};
  double seconds = 0;            ///< of this epoch, validation included
  double total_seconds = 0;      ///< trained so far
  double images_per_second = 0;  ///< training only
  double seconds_waiting = 0;    ///< of training, for pictures: Loader::seconds_waited()
  std::string note = {};         ///< Loader::note()
  std::int64_t peak_memory_bytes = 0;
  bool best = false;  ///< the best so far
  int best_epoch = 0;
  nlohmann::json to_json() const;  ///< a line of log.jsonl (docs/formats/run-folder.md)
};

/// Hears about a run: console, run log and checkpoints are observers. (Early stopping is a line of the loop:
/// it needs nothing but best_epoch, so that a resumed run stops where it would have.) What one throws ends
/// the run.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_start(const RunStart&) {}
  virtual void on_step(const StepReport&) {}
  /// After validation; the graph has the weights, the state is where a run would go on. Returns false to
  /// end the run.
  virtual bool on_epoch(const EpochReport&, const Graph&, const TrainState&) { return true; }
  /// Interrupted: the graph and the state of now.
  virtual void on_interrupt(const Graph&, const TrainState&) {}
};

struct TrainResult {
  int epochs = 0;      ///< whole epochs, those before a resume included
  int best_epoch = 0;  ///< whose weights the graph has
  double best_value = 0;
  std::int64_t steps = 0;
  double seconds = 0, images_per_second = 0;  ///< images_per_second: in training, of the last session
  std::int64_t peak_memory_bytes = 0;
  bool stopped_early = false;
  double train_loss = 0;          ///< of the last epoch
  std::optional<Evaluation> val;  ///< of the best weights
};

/// How pictures come to training or, where not `trains`, to validation: in their order, unchanged, all of
/// them.
LoaderConfig loader_of(const TrainConfig& config, const Dataset& data, bool trains);

/// Trains in place and leaves the best epoch's weights in the graph. Same arguments and thread count, same
/// weights to the last bit. The last layer gives logits, as many as the data has classes. Data with several
/// labels a picture are trained with the loss bce.
/// Throws Error: usage where the arguments do not fit together (no validation data for a metric of theirs,
/// a picture without label); diverged, naming the layer, where loss or gradient are not finite;
/// interrupted once `stop` turns true, after the observers' on_interrupt(); what data and observers throw.
TrainResult train(Graph& graph, const Dataset& data, const Dataset* val, const TrainConfig& config,
                  std::span<Observer* const> observers = {}, TrainState from = {},
                  const std::atomic<bool>* stop = nullptr);

/// What a run reads where it is not pictures of a dataset: batches of the network's input, such as features.
struct Feeds {
  BatchSource& train;  ///< shuffles, leaves out a last batch that is not full, every picture has labels
  BatchSource* val = nullptr;  ///< does neither; may be null
  std::span<const std::string> classes;
  bool multi_label = false;
  /// Every batch has targets, and these are numbers to come near, not classes: the loss alone tells how well.
  bool only_loss = false;
};
/// The same on these. What config says of pictures (preprocess, augment, batch, workers, cache_folder) has
/// been done by who made them and is not looked at here.
TrainResult train(Graph& graph, const Feeds& feeds, const TrainConfig& config,
                  std::span<Observer* const> observers = {}, TrainState from = {},
                  const std::atomic<bool>* stop = nullptr);

/// Several starts with different seeds, the best kept.
struct Restart {
  std::uint64_t seed = 0;
  double value = 0;        ///< of the metric; not finite where the run diverged
  std::string error = {};  ///< why, where it did
};
struct Restarts {
  std::vector<Restart> all;
  std::size_t best = 0;
  TrainResult result;  ///< of the best
};
/// For each seed from `seed` on: a copy of the graph, started by `init`, is given to `run` (which calls
/// train(), for all epochs or for a few, with what observers it likes). The graph gets the best one's
/// weights, by its best_value. Runs that diverge lose; if all do, the last Error is thrown.
Restarts train_with_restarts(Graph& graph, const Init& init, int runs, std::uint64_t seed, Metric metric,
                             const std::function<TrainResult(Graph&, std::uint64_t seed)>& run);

}  // namespace enxerto
