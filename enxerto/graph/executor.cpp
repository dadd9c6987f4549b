#include "enxerto/graph/executor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "enxerto/core/environment.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/lower.h"
#include "enxerto/graph/plan.h"
#include "enxerto/kernels/onednn/onednn.h"

namespace enxerto {
namespace {

using Run = Plan::Run;
using Step = Plan::Step;
constexpr int none = Plan::none;

std::size_t at(int index) { return Plan::at(index); }

std::vector<std::string> names_of(std::span<const Param> params) {
  std::vector<std::string> names;
  for (const Param& each : params) names.push_back(each.name);
  return names;
}

/// The graph as it will be run.
Graph prepared(Graph graph, const ExecutorConfig& config) {
  if (!config.side_outputs && !graph.side_outputs().empty()) {
    const std::string last = graph.node(graph.last()).name;
    graph.cut_after(last);
  }
  // Lowering takes what is frozen for inference, and fused layers have no backward.
  if (!config.lower || config.reference || config.input_gradient) return graph;
  return lower(std::move(graph), config.train);
}

bool all_finite(std::span<const float> data) {
  return std::ranges::all_of(data, [](float x) { return std::isfinite(x); });
}

bool all_finite(const Layout& layout, const float* data) {
  if (!layout.bf16) return all_finite({data, static_cast<std::size_t>(layout.size())});
  const auto* const halves = reinterpret_cast<const std::uint16_t*>(data);
  return std::all_of(halves, halves + layout.elements(),
                     [](std::uint16_t x) { return (x & 0x7F80) != 0x7F80; });
}

}  // namespace

/// A plan with memory, values and clocks.
struct Executor::State {
  /// Parameter `param` of a run.
  struct ParamPlace {
    int run, param;
  };
  /// A run's parameters and their gradients, null where they are not trained.
  struct Params {
    std::vector<float*> values, gradients;
  };
  struct Clock {
    double seconds = 0;
    std::int64_t runs = 0;
  };

  /// `names`: of the parameters, in the order of the graph as it was written: lowering moves nodes.
  State(Plan made, const std::vector<std::string>& names)
      : plan(std::move(made)), arena(Tensor::untouched({.n = plan.floats})), clocks(plan.steps.size()) {
    place_params(names);
    pack_all();
  }
  static std::unique_ptr<State> of(Graph graph, ExecutorConfig config) {
    if (environment().reference_kernels) config.reference = true;
    ensure(config.batch > 0, "a batch has pictures");
    ensure(config.train || !config.input_gradient, "only an executor made for training goes backward");
    const std::vector<std::string> names = names_of(graph.params());
    return std::make_unique<State>(plan_of(prepared(std::move(graph), config), config), names);
  }

  // ---- parameters --------------------------------------------------------------------------------------

  void place_params(const std::vector<std::string>& names) {
    std::int64_t values = 0, grads = 0;
    const auto rounded = [](std::int64_t size) { return (size + 15) / 16 * 16; };
    for (const Run& run : plan.runs) {
      const std::vector<int>& params = run.param_ids;
      ensure(params.size() == run.op->info().params.size(), "an op has its layer's parameters");
      for (std::size_t p = 0; p < params.size(); ++p) {
        const std::int64_t size = rounded(run.op->info().params[p]);
        values += size;
        if (run.wants_dparams && param(params[p]).trainable()) grads += size;
      }
    }
    // What is not packed yet takes no memory yet, and what is packed goes at once: one parameter is there
    // twice.
    value_arena = Tensor::untouched({.n = values});
    grad_arena = Tensor::untouched({.n = grads});
    params_of.resize(plan.runs.size());
    std::vector<std::pair<Update, ParamPlace>> made;
    float* value = value_arena.data().data();
    float* grad = grad_arena.data().data();
    for (std::size_t r = 0; r < plan.runs.size(); ++r) {
      const Run& run = plan.runs[r];
      const std::vector<int>& params = run.param_ids;
      for (std::size_t p = 0; p < params.size(); ++p) {
        const std::int64_t size = run.op->info().params[p];
        params_of[r].values.push_back(value);
        const bool trainable = run.wants_dparams && param(params[p]).trainable();
        params_of[r].gradients.push_back(trainable ? grad : nullptr);
        if (trainable) {
          made.push_back({{param(params[p]).name,
                           {value, static_cast<std::size_t>(size)},
                           {grad, static_cast<std::size_t>(size)},
                           param(params[p]).decays()},
                          {static_cast<int>(r), static_cast<int>(p)}});
          grad += rounded(size);
        }
        value += rounded(size);
      }
    }
    for (const std::string& name : names)
      for (const auto& [update, place] : made)
        if (update.name == name) updates.push_back(update), update_places.push_back(place);
    ensure(updates.size() == made.size(), "lowering keeps the names of what is trained");
  }

