#include "enxerto/transfer/tune.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/graph/split.h"

namespace enxerto {
namespace {

/// Stands between train(), which knows what is trained, and the observers, who are given the whole network.
/// Ends training after the phase's last epoch and remembers where it was.
class WholeNetwork final : public Observer {
 public:
  WholeNetwork(Graph& whole, std::span<Observer* const> observers, int last_epoch, bool first_phase)
      : whole_(whole), observers_(observers), last_epoch_(last_epoch), first_phase_(first_phase) {}
  void on_start(const RunStart& start) override {
    RunStart told = start;
    told.goes_on = !first_phase_;
    for (Observer* observer : observers_) observer->on_start(told);
  }
  void on_step(const StepReport& report) override {
    for (Observer* observer : observers_) observer->on_step(report);
  }
  bool on_epoch(const EpochReport& report, const Graph& part, const TrainState& state) override {
    copy_params(part, whole_);
    bool going = true;
    for (Observer* observer : observers_) going = observer->on_epoch(report, whole_, state) && going;
    if (!going) ended_ = true;
    if (!going || report.epoch < last_epoch_) return going;
    state_ = state.clone();
    last_ = part.state();
    return false;
  }
  void on_interrupt(const Graph& part, const TrainState& state) override {
    copy_params(part, whole_);
    for (Observer* observer : observers_) observer->on_interrupt(whole_, state);
  }

  bool ended() const { return ended_; }  ///< an observer wanted it
  TrainState& state() { return state_; }
  /// The trained part as it was after the phase's last epoch.
  const NamedTensors& last() const { return last_; }

 private:
  Graph& whole_;
  std::span<Observer* const> observers_;
  int last_epoch_;
  bool first_phase_, ended_ = false;
  TrainState state_;
  NamedTensors last_;
};

void check_phases(const TuneConfig& config) {
  const auto& phases = config.phases;
  const auto fail = [](const std::string& wrong) { throw Error(ErrorKind::usage, text("phases: ", wrong)); };
  if (phases.empty() || phases.front().first_epoch != 1) fail("the first begins with epoch 1");
  for (std::size_t i = 1; i < phases.size(); ++i)
    if (phases[i].first_epoch <= phases[i - 1].first_epoch) fail("each begins after the one before");
  if (phases.back().first_epoch > config.training.epochs) fail("one begins after the last epoch");
}

/// Affine layers are fixed arithmetic (a preprocessing that was baked in) and never learn.
void freeze_as(const Phase& phase, bool freeze_batch_norm, Graph& graph) {
  for (int i = 0; i <= graph.last().index; ++i) {
    const auto& layer = graph.node({i}).layer;
    graph.set_frozen({i}, std::holds_alternative<Affine>(layer) ||
                              (freeze_batch_norm && std::holds_alternative<BatchNorm>(layer)));
  }
  if (!phase.frozen_through.empty()) graph.freeze_through(phase.frozen_through);
}

void set_params(const NamedTensors& values, Graph& graph) {
  for (Param& param : graph.params())
    if (const NamedTensor* found = find_tensor(values, param.name))
      std::ranges::copy(found->value.data(), param.value.data().begin());
}

/// The best weights so far, for the parameters of `part`: those that were frozen then have the values that
/// they have now, at the start of the phase that frees them.
NamedTensors best_of(const NamedTensors& best, const Graph& part) {
  NamedTensors made = part.state();
  for (NamedTensor& tensor : made)
    if (const NamedTensor* found = find_tensor(best, tensor.name))
      std::ranges::copy(found->value.data(), tensor.value.data().begin());
  return made;
}

/// Everything that a phase reads and trains.
class PhaseRun {
 public:
  PhaseRun(const Graph& whole, const Dataset& data, const Dataset* val, const TuneConfig& config,
           const std::function<void(const PhaseStart&)>& on_phase, const Phase& phase)
      : data_(data), val_(val), config_(config) {
    PhaseStart start{.phase = phase, .cut = {}};
    const TrainConfig& training = config.training;
    const auto cut = frozen_cut(whole);
    if (!cut || training.augment.mixes()) {
      trained_ = whole.clone();
      if (on_phase) on_phase(start);
      pictures_ = std::make_unique<Loader>(data, loader_config(data, true));
      if (val) val_pictures_ = std::make_unique<Loader>(*val, loader_config(*val, false));
      return;
    }
    SplitGraph split = split_at(whole, whole.node(*cut).name);
    trained_ = std::move(split.suffix);
    start.cut = whole.node(*cut).name;
    prefix_ = {.graph = std::move(split.prefix), .preprocess = training.preprocess, .seed = training.seed};
    Prefix augmented{.graph = prefix_.graph.clone(),
                     .preprocess = training.preprocess,
                     .augment = training.augment,
                     .seed = training.seed};
    prefix_.half = augmented.half = config.half;
    prefix_.bf16 = augmented.bf16 = config.bf16;
    const int views = training.augment.any() ? config.views : 1;
    start.row_values = prefix_.row_size();
    start.kept = views > 0 && can_keep(augmented, data, views);
    if (start.kept) start.bytes = feature_bytes(augmented, data.size(), views);
    const bool keep_val = val && can_keep(prefix_, *val, 1);
    if (keep_val) start.bytes += feature_bytes(prefix_, val->size(), 1);
    if (on_phase) on_phase(start);
    pictures_ = feed_of(augmented, data, views, start.kept, rows_, true);
    if (val) val_pictures_ = feed_of(prefix_, *val, 1, keep_val, val_rows_, false);
  }

