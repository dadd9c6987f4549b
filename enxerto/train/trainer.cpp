#include "enxerto/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

void check(bool holds, const std::string& wrong) {
  if (!holds) throw Error(ErrorKind::usage, wrong);
}

Schedule schedule_of(const TrainConfig& config, std::int64_t steps_an_epoch) {
  Schedule schedule = config.schedule;
  if (schedule.total == 0) schedule.total = steps_an_epoch * config.epochs;
  check_schedule(schedule);
  return schedule;
}

void check_labels(const Dataset& data) {
  if (data.multi_label()) return;  // none says that it shows none of the classes
  const auto classes = static_cast<std::int32_t>(data.classes().size());
  for (std::int64_t i = 0; i < data.size(); ++i)
    check(data.label(i) >= 0 && data.label(i) < classes,
          text(data.name(i), ": it has no label; training needs one for each picture"));
}

/// Of the pictures.
void check_data(const Dataset& data, const Dataset* val, const TrainConfig& config) {
  check(config.batch >= 1, text("batch: at least 1, not ", config.batch));
  check(data.size() > 0, "there are no pictures to train on");
  check_labels(data);
  if (!val) return;
  check(val->multi_label() == data.multi_label(),
        "train and val differ in whether a picture may have several labels");
  check(std::ranges::equal(val->classes(), data.classes()), "train and val have different classes");
}

void check_arguments(const Graph& graph, const Feeds& feeds, const TrainConfig& config) {
  check(config.epochs >= 1, text("epochs: at least 1, not ", config.epochs));
  check(config.patience >= 0, text("patience: 0 or more, not ", config.patience));
  check(config.min_delta >= 0 && std::isfinite(config.min_delta), "min_delta: 0 or more");
  for (const LayerRate& rate : config.layer_rates)
    check(rate.scale >= 0 && rate.scale <= 1e6,
          text("the rate of \"", rate.prefix, "\": 0 to 1e6 times, not ", rate.scale));
  check(config.clip_norm >= 0 && std::isfinite(config.clip_norm), "clip_norm: 0 (none) or more");
  check(config.penalty.l1 >= 0 && config.penalty.l2 >= 0 && std::isfinite(config.penalty.l1) &&
            std::isfinite(config.penalty.l2),
        "the penalties l1 and l2 have to be 0 or more");
  const auto classes = static_cast<std::int64_t>(feeds.classes.size());
  check_loss(config.loss, classes);
  const bool multi = feeds.multi_label, is_bce = std::holds_alternative<BinaryCrossEntropy>(config.loss);
  check(!multi || is_bce,
        "the pictures may have several labels, each class is a question: the loss has to be bce");
  check(!feeds.only_loss || config.metric == Metric::val_loss || config.metric == Metric::train_loss,
        text("the metric ", name_of(config.metric),
             " is for classes, and the targets are none; choose val_loss"));
  check(multi || config.metric != Metric::val_map,
        "the metric val_map is for pictures with several labels; choose val_top1 or val_loss");
  check(config.metric == Metric::train_loss || (feeds.val && feeds.val->size() > 0),
        text("the metric ", name_of(config.metric),
             " needs validation data; hold some back or choose train_loss"));
  Shape given = feeds.train.shape();
  given.n = 1;
  check(graph.input_shape() == given, text("the network takes ", format_shape(graph.input_shape()),
                                           ", what is fed to it is ", format_shape(given)));
  check(graph.output_shape().size() == classes,
        text("the network has ", graph.output_shape().size(), " outputs, the data ", classes, " classes"));
  for (const NodeId id : graph.side_outputs())
    check(graph.node(id).out.size() == classes,
          text("the side output \"", graph.node(id).name, "\" has ", graph.node(id).out.size(),
               " numbers, the data ", classes, " classes; train the network without it"));
  check(std::holds_alternative<MeanSquaredError>(config.loss) ||
            !std::holds_alternative<Softmax>(graph.node(graph.last()).layer),
        text("\"", graph.node(graph.last()).name, "\": ",
             is_bce ? "bce takes a sigmoid of each output, not their softmax"
                    : "cross-entropy takes the softmax itself",
             "; train the network without its last layer"));
}