  /// Into the kernels' order; the plain values of the program are not needed any more. The largest go first,
  /// while little of the rest is there twice or, for Winograd, grown.
  void pack_all() {
    std::vector<ParamPlace> order;
    for (std::size_t r = 0; r < params_of.size(); ++r)
      for (std::size_t p = 0; p < params_of[r].values.size(); ++p)
        order.push_back({static_cast<int>(r), static_cast<int>(p)});
    std::ranges::stable_sort(order, std::greater(),
                             [&](const ParamPlace& place) { return packed(place).size(); });
    for (const ParamPlace& place : order) {
      const Run& run = plan.runs[at(place.run)];
      Tensor& value = param(run.param_ids[at(place.param)]).value;
      run.op->pack(place.param, value.data(), packed(place));
      value = Tensor();
    }
  }
  std::span<float> packed(const ParamPlace& place) const {
    return {params_of[at(place.run)].values[at(place.param)],
            static_cast<std::size_t>(plan.runs[at(place.run)].op->info().params[at(place.param)])};
  }
  Param& param(int index) { return plan.program.params()[at(index)]; }

  // ---- running -----------------------------------------------------------------------------------------

  float* memory(int buffer) {
    return buffer < 0 ? nullptr : arena.data().data() + plan.buffers[at(buffer)].offset;
  }
  float* data(int cell) { return memory(plan.cells[at(cell)].buffer); }

  const float* read(int cell) {
    if (cell == plan.input) return images;
    if (cell == plan.dout) return dout;
    for (std::size_t k = 0; k < plan.side_douts.size(); ++k)
      if (cell == plan.side_douts[k]) return side_douts[k];
    return data(cell);
  }
  Rng rng_of(const Run& run) const {
    return Rng(plan.config.seed).child(static_cast<std::uint64_t>(training_step), at(run.node));
  }

  /// Calls run(s) for step s of the forward pass as often as that runs. run says whether to go on.
  template <class Do>
  void each_forward_step(const float* all_images, Do run) {
    run_level(plan.level_ends.size(), all_images, 0, run);
  }
  /// For one part of a level (behind the last: for the batch), which begins at that picture of the next
  /// level's: all levels inside it, then its own steps.
  template <class Do>
  bool run_level(std::size_t level, const float* from, int begin, Do& run) {
    if (level == 0)
      images = from;
    else
      for (int part = 0; part < plan.levels[level - 1].count; ++part) {
        const int first = plan.levels[level - 1].begin(part, plan.pictures_at(level));
        if (!run_level(level - 1, from + first * plan.program.input_shape().size(), first, run)) return false;
      }
    part_begin = begin;  // `images` are still those of the last part; nobody reads them from here on
    const int end = level < plan.level_ends.size() ? plan.level_ends[level] : plan.forward_steps;
    for (int s = level > 0 ? plan.level_ends[level - 1] : 0; s < end; ++s)
      if (!run(at(s))) return false;
    return true;
  }

  /// A part's output to its place in the next level's.
  void gather(const Plan::Reorder& copy) {
    const Layout& part = plan.layout(copy.from);
    const std::int64_t width = part.bf16 ? 2 : 4, bytes = part.elements() * width;
    std::memcpy(reinterpret_cast<std::byte*>(data(copy.to)) + bytes / part.shape.n * part_begin,
                read(copy.from), static_cast<std::size_t>(bytes));
  }