  Graph& trained() { return trained_; }
  Feeds feeds() {
    return {.train = *pictures_,
            .val = val_pictures_.get(),
            .classes = data_.classes(),
            .multi_label = data_.multi_label()};
  }

 private:
  LoaderConfig loader_config(const Dataset& data, bool trains) const {
    LoaderConfig made = loader_of(config_.training, data, trains);
    if (trains) made.views = config_.views;
    return made;
  }
  FeatureOptions options(int views) const {
    FeatureOptions made = config_.features;
    made.views = views;
    made.workers = std::max(config_.training.workers, made.workers);
    return made;
  }
  bool can_keep(const Prefix& prefix, const Dataset& data, int views) const {
    return keeping_of(prefix, data.size(), options(views)) != Keeping::nowhere;
  }
  std::unique_ptr<BatchSource> feed_of(const Prefix& prefix, const Dataset& data, int views, bool keep,
                                       std::unique_ptr<Features>& rows, bool trains) const {
    FeedConfig feed{.batch = loader_config(data, trains).batch,
                    .shuffle = trains,
                    .drop_last = trains,
                    .seed = config_.training.seed,
                    .note = {}};
    if (keep) try {
        rows = std::make_unique<Features>(compute_features(prefix, data, options(views)));
        return std::make_unique<FeatureFeed>(*rows, data, feed);
      } catch (const Error& error) {
        // Others' rows fill the file, or the disk is full: no reason to end the run.
        if (error.kind() != ErrorKind::io) throw;
        feed.note = text(error.what(), "; computed anew for each epoch. ");
      }
    return std::make_unique<PrefixFeed>(prefix, data, feed, views, config_.training.workers);
  }