/// A network's outputs with the gradients of the loss by them: the last node's, and those of auxiliary
/// classifiers, whose losses count auxiliary_share each.
class Losses {
 public:
  Losses(const Graph& graph, int batch) : main_({.n = batch, .c = graph.output_shape().size()}) {
    for (std::size_t k = 0; k < graph.side_outputs().size(); ++k) sides_.emplace_back(main_.shape());
  }
  /// The loss after a forward pass; the gradients are ready then.
  double of(const LossConfig& config, const Executor& executor, ConstView outputs, const Batch& batch) {
    const auto loss_by = [&](ConstView from, View gradient) {
      return batch.targets.empty() ? loss_of(config, from, batch.labels, gradient)
                                   : loss_of(config, from, batch.targets.view(), gradient);
    };
    shape_ = outputs.shape;
    double loss = loss_by(outputs, {shape_, main_.data()});
    for (std::size_t k = 0; k < sides_.size(); ++k) {
      const ConstView side = executor.side_output(k);
      loss += auxiliary_share * loss_by(side, {side.shape, sides_[k].data()});
      for (float& gradient : sides_[k].data()) gradient *= static_cast<float>(auxiliary_share);
    }
    return loss;
  }
  void backward(Executor& executor) const {
    std::vector<ConstView> sides;
    for (std::size_t k = 0; k < sides_.size(); ++k)
      sides.push_back({executor.side_output(k).shape, sides_[k].data()});
    executor.backward({shape_, main_.data()}, sides);
  }

 private:
  Tensor main_;
  std::vector<Tensor> sides_;
  Shape shape_;
};

/// The parameter whose gradient turned first: backward goes from the last to the first.
std::string find_not_finite_gradient(std::span<const Update> updates) {
  for (std::size_t i = updates.size(); i-- > 0;)
    if (!std::ranges::all_of(updates[i].grad, [](float g) { return std::isfinite(g); }))
      return std::string(updates[i].name);
  return {};
}

[[noreturn]] void fail_diverged(Executor& executor, ConstView images, const TrainState& state, double loss) {
  const std::string gradient = find_not_finite_gradient(executor.updates());
  const std::string layer = executor.find_not_finite(images, state.step);
  std::string what;
  if (!layer.empty())
    what = text("the first layer that is not finite is \"", layer, "\"");
  else if (!gradient.empty())
    what = text("the gradient of \"", gradient, "\" is not finite");
  else
    what = std::isfinite(loss) ? "the gradients are too large" : "the loss is too large";
  throw Error(ErrorKind::diverged,
              text("step ", state.step + 1, " (epoch ", state.epoch + 1, "): the run diverged, loss ", loss,
                   "; ", what, "; lower --lr, or clip the gradients"));
}

/// Pictures with a label, and those of them whose likeliest class is one.
struct Counted {
  std::int64_t labelled = 0, right = 0;
  double top1() const { return labelled ? static_cast<double>(right) / static_cast<double>(labelled) : 0; }
};

Counted count_right(ConstView outputs, const Batch& batch) {
  const auto c = outputs.data.size() / static_cast<std::size_t>(outputs.shape.n);
  Counted counted;
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    const auto row = outputs.data.subspan(i * c, c);
    if (batch.targets.empty()) {
      ++counted.labelled;
      counted.right += rank_of(row, batch.labels[i]) == 0;
      continue;
    }
    // Of a mixed picture the label with the larger share is the one to find.
    const auto target = batch.targets.data().subspan(i * c, c);
    const auto best = std::ranges::max_element(row) - row.begin();
    counted.labelled += std::ranges::any_of(target, [](float share) { return share >= 0.5f; });
    counted.right += target[static_cast<std::size_t>(best)] >= 0.5f;
  }
  return counted;
}