  void forward_step(const Step& step) {
    if (step.run == none) {
      if (plan.layout(step.reorder.from).shape.n < plan.layout(step.reorder.to).shape.n)
        return gather(step.reorder);
      enxerto::reorder(plan.layout(step.reorder.from), read(step.reorder.from), plan.layout(step.reorder.to),
                       data(step.reorder.to));
      return;
    }
    const Run& run = plan.runs[at(step.run)];
    pointers.clear();
    for (const int cell : run.in) pointers.push_back(read(cell));
    run_forward(step, data(run.out), memory(run.forward_scratch));
  }

  /// With the inputs in `pointers`.
  void run_forward(const Step& step, float* out, float* scratch) {
    const Run& run = plan.runs[at(step.run)];
    const OpInfo& info = run.op->info();
    if (info.in_place_required && out != pointers[at(info.in_place)])
      std::memcpy(out, pointers[at(info.in_place)],
                  static_cast<std::size_t>(info.out.size()) * sizeof(float));
    run.op->forward({.in = pointers,
                     .params = params_of[at(step.run)].values,
                     .out = out,
                     .saved = memory(run.saved),
                     .scratch = scratch,
                     .rng = rng_of(run)});
  }

  void backward_step(const Step& step) {
    if (step.run == none) return forward_step(step);
    if (step.anew) return rebuild_step(step);
    const Run& run = plan.runs[at(step.run)];
    const OpInfo& info = run.op->info();
    pointers.clear();
    for (std::size_t k = 0; k < run.in.size(); ++k)
      pointers.push_back(info.keeps_in[k] ? read(plan.kept[at(run.in[k])]) : nullptr);
    gradients.clear();
    for (const Plan::Gradient& to : step.gradients)
      gradients.push_back(to.written == none ? nullptr : data(to.written));
    run.op->backward({.in = pointers,
                      .params = params_of[at(step.run)].values,
                      .out = info.keeps_out ? data(plan.kept[at(run.out)]) : nullptr,
                      .dout = read(step.dout),
                      .din = gradients,
                      .dparams = params_of[at(step.run)].gradients,
                      .saved = memory(run.saved),
                      .scratch = memory(run.backward_scratch),
                      .rng = rng_of(run)});
    for (const Plan::Gradient& to : step.gradients) {
      if (to.written == none) continue;
      if (to.reordered != none)
        enxerto::reorder(plan.layout(to.written), data(to.written), plan.layout(to.reordered),
                         data(to.reordered));
      if (to.sum != none)
        accumulate(plan.layout(to.sum), data(to.reordered == none ? to.written : to.reordered), data(to.sum));
    }
  }

  void rebuild_step(const Step& step) {
    const Run& run = plan.runs[at(step.run)];
    pointers.clear();
    for (const int cell : run.in) pointers.push_back(read(plan.kept[at(cell)]));
    if (!run.op->info().rebuilds)
      return run_forward(step, data(plan.kept[at(run.out)]), memory(run.anew_scratch));
    run.op->rebuild({.in = pointers,
                     .params = params_of[at(step.run)].values,
                     .out = data(plan.kept[at(run.out)]),
                     .saved = memory(run.saved),
                     .rng = rng_of(run)});
  }

  /// Whether the output of a forward step is; copies have what was looked at before.
  bool is_finite(const Step& step) {
    if (step.run == none) return true;
    const int out = plan.runs[at(step.run)].out;
    return all_finite(plan.layout(out), data(out));
  }
  const std::string& name_of(const Step& step) const { return plan.node_of(plan.runs[at(step.run)]).name; }

  void timed_step(std::size_t s) {
    const Step& step = plan.steps[s];
    const double start = now_seconds();
    step.backward ? backward_step(step) : forward_step(step);
    clocks[s].seconds += now_seconds() - start;
    ++clocks[s].runs;
  }

  Plan plan;
  Tensor arena, value_arena, grad_arena;
  std::vector<Params> params_of;  ///< by run
  std::vector<Update> updates;
  std::vector<ParamPlace> update_places;
  std::vector<Clock> clocks;  ///< by step