  const Dataset& data_;
  const Dataset* val_;
  const TuneConfig& config_;
  Graph trained_;
  Prefix prefix_;
  std::unique_ptr<Features> rows_, val_rows_;
  std::unique_ptr<BatchSource> pictures_, val_pictures_;
};

/// "layer1.0.conv1" and "features.3.block.0" to "layer1.0" and "features.3": the block that a layer is of.
/// Without a point, or with a long word behind the first: the name itself.
std::string block_of(std::string_view name) {
  const std::size_t first = name.find('.');
  if (first == std::string_view::npos) return std::string(name);
  const std::size_t second = name.find('.', first + 1);
  return std::string(name.substr(0, second == std::string_view::npos ? name.size() : second));
}

}  // namespace

TrainResult tune(Graph& graph, const Dataset& data, const Dataset* val, const TuneConfig& config,
                 std::span<Observer* const> observers, TrainState state, const std::atomic<bool>* stop,
                 const std::function<void(const PhaseStart&)>& on_phase) {
  check_phases(config);
  if (val && val->size() == 0) val = nullptr;
  TrainResult result;
  bool first = true;
  for (std::size_t i = 0; i < config.phases.size(); ++i) {
    const bool last = i + 1 == config.phases.size();
    const int last_epoch = last ? config.training.epochs : config.phases[i + 1].first_epoch - 1;
    if (!last && state.epoch >= last_epoch) continue;  // behind us
    freeze_as(config.phases[i], config.freeze_batch_norm, graph);
    PhaseRun run(graph, data, val, config, on_phase, config.phases[i]);
    if (state.best_epoch > 0) state.best = best_of(state.best, run.trained());
    state.unfroze = state.step > 0;
    state.patience_from = config.phases[i].first_epoch - 1;
    TrainConfig training = config.training;
    if (!last) training.patience = 0;  // what is freed next may still be better
    WholeNetwork whole(graph, observers, last_epoch, first);
    Observer* const observer = &whole;
    result = train(run.trained(), run.feeds(), training, {&observer, 1}, std::move(state), stop);
    first = false;
    if (last || whole.ended()) {
      copy_params(run.trained(), graph);  // the best
      break;
    }
    state = std::move(whole.state());
    set_params(whole.last(), graph);
  }
  return result;
}

std::vector<std::string> block_ends(const Graph& graph) {
  const auto head_index = graph.id_of(head_of(graph).name).index;
  // Blocks of nodes with parameters; a cut point ends one where the next such node is of another block.
  std::vector<std::string> ends;
  std::string last_end;
  for (const NodeId id : cut_points(graph)) {
    if (id.index >= head_index) break;
    std::string before, after;
    for (int i = id.index; i > 0 && before.empty(); --i)
      if (!graph.node({i}).params.empty()) before = block_of(graph.node({i}).name);
    bool splits_pair = false;  // a convolution and its batch norm
    for (int i = id.index + 1; i <= head_index && after.empty(); ++i)
      if (!graph.node({i}).params.empty()) {
        after = block_of(graph.node({i}).name);
        splits_pair = std::holds_alternative<BatchNorm>(graph.node({i}).layer);
      }
    if (before.empty() || before == after || splits_pair) continue;
    // Of several cut points between two blocks (relu, pool) the last ends the first block.
    if (before == last_end)
      ends.back() = graph.node(id).name;
    else
      ends.push_back(graph.node(id).name);
    last_end = before;
  }
  return ends;
}

std::vector<Phase> unfreezing(const Graph& graph, int epochs, int stages, double share) {
  const std::vector<std::string> ends = block_ends(graph);
  if (ends.empty()) return {{}};
  std::vector<Phase> phases;
  const auto blocks = static_cast<double>(ends.size());
  for (int stage = 0; stage <= stages; ++stage) {
    const int first = 1 + stage * epochs / (stages + 1);
    const auto freed = static_cast<std::size_t>(
        std::ceil(blocks * share * static_cast<double>(stage) / std::max(stages, 1) - 1e-9));
    const std::string through = freed >= ends.size() ? "" : ends[ends.size() - 1 - freed];
    if (!phases.empty() && (phases.back().first_epoch == first || phases.back().frozen_through == through)) {
      phases.back().frozen_through = through;
      continue;
    }
    phases.push_back({first, through});
  }
  return phases;
}

std::vector<LayerRate> falling_rates(const Graph& graph, double last, double first) {
  const auto head_index = graph.id_of(head_of(graph).name).index;
  const std::vector<std::string> ends = block_ends(graph);
  std::vector<LayerRate> rates;
  std::size_t block = 0;
  for (int i = 1; i < head_index; ++i) {
    const Node& node = graph.node({i});
    if (!node.params.empty()) {
      const double place = ends.size() < 2 ? 1
                                           : static_cast<double>(std::min(block, ends.size() - 1)) /
                                                 static_cast<double>(ends.size() - 1);
      rates.push_back({node.name + ".", first * std::pow(last / first, place)});
    }
    while (block < ends.size() && ends[block] == node.name) ++block;
  }
  return rates;
}

}  // namespace enxerto