/// Validation with an executor of its own, which folds and fuses what training cannot.
class Validation {
 public:
  Validation(const Graph& graph, const Feeds& feeds, const TrainConfig& config, const std::atomic<bool>* stop)
      : executor_(graph, {.batch = static_cast<int>(feeds.val->shape().n)}),
        source_(*feeds.val),
        classes_(feeds.classes) {
    // Without smoothing and weights, so that runs can be compared.
    options_.loss = std::visit([](const auto& held) { return parse_loss(held.kind); }, config.loss);
    options_.only_loss = feeds.only_loss;
    options_.stop = stop;
  }
  Evaluation run(const Graph& graph) {
    executor_.load(graph);
    return evaluate(executor_, source_, classes_, options_);
  }
  std::int64_t bytes() const { return executor_.memory_bytes() + executor_.param_bytes(); }

 private:
  Executor executor_;
  BatchSource& source_;
  std::span<const std::string> classes_;
  EvaluateOptions options_;
};

double value_of(Metric metric, const EpochReport& report) {
  if (metric == Metric::train_loss) return report.train_loss;
  if (metric == Metric::val_map) return report.val->multi_label->mean_average_precision().value_or(0);
  return metric == Metric::val_loss ? report.val->loss : report.val->top1();
}

bool is_better(Metric metric, double value, double than, double min_delta) {
  return larger_is_better(metric) ? value > than + min_delta : value < than - min_delta;
}

bool out_of_patience(const TrainConfig& config, const TrainState& state) {
  return config.patience > 0 &&
         state.epoch - std::max(state.best_epoch, state.patience_from) >= config.patience;
}

double rate_of(std::span<const LayerRate> rates, std::string_view name) {
  double scale = 1;
  std::size_t longest = 0;
  for (const LayerRate& rate : rates)
    if (name.starts_with(rate.prefix) && rate.prefix.size() >= longest) {
      scale = rate.scale;
      longest = rate.prefix.size();
    }
  return scale;
}

}  // namespace

TrainState TrainState::clone() const {
  TrainState copy{.epoch = epoch,
                  .step = step,
                  .step_in_epoch = step_in_epoch,
                  .sums = sums,
                  .seconds = seconds,
                  .best_epoch = best_epoch,
                  .best_value = best_value,
                  .train_loss = train_loss,
                  .best = {},
                  .optimizer = {},
                  .unfroze = unfroze,
                  .patience_from = patience_from};
  for (const auto& [from, to] : {std::pair{&best, &copy.best}, {&optimizer, &copy.optimizer}})
    for (const NamedTensor& tensor : *from) to->push_back({tensor.name, tensor.dims, tensor.value.clone()});
  return copy;
}

bool larger_is_better(Metric metric) { return metric == Metric::val_top1 || metric == Metric::val_map; }

std::int64_t steps_per_epoch(std::int64_t pictures, int batch) {
  return std::max<std::int64_t>(pictures / batch, 1);
}

nlohmann::json EpochReport::to_json() const {
  nlohmann::json json{{"kind", "epoch"},
                      {"epoch", epoch},
                      {"step", step},
                      {"lr", lr},
                      {"train_loss", train_loss},
                      {"grad_norm", grad_norm},
                      {"seconds", seconds},
                      {"total_seconds", total_seconds},
                      {"images_per_second", images_per_second},
                      {"seconds_waiting", seconds_waiting},
                      {"peak_memory_bytes", peak_memory_bytes},
                      {"best", best},
                      {"best_epoch", best_epoch}};
  if (train_top1) json["train_top1"] = *train_top1;
  if (!layers.empty()) json["layers"] = layers_to_json(layers);
  if (!faults.empty()) json["faults"] = faults_to_json(faults);
  if (val) json["val_loss"] = val->loss;
  if (val && !val->only_loss) {
    const Interval interval = val->top1_interval();
    json["val_top1"] = val->top1();
    json["val_top1_interval"] = {interval.low, interval.high};
    if (val->multi_label)
      if (const auto precision = val->multi_label->mean_average_precision()) json["val_map"] = *precision;
  }
  return json;
}

LoaderConfig loader_of(const TrainConfig& config, const Dataset& data, bool trains) {
  return {.batch = static_cast<int>(std::min<std::int64_t>(config.batch, data.size())),
          .workers = config.workers,
          .shuffle = trains,
          .drop_last = trains,
          .seed = config.seed,
          .preprocess = config.preprocess,
          .augment = trains ? config.augment : Augment{},
          .cache_folder = config.cache_folder};
}