  const float* images = nullptr;
  std::int64_t part_begin = 0;  ///< picture
  const float* dout = nullptr;
  std::vector<const float*> side_douts;
  std::int64_t training_step = 0;
  std::vector<const float*> pointers;
  std::vector<float*> gradients;
};

bool has_bf16() { return onednn::has_bf16(); }

void require_bf16() {
  if (!has_bf16())
    throw Error(ErrorKind::unsupported,
                "bfloat16: this processor has no arithmetic for it (AVX-512 BF16 or AMX), where it would "
                "crawl; leave it out");
}

Executor::Executor(const Graph& graph, const ExecutorConfig& config)
    : state_(State::of(graph.clone(), config)) {}
Executor::Executor(Graph&& graph, const ExecutorConfig& config)
    : state_(State::of(std::move(graph), config)) {}
Executor::~Executor() = default;
Executor::Executor(Executor&&) noexcept = default;
Executor& Executor::operator=(Executor&&) noexcept = default;

ConstView Executor::forward(ConstView images, std::int64_t step) {
  State& state = *state_;
  const Plan& plan = state.plan;
  const Shape in = plan.batched(plan.program.input_shape()), out = plan.batched(plan.program.output_shape());
  ensure(images.shape == in, "the batch has the size that was planned for");
  state.training_step = step;
  state.each_forward_step(images.data.data(), [&](std::size_t s) {
    state.timed_step(s);
    if (environment().check_finite && !state.is_finite(plan.steps[s]))
      throw Error(ErrorKind::diverged,
                  text("layer ", state.name_of(plan.steps[s]), " made a NaN or infinity at step ", step));
    return true;
  });
  return {out, {state.read(plan.output), static_cast<std::size_t>(out.size())}};
}

ConstView Executor::side_output(std::size_t k) const {
  State& state = *state_;
  const Plan& plan = state.plan;
  ensure(k < plan.side_outputs.size(), "side outputs are asked for when an executor is made");
  const Shape shape = plan.batched(plan.program.node(plan.program.side_outputs()[k]).out);
  return {shape, {state.read(plan.side_outputs[k]), static_cast<std::size_t>(shape.size())}};
}

void Executor::backward(ConstView dout, std::span<const ConstView> side_douts) {
  State& state = *state_;
  const Plan& plan = state.plan;
  ensure(plan.config.train, "only an executor made for training goes backward");
  ensure(dout.shape == plan.batched(plan.program.output_shape()), "dout is shaped like the output");
  ensure(side_douts.size() == plan.side_outputs.size(), "there is a gradient for each side output");
  state.dout = dout.data.data();
  state.side_douts.clear();
  for (std::size_t k = 0; k < side_douts.size(); ++k) {
    ensure(side_douts[k].shape == plan.layout(plan.side_outputs[k]).shape,
           "a side output's gradient is shaped like it");
    state.side_douts.push_back(side_douts[k].data.data());
  }
  for (std::size_t s = at(plan.forward_steps); s < plan.steps.size(); ++s) state.timed_step(s);
}

ConstView Executor::input_gradient() const {
  const Plan& plan = state_->plan;
  ensure(plan.input_gradient != none, "the images' gradient is asked for when an executor is made");
  const Shape shape = plan.batched(plan.program.input_shape());
  return {shape, {state_->data(plan.input_gradient), static_cast<std::size_t>(shape.size())}};
}

ConstView Executor::side_gradient(std::size_t k) const {
  const Plan& plan = state_->plan;
  ensure(k < plan.side_outputs.size() && plan.config.input_gradient,
         "side outputs and their gradients are asked for when an executor is made");
  const NodeId id = plan.program.side_outputs()[k];
  const Shape shape = plan.batched(plan.program.node(id).out);
  const int cell = plan.side_gradients.at(id.index);
  return {shape, {state_->data(cell), static_cast<std::size_t>(shape.size())}};
}

std::span<const Update> Executor::updates() const { return state_->updates; }

void Executor::load(const Graph& graph) {
  Graph from = prepared(graph.clone(), state_->plan.config);
  const std::span<Param> params = state_->plan.program.params();
  ensure(from.params().size() == params.size(), "a graph of the same structure");
  for (std::size_t i = 0; i < params.size(); ++i) {
    ensure(from.params()[i].name == params[i].name, "a graph of the same structure");
    params[i].value = std::move(from.params()[i].value);
  }
  state_->pack_all();
}

void Executor::store(Graph& graph) const {
  const Plan& plan = state_->plan;
  for (int r = 0; at(r) < plan.runs.size(); ++r) {
    const Run& run = plan.runs[at(r)];
    if (!plan.config.train || plan.node_of(run).frozen || !run.wants_dparams) continue;
    for (int p = 0; at(p) < run.param_ids.size(); ++p) {
      const std::string& name = state_->param(run.param_ids[at(p)]).name;
      const auto found = std::ranges::find(graph.params(), name, &Param::name);
      ensure(found != graph.params().end(), "a graph of the same structure");
      run.op->unpack(p, state_->packed({r, p}), found->value.data());
    }
  }
}

Tensor Executor::unpack(std::size_t update, std::span<const float> packed) const {
  const auto [r, p] = state_->update_places.at(update);
  const Run& run = state_->plan.runs[at(r)];
  Tensor plain(state_->param(run.param_ids[at(p)]).spec.shape);
  run.op->unpack(p, packed, plain.data());
  return plain;
}

void Executor::pack(std::size_t update, ConstView plain, std::span<float> packed) const {
  const auto [r, p] = state_->update_places.at(update);
  state_->plan.runs[at(r)].op->pack(p, plain.data, packed);
}

int Executor::batch() const { return state_->plan.config.batch; }
std::int64_t Executor::memory_bytes() const {
  return static_cast<std::int64_t>(state_->arena.data().size_bytes());
}
std::int64_t Executor::param_bytes() const {
  return static_cast<std::int64_t>(state_->value_arena.data().size_bytes() +
                                   state_->grad_arena.data().size_bytes());
}

std::vector<StepProfile> Executor::profile() const {
  const Plan& plan = state_->plan;
  std::vector<StepProfile> rows;
  constexpr auto bytes = static_cast<std::int64_t>(sizeof(float));
  for (int s = 0; at(s) < plan.steps.size(); ++s) {
    const Step& step = plan.steps[at(s)];
    const State::Clock& clock = state_->clocks[at(s)];
    StepProfile row;
    // As often as the step runs for a batch.
    const std::int64_t times = plan.times_of(s);
    row.bytes = plan.traffic(step) * bytes * times;
    row.live_bytes = plan.live_floats(step.time) * bytes;
    row.backward = step.backward;
    row.seconds = clock.seconds;
    row.runs = clock.runs / times;
    if (step.run == none) {
      row.kind = plan.is_gathering(s) ? "gather" : "reorder";
      row.implementation = format_layout(plan.layout(step.reorder.from)) + " to " +
                           format_layout(plan.layout(step.reorder.to));
    } else {
      const Run& run = plan.runs[at(step.run)];
      const Node& node = plan.node_of(run);
      row.node = node.name;
      row.kind = kind_of(node.layer);
      row.implementation = run.op->info().implementation;
      row.multiply_adds = run.op->info().multiply_adds * times;
      if (step.anew) row.implementation = text("anew: ", row.implementation);
      if (step.backward && !step.anew) {
        const bool din =
            std::ranges::any_of(step.gradients, [](const auto& to) { return to.written != none; });
        row.multiply_adds *= (din ? 1 : 0) + (run.wants_dparams ? 1 : 0);
      }
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string Executor::find_not_finite(ConstView images, std::int64_t step) {
  State& state = *state_;
  if (!all_finite(images.data)) return "input";
  state.training_step = step;
  std::string found;
  state.each_forward_step(images.data.data(), [&](std::size_t s) {
    const Step& each = state.plan.steps[s];
    state.forward_step(each);
    if (!state.is_finite(each)) found = state.name_of(each);
    return found.empty();
  });
  return found;
}

}  // namespace enxerto