TrainResult train(Graph& graph, const Dataset& data, const Dataset* val, const TrainConfig& config,
                  std::span<Observer* const> observers, TrainState from, const std::atomic<bool>* stop) {
  check_data(data, val, config);
  Loader pictures(data, loader_of(config, data, true));
  std::optional<Loader> val_pictures;
  if (val && val->size() > 0) val_pictures.emplace(*val, loader_of(config, *val, false));
  return train(graph,
               {.train = pictures,
                .val = val_pictures ? &*val_pictures : nullptr,
                .classes = data.classes(),
                .multi_label = data.multi_label()},
               config, observers, std::move(from), stop);
}

TrainResult train(Graph& graph, const Feeds& feeds, const TrainConfig& config,
                  std::span<Observer* const> observers, TrainState state, const std::atomic<bool>* stop) {
  check_arguments(graph, feeds, config);
  BatchSource& loader = feeds.train;
  const auto batch_size = static_cast<int>(loader.shape().n);
  const std::int64_t steps_an_epoch = loader.batches();
  const Schedule schedule = schedule_of(config, steps_an_epoch);
  if (config.bf16) require_bf16();
  Executor executor(graph, {.batch = batch_size,
                            .train = true,
                            .bf16 = config.bf16,
                            .recompute = config.recompute ? Recompute::blocks : Recompute::passes,
                            .side_outputs = true,
                            .seed = config.seed});
  const std::span<const Update> updates = executor.updates();
  check(!updates.empty(), "nothing is left to train: all parameters are frozen");
  const auto optimizer = make_optimizer(config.optimizer, updates);
  for (std::size_t i = 0; i < updates.size(); ++i)
    optimizer->rates()[i] = rate_of(config.layer_rates, updates[i].name);
  if (state.step > 0)
    restore_optimizer(*optimizer, executor, state.optimizer, state.step, "the checkpoint", state.unfroze);
  state.unfroze = false;
  std::optional<Validation> validation;
  if (feeds.val && feeds.val->size() > 0) validation.emplace(graph, feeds, config, stop);

  const double started = now_seconds() - state.seconds;
  const auto update_state = [&] {
    state.seconds = now_seconds() - started;
    executor.store(graph);
    if (!observers.empty()) state.optimizer = optimizer_state(*optimizer, executor);
  };
  const auto interrupt = [&] {
    update_state();
    for (Observer* observer : observers) observer->on_interrupt(graph, state);
    throw Error(ErrorKind::interrupted,
                text("interrupted in epoch ", state.epoch + 1, ", after step ", state.step));
  };
  for (Observer* observer : observers)
    observer->on_start({.steps_per_epoch = steps_an_epoch,
                        .pictures = loader.size(),
                        .val_pictures = validation ? feeds.val->size() : 0,
                        .batch = batch_size,
                        .epochs = config.epochs,
                        .first_epoch = state.epoch + 1,
                        .first_step = state.step,
                        .executor_bytes = executor.memory_bytes() + executor.param_bytes() +
                                          (validation ? validation->bytes() : 0),
                        .loader_bytes = loader.memory_bytes() + (validation ? feeds.val->memory_bytes() : 0),
                        .multi_label = feeds.multi_label,
                        .only_loss = feeds.only_loss});

  const auto top1_of = [&](const Counted& counted) {
    return feeds.only_loss ? std::nullopt : std::optional(counted.top1());
  };

  TrainResult result;
  std::int64_t session_pictures = 0;
  double session_seconds = 0;
  Batch batch;
  Losses losses(graph, batch_size);
  for (bool going = true; going && state.epoch < config.epochs && !out_of_patience(config, state);) {
    loader.start(state.epoch + 1);
    for (std::int64_t behind = 0; behind < state.step_in_epoch; ++behind) loader.next(batch);
    double lr = lr_at(schedule, std::max<std::int64_t>(state.step - 1, 0));
    double mark = now_seconds();
    while (loader.next(batch)) {
      const ConstView outputs = executor.forward(batch.images.view(), state.step);
      const double loss =
          losses.of(config.loss, executor, outputs, batch) + penalty_of(config.penalty, updates);
      const Counted counted = feeds.only_loss ? Counted{} : count_right(outputs, batch);
      losses.backward(executor);
      const double norm = gradient_norm(updates, config.penalty);
      if (!std::isfinite(loss) || !std::isfinite(norm))
        fail_diverged(executor, batch.images.view(), state, loss);
      lr = lr_at(schedule, state.step);
      if (state.step_in_epoch + 1 == steps_an_epoch && !observers.empty())
        state.sums.layers = layer_signs(executor);
      optimizer->step(updates, lr, {config.penalty, clip_scale(norm, config.clip_norm)});

      ++state.step;
      ++state.step_in_epoch;
      const double now = now_seconds();
      EpochSums& sums = state.sums;
      sums.pictures += batch_size;
      sums.labelled += counted.labelled;
      sums.right += counted.right;
      sums.loss += loss * batch_size;
      sums.grad_norm += norm;
      sums.seconds += now - mark;
      session_pictures += batch_size;
      session_seconds += now - mark;
      mark = now;
      for (Observer* observer : observers)
        observer->on_step({.epoch = state.epoch + 1,
                           .epochs = config.epochs,
                           .step = state.step,
                           .step_in_epoch = state.step_in_epoch,
                           .steps_per_epoch = steps_an_epoch,
                           .loss = loss,
                           .top1 = top1_of(counted),
                           .lr = lr,
                           .grad_norm = norm,
                           .seconds = now - started,
                           .images_per_second = static_cast<double>(sums.pictures) / sums.seconds,
                           .peak_memory_bytes = peak_memory_bytes()});
      if (stop && *stop) interrupt();
    }

    EpochSums sums = state.sums;
    const auto pictures = static_cast<double>(sums.pictures);
    EpochReport report{.epoch = state.epoch + 1,
                       .epochs = config.epochs,
                       .step = state.step,
                       .lr = lr,
                       .train_loss = sums.loss / pictures,
                       .train_top1 = top1_of({sums.labelled, sums.right}),
                       .grad_norm = sums.grad_norm / static_cast<double>(state.step_in_epoch),
                       .faults = find_faults(sums.layers, state.step - 1, batch_size),
                       .images_per_second = pictures / sums.seconds,
                       .seconds_waiting = loader.seconds_waited()};
    report.layers = std::move(sums.layers);
    const double before_validation = now_seconds();
    if (validation) {
      executor.store(graph);
      try {
        report.val = validation->run(graph);
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) interrupt();
        throw;
      }
    }
    ++state.epoch;
    state.step_in_epoch = 0;
    state.sums = {};
    update_state();
    const double value = value_of(config.metric, report);
    report.best =
        state.best_epoch == 0 || is_better(config.metric, value, state.best_value, config.min_delta);
    if (report.best) {
      state.best_epoch = state.epoch;
      state.best_value = value;
      state.best = graph.state();
    }
    report.best_epoch = state.best_epoch;
    report.seconds = sums.seconds + now_seconds() - before_validation;
    report.total_seconds = state.seconds;
    report.peak_memory_bytes = peak_memory_bytes();
    report.note = loader.note();
    // Of two sources with the same to say, such as a full disk, once.
    if (const std::string note = validation ? feeds.val->note() : ""; !note.empty() && note != report.note)
      report.note += report.note.empty() ? note : "; " + note;
    state.train_loss = report.train_loss;
    for (Observer* observer : observers) going = observer->on_epoch(report, graph, state) && going;
    if (stop && *stop) interrupt();
  }

  graph.load_state(state.best, "the best weights");
  if (validation) result.val = validation->run(graph);
  result.epochs = state.epoch;
  result.best_epoch = state.best_epoch;
  result.best_value = state.best_value;
  result.train_loss = state.train_loss;
  result.steps = state.step;
  result.seconds = now_seconds() - started;
  result.images_per_second =
      session_seconds > 0 ? static_cast<double>(session_pictures) / session_seconds : 0;
  result.peak_memory_bytes = peak_memory_bytes();
  result.stopped_early = state.epoch < config.epochs;
  return result;
}

}  // namespace enxerto
