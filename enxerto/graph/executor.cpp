#include "enxerto/graph/executor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "enxerto/core/environment.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/lower.h"
#include "enxerto/graph/memory_plan.h"
#include "enxerto/graph/parts.h"
#include "enxerto/graph/recompute.h"
#include "enxerto/graph/squeeze_excite.h"
#include "enxerto/kernels/onednn/onednn.h"
#include "enxerto/kernels/ops.h"

namespace enxerto {
namespace {

/// Something in memory: a node's output in one layout, a gradient, scratch. Several may share a buffer.
struct Cell {
  Layout layout;
  int buffer = -1;  ///< -1: the caller's memory
};

constexpr int none = -1;

/// One node made ready.
struct Run {
  int node = none;
  std::unique_ptr<Op> op;
  std::vector<int> in;  ///< cells, in the layouts that the op takes
  int out = none;       ///< cell
  int saved = none, forward_scratch = none, backward_scratch = none;  ///< buffers
  int anew_scratch = none;                                            ///< of a forward pass that is run again
  std::vector<int> param_ids;                                         ///< the program's
  std::vector<float*> params, dparams;
  std::vector<bool> wants_din;
  bool wants_dparams = false;
};

/// A copy from one cell into another of a different layout, or of more pictures: a part into the next
/// level's.
struct Reorder {
  int from = none, to = none;
};

/// What becomes of one input's gradient after the op has written it.
struct Gradient {
  int written = none;    ///< cell that the op writes, in its own layout
  int reordered = none;  ///< cell in the value's layout, where that differs
  int sum = none;        ///< cell of the value's gradient, where there was one already: += of the above
};

/// One step forward or backward.
struct Step {
  int run = none;
  Reorder reorder{};                  ///< instead of a run
  int anew_at = none;                 ///< backward, of a run: its output anew, at this time
  std::vector<Gradient> gradients{};  ///< backward, by input
  int dout = none;                    ///< backward: cell
  bool backward = false;
  double seconds = 0;
  std::int64_t runs = 0;
};

/// Convolutions ask for bf16; batch norm, activations, pooling and factors for channels take what they are
/// offered and make it too, but for means of whole maps, which are floats; all others know floats only.
bool takes_bf16(const AnyLayer& layer) {
  return std::holds_alternative<Conv2d>(layer) || std::holds_alternative<BatchNorm>(layer) ||
         std::holds_alternative<Activate>(layer) || std::holds_alternative<MaxPool2d>(layer) ||
         std::holds_alternative<AvgPool2d>(layer) || std::holds_alternative<AdaptiveAvgPool2d>(layer) ||
         std::holds_alternative<GlobalAvgPool>(layer) || std::holds_alternative<Multiply>(layer);
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

struct Executor::Plan {
  struct ParamPlace {
    int run, param;
  };

  Plan(Graph graph, const ExecutorConfig& asked) : config(asked) {
    if (environment().reference_kernels) config.reference = true;
    std::vector<std::string> names;  // in the order of the graph as it was written: lowering moves nodes
    for (const Param& each : graph.params()) names.push_back(each.name);
    program = prepared(std::move(graph));
    ensure(config.batch > 0, "a batch has pictures");
    ensure(config.train || !config.input_gradient, "only an executor made for training goes backward");
    if (!config.train && !config.reference) levels = part_levels(program, config.batch, threads());
    plan_forward();
    if (config.train) plan_backward();
    place_buffers();
    plan_params(names);
  }

  /// The graph as it will be run.
  Graph prepared(Graph graph) const {
    if (!config.side_outputs && !graph.side_outputs().empty()) {
      const std::string last = graph.node(graph.last()).name;
      graph.cut_after(last);
    }
    // Lowering takes what is frozen for inference, and fused layers have no backward.
    if (!config.lower || config.reference || config.input_gradient) return graph;
    return lower(std::move(graph), config.train);
  }

  // ---- planning ----------------------------------------------------------------------------------------

  void plan_forward() {
    const auto nodes = program.nodes();
    trained = config.input_gradient ? std::vector<bool>(nodes.size(), true) : trained_at_or_below(program);
    value_cell.assign(nodes.size(), none);
    run_of.assign(nodes.size(), none);
    const auto [squeezes, inside] = find_squeezes();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const Node& node = nodes[i];
      if (inside[i]) continue;
      if (std::holds_alternative<Input>(node.layer)) {
        value_cell[i] = add_cell(plain(with_pictures(node.out, pictures_at(0))));
        continue;
      }
      Run run;
      run.node = static_cast<int>(i);
      PlanArgs args;
      args.reference = config.reference;
      args.train = config.train && !node.frozen;
      args.bf16 = config.bf16;
      const SqueezeExcitation* const squeeze = squeezes[i] ? &*squeezes[i] : nullptr;
      const std::vector<NodeId> inputs = squeeze ? std::vector{squeeze->map} : node.inputs;
      run.param_ids = squeeze ? squeeze->params : node.params;
      for (const NodeId input : inputs) {
        const Layout& offered = cells[at(value_cell[at(input.index)])].layout;
        args.in.push_back(takes_bf16(node.layer) ? offered : in_format(offered, false));
        run.wants_din.push_back(config.train && trained[at(input.index)]);
      }
      run.wants_dparams = config.train && has_trainable(node);
      if (config.train && trained[i]) {
        args.wants_din = run.wants_din;
        args.wants_dparams = run.wants_dparams;
      }
      run.op = squeeze ? squeeze_op(*squeeze, args) : plan_op(node.layer, args);
      const OpInfo& info = run.op->info();
      for (std::size_t k = 0; k < inputs.size(); ++k)
        run.in.push_back(in_layout(value_cell[at(inputs[k].index)], info.in[k]));
      run.out = add_cell(info.out);
      value_cell[i] = run.out;
      run_of[i] = static_cast<int>(runs.size());
      steps.push_back({.run = run_of[i]});
      runs.push_back(std::move(run));
      if (level_ends.size() < levels.size() && levels[level_ends.size()].last.index == static_cast<int>(i))
        gather_parts(value_cell[i]);
    }
    output_cell = in_layout(value_cell.back(), plain(batched(program.output_shape())));
    for (const NodeId id : program.side_outputs())
      side_cells.push_back(in_layout(value_cell[at(id.index)], plain(batched(program.node(id).out))));
    forward_steps = static_cast<int>(steps.size());
    // Uses, so that it is known what may be overwritten. What parts are gathered in is written by each.
    for (int s = 0; s < forward_steps; ++s) {
      const Step& step = steps[at(s)];
      if (step.run == none) {
        define(step.reorder.to, is_gathering(s) ? 0 : s), use(step.reorder.from, s);
        continue;
      }
      const Run& run = runs[at(step.run)];
      define(run.out, s);
      for (const int cell : run.in) use(cell, s);
    }
    use(output_cell, forward_steps);  // the caller reads it
    for (const int cell : side_cells) use(cell, forward_steps);
    if (config.train) use_kept();
    if (config.train && config.recompute != Recompute::nothing) plan_rebuilds();
    for (int s = 0; s < forward_steps; ++s) {
      const Step& step = steps[at(s)];
      if (step.run == none) {
        own_buffer(step.reorder.to);
        continue;
      }
      Run& run = runs[at(step.run)];
      const OpInfo& info = run.op->info();
      if (info.in_place >= 0 && may_overwrite(run.in[at(info.in_place)], run, s))
        share_buffer(run.out, run.in[at(info.in_place)]);
      else
        own_buffer(run.out);
      const bool kept = config.train && trained[at(run.node)];
      run.saved = add_buffer(info.saved, s, kept ? backward_time(run.node) : s);
      run.forward_scratch = add_buffer(info.forward_scratch, s, s);
    }
  }

  /// By node: what is one kernel where nothing of it is trained, and what that has inside.
  std::pair<std::vector<std::optional<SqueezeExcitation>>, std::vector<bool>> find_squeezes() const {
    const std::size_t count = program.nodes().size();
    std::vector<std::optional<SqueezeExcitation>> found(count);
    std::vector<bool> inside(count, false);
    if (!config.lower || config.reference) return {std::move(found), std::move(inside)};
    for (std::size_t i = 0; i < count; ++i) {
      if (config.train && trained[i]) continue;
      found[i] = squeeze_excitation_at(program, {static_cast<int>(i)});
      if (!found[i]) continue;
      for (const NodeId node : found[i]->inside) inside[at(node.index)] = true;
    }
    return {std::move(found), std::move(inside)};
  }
  static std::unique_ptr<Op> squeeze_op(const SqueezeExcitation& squeeze, const PlanArgs& args) {
    SqueezeExciteSpec spec = squeeze.spec;
    spec.shape.n = args.in[0].shape.n;
    return make_squeeze_excite(spec, args);
  }

  /// Ends the steps of a level; from here on its parts are together.
  void gather_parts(int& value) {
    Layout all = cells[at(value)].layout;
    all.shape.n = pictures_at(level_ends.size() + 1);
    const int gathered = add_cell(all);
    steps.push_back({.reorder = {value, gathered}});
    value = gathered;
    level_ends.push_back(static_cast<int>(steps.size()));
  }
  /// That a level works on at a time; behind the last one the batch.
  int pictures_at(std::size_t level) const {
    return level < levels.size() ? levels[level].size : config.batch;
  }
  bool is_gathering(int step) const { return std::ranges::find(level_ends, step + 1) != level_ends.end(); }
  /// How often a batch runs the step.
  std::int64_t times_of(int step) const {
    std::int64_t times = 1;
    for (std::size_t l = 0; l < level_ends.size(); ++l)
      if (step < level_ends[l]) times *= levels[l].count;
    return times;
  }

  /// What the backward pass will read of the forward one. A node's backward runs at backward_time().
  void use_kept() {
    for (const Run& run : runs) {
      if (!trained[at(run.node)]) continue;
      const OpInfo& info = run.op->info();
      for (std::size_t k = 0; k < run.in.size(); ++k)
        if (info.keeps_in[k]) use(run.in[k], backward_time(run.node));
      if (info.keeps_out) use(run.out, backward_time(run.node));
    }
  }

  // What the backward pass reads of an output is either kept or made anew in a cell of its own: with
  // Recompute::passes where that is cheap and the inputs are there, with Recompute::blocks all within a
  // block, from inputs that are kept for it or made anew before it. Copies in another layout are never made
  // anew.

  struct Rebuilt {
    int run = none;
    int cell = none;          ///< where it is made anew
    int first = 0, last = 0;  ///< backward times
  };
  int producer_of(int cell) const {
    for (std::size_t r = 0; r < runs.size(); ++r)
      if (runs[r].out == cell) return static_cast<int>(r);
    return none;
  }
  Rebuilt* rebuilt_of(int cell) {
    const auto found =
        std::ranges::find_if(rebuilt, [&](const Rebuilt& each) { return runs[at(each.run)].out == cell; });
    return found == rebuilt.end() ? nullptr : &*found;
  }
  bool is_kept(int cell) const { return lives[at(cell)].last >= backward_time(program.last().index); }
  InBlock in_block(const Run& run) const { return blocks.empty() ? InBlock::none : blocks[at(run.node)]; }
  /// Whether the run's output may be made anew at all.
  bool can_be_anew(const Run& run) const {
    if (!trained[at(run.node)] || in_block(run) == InBlock::end) return false;
    return in_block(run) == InBlock::inside || run.op->info().rebuilds;
  }
  /// Whether the cell is there at that backward time, can stay until then, or can be made then: within a
  /// block at any time, else from one input.
  bool can_be_there(int cell, int time) {
    const Rebuilt* const known = rebuilt_of(cell);
    if (known ? known->first <= time : is_kept(cell)) return true;
    const int producer = producer_of(cell);
    if (producer == none) return false;
    const Run& run = runs[at(producer)];
    if (in_block(run) != InBlock::none) return true;
    return can_be_anew(run) && run.in.size() == 1 && can_be_there(run.in[0], time);
  }
  void bring(int cell, int time) {
    Rebuilt* const known = rebuilt_of(cell);
    const int run = producer_of(cell);
    if (!known && (is_kept(cell) || run == none || !can_be_anew(runs[at(run)]))) return use(cell, time);
    const bool earlier = !known || time < known->first;
    if (known)
      known->first = std::min(known->first, time), known->last = std::max(known->last, time);
    else
      rebuilt.push_back({run, none, time, time});
    if (!earlier) return;
    for (const int input : runs[at(run)].in) bring(input, time);
  }
  std::vector<OutputSize> output_sizes() const {
    std::vector<OutputSize> sizes(program.nodes().size());
    for (const Run& run : runs)
      if (trained[at(run.node)]) sizes[at(run.node)].floats = cells[at(run.out)].layout.size();
    for (const Run& run : runs) {
      const int over = run.op->info().in_place;
      const int producer = over < 0 ? none : producer_of(run.in[at(over)]);
      if (producer == none || runs[at(producer)].op->info().keeps_out) continue;
      sizes[at(runs[at(producer)].node)].overwritten = readers_of(runs[at(producer)].out) == 1;
    }
    return sizes;
  }
  /// How often the forward pass and the caller read the cell.
  std::ptrdiff_t readers_of(int cell) const {
    std::ptrdiff_t readers = std::ranges::count(side_cells, cell) + (cell == output_cell);
    for (int s = 0; s < forward_steps; ++s) readers += reads(steps[at(s)], cell);
    return readers;
  }
  /// How often a forward step reads the cell.
  std::ptrdiff_t reads(const Step& step, int cell) const {
    if (step.run == none) return step.reorder.from == cell;
    return std::ranges::count(runs[at(step.run)].in, cell);
  }
  void plan_rebuilds() {
    if (config.recompute == Recompute::blocks && !config.reference)
      blocks = recompute_blocks(program, output_sizes());
    for (std::size_t r = 0; r < runs.size(); ++r) {
      const Run& run = runs[r];
      if (!can_be_anew(run)) continue;
      // When it is read: backward by these, forward by those.
      int first = std::numeric_limits<int>::max(), last = -1, forward_last = -1;
      for (const Run& reader : runs) {
        if (!trained[at(reader.node)]) continue;
        const OpInfo& info = reader.op->info();
        bool reads = reader.out == run.out && info.keeps_out;
        for (std::size_t k = 0; k < reader.in.size(); ++k)
          reads = reads || (reader.in[k] == run.out && info.keeps_in[k]);
        const int time = backward_time(reader.node);
        if (reads) first = std::min(first, time), last = std::max(last, time);
      }
      for (int s = 0; s < forward_steps; ++s)
        if (steps[at(s)].run == static_cast<int>(r) || reads(steps[at(s)], run.out) > 0) forward_last = s;
      if (last < 0 || run.out == output_cell || std::ranges::count(side_cells, run.out) > 0) continue;
      const auto is_there = [&](int cell) { return can_be_there(cell, first); };
      if (in_block(run) != InBlock::inside && !std::ranges::all_of(run.in, is_there)) continue;
      for (const int cell : run.in) bring(cell, first);
      lives[at(run.out)].last = forward_last;
      rebuilt.push_back({static_cast<int>(r), none, first, last});
    }
    // Inputs first, so that what is made anew may be written over them.
    std::ranges::sort(rebuilt, {}, &Rebuilt::run);
    for (Rebuilt& each : rebuilt) {
      Run& run = runs[at(each.run)];
      const OpInfo& info = run.op->info();
      each.cell = add_cell(info.out);
      define(each.cell, each.first), use(each.cell, each.last);
      if (info.in_place >= 0 && is_only_for(run.in[at(info.in_place)], each))
        share_buffer(each.cell, kept(run.in[at(info.in_place)]));
      else
        own_buffer(each.cell);
      if (!info.rebuilds) run.anew_scratch = add_buffer(info.forward_scratch, each.first, each.first);
    }
  }
  /// Whether the cell is made anew for this other one alone.
  bool is_only_for(int cell, const Rebuilt& reader) {
    const Rebuilt* const input = rebuilt_of(cell);
    if (!input || input->first != reader.first || input->last != reader.first) return false;
    for (const Run& run : runs) {
      const OpInfo& info = run.op->info();
      const bool goes_backward = trained[at(run.node)] && backward_time(run.node) == reader.first;
      if (goes_backward && info.keeps_out && run.out == cell) return false;
      const Rebuilt* const made = rebuilt_of(run.out);
      const bool is_made_then = made && made->run != reader.run && made->first == reader.first;
      for (std::size_t k = 0; k < run.in.size(); ++k)
        if (run.in[k] == cell && (is_made_then || (goes_backward && info.keeps_in[k]))) return false;
    }
    return std::ranges::count(runs[at(reader.run)].in, cell) == 1;
  }
  /// The rebuilds that the backward step of this time waits for, inputs first.
  void push_rebuilds(int time) {
    for (const Rebuilt& each : rebuilt)
      if (each.first == time) steps.push_back({.run = each.run, .anew_at = time, .backward = true});
  }
  /// Where the backward pass finds it.
  int kept(int cell) {
    const Rebuilt* const made = rebuilt_of(cell);
    return made ? made->cell : cell;
  }

  void plan_backward() {
    std::vector<int> grad(program.nodes().size(), none);  // cell of each node's gradient
    const int output = program.last().index;
    dout_cell = add_cell(plain(batched(program.output_shape())));
    if (trained[at(output)]) {
      grad[at(output)] = dout_cell;
      if (cells[at(value_cell[at(output)])].layout != cells[at(dout_cell)].layout)
        grad[at(output)] = copy_of_dout(dout_cell, output);
    }
    // Gradients of other consumers are added to those of side outputs, so each has memory of its own.
    for (const NodeId id : program.side_outputs()) {
      side_dout_cells.push_back(add_cell(plain(batched(program.node(id).out))));
      if (trained[at(id.index)]) grad[at(id.index)] = copy_of_dout(side_dout_cells.back(), id.index);
    }
    for (int i = output; i > 0; --i) {
      push_rebuilds(backward_time(i));
      if (config.input_gradient) keep_side_gradient(i, grad[at(i)]);
      if (!trained[at(i)] || grad[at(i)] == none) continue;  // nothing below, or nothing above
      Run& run = runs[at(run_of[at(i)])];
      const OpInfo& info = run.op->info();
      const int time = backward_time(i);
      Step step{.run = run_of[at(i)], .dout = grad[at(i)], .backward = true};
      use(step.dout, time);
      const auto& inputs = program.node({i}).inputs;
      for (std::size_t k = 0; k < inputs.size(); ++k) {
        Gradient to;
        if (run.wants_din[k]) {
          int& sum = grad[at(inputs[k].index)];
          const Layout value =
              cells[at(value_cell[at(inputs[k].index)])].layout;  // add_cell() moves the cells
          const bool first = sum == none, same = value == info.in[k];
          to.written = add_cell(info.in[k]);
          define(to.written, time), use(to.written, time);
          int result = to.written;
          if (!same) {
            result = to.reordered = add_cell(value);
            define(result, time), use(result, time);
            own_buffer(result);
          }
          const bool over_dout = info.din_in_place == static_cast<int>(k) && info.in[k] == info.out &&
                                 cells[at(step.dout)].buffer >= 0;
          if (over_dout)
            share_buffer(to.written, step.dout);
          else
            own_buffer(to.written);
          if (first)
            sum = result;
          else
            to.sum = sum, use(sum, time);
          // Whoever reads the gradient later keeps it alive: its producer does.
          if (first && run_of[at(inputs[k].index)] != none) use(sum, backward_time(inputs[k].index));
        }
        step.gradients.push_back(to);
      }
      run.backward_scratch = add_buffer(info.backward_scratch, time, time);
      steps.push_back(std::move(step));
    }
    if (config.input_gradient) use(input_gradient_cell = grad[0], backward_time(0));
  }

  /// Where the node is a side output: its gradient, whole when the node's own backward begins, in a copy that
  /// stays to the end.
  void keep_side_gradient(int node, int gradient) {
    if (std::ranges::find(program.side_outputs(), NodeId{node}) == program.side_outputs().end()) return;
    const int copy = add_cell(plain(batched(program.node({node}).out)));
    define(copy, backward_time(node)), use(copy, backward_time(0));
    use(gradient, backward_time(node));
    own_buffer(copy);
    steps.push_back({.reorder = {gradient, copy}, .backward = true});
    side_gradient_cells[node] = copy;
  }

  /// The caller's gradient in the layout of this node's value, copied before the backward pass begins.
  int copy_of_dout(int cell, int node) {
    const int copy = add_cell(cells[at(value_cell[at(node)])].layout);
    define(copy, backward_time(program.last().index)), use(copy, backward_time(node));
    own_buffer(copy);
    steps.push_back({.reorder = {cell, copy}, .backward = true});
    return copy;
  }

  void plan_params(const std::vector<std::string>& names) {
    std::int64_t values = 0, grads = 0;
    const auto rounded = [](std::int64_t size) { return (size + 15) / 16 * 16; };
    for (const Run& run : runs) {
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
    std::vector<std::pair<Update, ParamPlace>> made;
    float* value = value_arena.data().data();
    float* grad = grad_arena.data().data();
    for (std::size_t r = 0; r < runs.size(); ++r) {
      Run& run = runs[r];
      const std::vector<int>& params = run.param_ids;
      for (std::size_t p = 0; p < params.size(); ++p) {
        const std::int64_t size = run.op->info().params[p];
        run.params.push_back(value);
        const bool trainable = run.wants_dparams && param(params[p]).trainable();
        run.dparams.push_back(trainable ? grad : nullptr);
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
    pack_all();
  }

  /// Into the kernels' order; the plain values of the program are not needed any more. The largest go first,
  /// while little of the rest is there twice or, for Winograd, grown.
  void pack_all() {
    std::vector<ParamPlace> order;
    for (std::size_t r = 0; r < runs.size(); ++r)
      for (std::size_t p = 0; p < runs[r].params.size(); ++p)
        order.push_back({static_cast<int>(r), static_cast<int>(p)});
    std::ranges::stable_sort(order, std::greater(), [&](const ParamPlace& place) {
      return runs[at(place.run)].op->info().params[at(place.param)];
    });
    for (const auto& [r, p] : order) {
      const Run& run = runs[at(r)];
      Tensor& value = param(run.param_ids[at(p)]).value;
      run.op->pack(p, value.data(), packed(run, at(p)));
      value = Tensor();
    }
  }

  void place_buffers() {
    const std::int64_t total = place(buffers);
    arena = Tensor::untouched({.n = total});
  }

  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  static Shape with_pictures(Shape one, int pictures) { return {pictures, one.c, one.h, one.w}; }
  Shape batched(Shape one) const { return with_pictures(one, config.batch); }
  Param& param(int index) { return program.params()[at(index)]; }
  bool has_trainable(const Node& node) {
    return std::ranges::any_of(node.params, [&](int p) { return param(p).trainable(); });
  }
  /// Node i's backward runs at this time; the last node's first.
  int backward_time(int node) const { return forward_steps_bound() + program.last().index - node; }
  /// More than there are forward steps: each input of each node may need a reorder.
  int forward_steps_bound() const {
    int bound = 2;
    for (const Node& node : program.nodes()) bound += 1 + static_cast<int>(node.inputs.size());
    return bound;
  }

  int add_cell(const Layout& layout) {
    cells.push_back({layout});
    lives.push_back({-1, -1});
    return static_cast<int>(cells.size()) - 1;
  }
  /// The cell itself, or a copy in the layout wanted; one copy serves all who want the same.
  int in_layout(int cell, const Layout& wanted) {
    if (cells[at(cell)].layout == wanted) return cell;
    for (const Step& step : steps)
      if (step.run == none && step.reorder.from == cell && cells[at(step.reorder.to)].layout == wanted)
        return step.reorder.to;
    const int copy = add_cell(wanted);
    steps.push_back({.reorder = {cell, copy}});
    return copy;
  }
  int add_buffer(std::int64_t size, int first, int last) {
    if (size == 0) return none;
    buffers.push_back({size, first, last});
    return static_cast<int>(buffers.size()) - 1;
  }
  void define(int cell, int time) { lives[at(cell)].first = time; }
  void use(int cell, int time) {
    lives[at(cell)].last = std::max(lives[at(cell)].last, time);
    if (const int buffer = cells[at(cell)].buffer; buffer >= 0)
      buffers[at(buffer)].last = std::max(buffers[at(buffer)].last, time);
  }
  void own_buffer(int cell) {
    const auto [first, last] = lives[at(cell)];
    cells[at(cell)].buffer = add_buffer(cells[at(cell)].layout.size(), first, std::max(first, last));
  }
  void share_buffer(int cell, int other) {
    const int buffer = cells[at(other)].buffer;
    cells[at(cell)].buffer = buffer;
    buffers[at(buffer)].last = std::max(buffers[at(buffer)].last, lives[at(cell)].last);
    buffers[at(buffer)].size = std::max(buffers[at(buffer)].size, cells[at(cell)].layout.size());
  }
  /// Nobody reads the buffer after this step, and this op reads it once.
  bool may_overwrite(int cell, const Run& run, int time) const {
    const int buffer = cells[at(cell)].buffer;
    return buffer >= 0 && buffers[at(buffer)].last <= time && std::ranges::count(run.in, cell) == 1;
  }

  // ---- running -----------------------------------------------------------------------------------------

  std::span<float> packed(const Run& run, std::size_t p) const {
    return {run.params[p], static_cast<std::size_t>(run.op->info().params[p])};
  }
  float* memory(int buffer) {
    return buffer < 0 ? nullptr : arena.data().data() + buffers[at(buffer)].offset;
  }
  float* data(int cell) { return memory(cells[at(cell)].buffer); }

  // ---- profiles ----------------------------------------------------------------------------------------

  /// When the s-th step runs, as the lives of buffers count.
  int time_of(std::size_t s) const {
    const Step& step = steps[s];
    if (!step.backward) return static_cast<int>(s);
    if (step.anew_at != none) return step.anew_at;
    return step.run == none ? lives[at(step.reorder.to)].first : backward_time(runs[at(step.run)].node);
  }
  std::int64_t live_floats(int time) const {
    std::int64_t sum = 0;
    for (const Buffer& buffer : buffers)
      if (buffer.first <= time && time <= buffer.last) sum += buffer.size;
    return sum;
  }
  /// Floats that a step reads and writes at least.
  std::int64_t traffic(const Step& step) const {
    const auto size = [&](int cell) { return cell == none ? 0 : cells[at(cell)].layout.size(); };
    if (step.run == none) return size(step.reorder.from) + size(step.reorder.to);
    const Run& run = runs[at(step.run)];
    const OpInfo& info = run.op->info();
    std::int64_t sum = 0;
    for (const std::int64_t params : info.params) sum += params;
    if (!step.backward || step.anew_at != none) {
      for (const int cell : run.in) sum += size(cell);
      return sum + size(run.out) + info.saved;
    }
    for (std::size_t p = 0; p < run.dparams.size(); ++p)
      if (run.dparams[p]) sum += info.params[p];
    for (std::size_t k = 0; k < run.in.size(); ++k)
      if (info.keeps_in[k]) sum += size(run.in[k]);
    for (const Gradient& to : step.gradients) {
      sum += size(to.written);
      if (to.reordered != none) sum += size(to.written) + size(to.reordered);
      if (to.sum != none) sum += 3 * size(to.sum);
    }
    return sum + size(step.dout) + (info.keeps_out ? size(run.out) : 0) + info.saved;
  }
  const float* read(int cell) {
    if (cell == value_cell[0]) return images;
    if (cell == dout_cell) return dout;
    for (std::size_t k = 0; k < side_dout_cells.size(); ++k)
      if (cell == side_dout_cells[k]) return side_douts[k];
    return data(cell);
  }
  Rng rng_of(const Run& run) const {
    return Rng(config.seed).child(static_cast<std::uint64_t>(training_step), at(run.node));
  }

  /// Calls run(step) for each step of the forward pass as often as it runs. run says whether to go on.
  template <class Do>
  void each_forward_step(const float* all_images, Do run) {
    run_level(level_ends.size(), all_images, 0, run);
  }
  /// For one part of a level (behind the last: for the batch), which begins at that picture of the next
  /// level's: all levels inside it, then its own steps.
  template <class Do>
  bool run_level(std::size_t level, const float* from, int begin, Do& run) {
    if (level == 0)
      images = from;
    else
      for (int part = 0; part < levels[level - 1].count; ++part) {
        const int first = levels[level - 1].begin(part, pictures_at(level));
        if (!run_level(level - 1, from + first * program.input_shape().size(), first, run)) return false;
      }
    part_begin = begin;  // `images` are still those of the last part; nobody reads them from here on
    const int end = level < level_ends.size() ? level_ends[level] : forward_steps;
    for (int s = level > 0 ? level_ends[level - 1] : 0; s < end; ++s)
      if (!run(steps[at(s)])) return false;
    return true;
  }

  /// A part's output to its place in the next level's.
  void gather(const Reorder& copy) {
    const Layout& part = cells[at(copy.from)].layout;
    const std::int64_t width = part.bf16 ? 2 : 4, bytes = part.elements() * width;
    std::memcpy(reinterpret_cast<std::byte*>(data(copy.to)) + bytes / part.shape.n * part_begin,
                read(copy.from), static_cast<std::size_t>(bytes));
  }

  void forward_step(const Step& step) {
    if (step.run == none) {
      if (cells[at(step.reorder.from)].layout.shape.n < cells[at(step.reorder.to)].layout.shape.n)
        return gather(step.reorder);
      enxerto::reorder(cells[at(step.reorder.from)].layout, read(step.reorder.from),
                       cells[at(step.reorder.to)].layout, data(step.reorder.to));
      return;
    }
    Run& run = runs[at(step.run)];
    pointers.clear();
    for (const int cell : run.in) pointers.push_back(read(cell));
    run_forward(run, data(run.out), memory(run.forward_scratch));
  }

  /// With the inputs in `pointers`.
  void run_forward(Run& run, float* out, float* scratch) {
    const OpInfo& info = run.op->info();
    if (info.in_place_required && out != pointers[at(info.in_place)])
      std::memcpy(out, pointers[at(info.in_place)],
                  static_cast<std::size_t>(info.out.size()) * sizeof(float));
    run.op->forward({.in = pointers,
                     .params = run.params,
                     .out = out,
                     .saved = memory(run.saved),
                     .scratch = scratch,
                     .rng = rng_of(run)});
  }

  void backward_step(const Step& step) {
    if (step.run == none) return forward_step(step);
    if (step.anew_at != none) return rebuild_step(step);
    Run& run = runs[at(step.run)];
    const OpInfo& info = run.op->info();
    pointers.clear();
    for (std::size_t k = 0; k < run.in.size(); ++k)
      pointers.push_back(info.keeps_in[k] ? read(kept(run.in[k])) : nullptr);
    gradients.clear();
    for (const Gradient& to : step.gradients)
      gradients.push_back(to.written == none ? nullptr : data(to.written));
    run.op->backward({.in = pointers,
                      .params = run.params,
                      .out = info.keeps_out ? data(kept(run.out)) : nullptr,
                      .dout = read(step.dout),
                      .din = gradients,
                      .dparams = run.dparams,
                      .saved = memory(run.saved),
                      .scratch = memory(run.backward_scratch),
                      .rng = rng_of(run)});
    for (const Gradient& to : step.gradients) {
      if (to.written == none) continue;
      if (to.reordered != none)
        enxerto::reorder(cells[at(to.written)].layout, data(to.written), cells[at(to.reordered)].layout,
                         data(to.reordered));
      if (to.sum != none)
        accumulate(cells[at(to.sum)].layout, data(to.reordered == none ? to.written : to.reordered),
                   data(to.sum));
    }
  }

  void rebuild_step(const Step& step) {
    Run& run = runs[at(step.run)];
    pointers.clear();
    for (const int cell : run.in) pointers.push_back(read(kept(cell)));
    if (!run.op->info().rebuilds) return run_forward(run, data(kept(run.out)), memory(run.anew_scratch));
    run.op->rebuild({.in = pointers,
                     .params = run.params,
                     .out = data(kept(run.out)),
                     .saved = memory(run.saved),
                     .rng = rng_of(run)});
  }

  /// Whether the output of a forward step is; copies have what was looked at before.
  bool is_finite(const Step& step) {
    if (step.run == none) return true;
    const int out = runs[at(step.run)].out;
    return all_finite(cells[at(out)].layout, data(out));
  }
  const std::string& name_of(const Step& step) const {
    return program.nodes()[at(runs[at(step.run)].node)].name;
  }

  template <class Do>
  void timed(Step& step, Do run) {
    const double start = now_seconds();
    run(step);
    step.seconds += now_seconds() - start;
    ++step.runs;
  }

  ExecutorConfig config;
  Graph program;
  std::vector<bool> trained;
  std::vector<Run> runs;
  std::vector<Step> steps;  ///< forward ones first
  int forward_steps = 0;
  std::vector<PartLevel> levels;
  std::vector<int> level_ends;  ///< steps of each level and those inside it; the last of them gathers
  std::vector<Cell> cells;
  struct Life {
    int first, last;
  };
  std::vector<Life> lives;  ///< of cells
  std::vector<Buffer> buffers;
  std::vector<int> value_cell, run_of;  ///< by node
  int output_cell = none, dout_cell = none;
  std::vector<Rebuilt> rebuilt;
  std::vector<InBlock> blocks;  ///< by node, with Recompute::blocks; else empty
  std::vector<int> side_cells, side_dout_cells;
  int input_gradient_cell = none;
  std::map<int, int> side_gradient_cells;  ///< by node
  Tensor arena, value_arena, grad_arena;
  std::vector<Update> updates;
  std::vector<ParamPlace> update_places;

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
    : plan_(std::make_unique<Plan>(graph.clone(), config)) {}
Executor::Executor(Graph&& graph, const ExecutorConfig& config)
    : plan_(std::make_unique<Plan>(std::move(graph), config)) {}
Executor::~Executor() = default;
Executor::Executor(Executor&&) noexcept = default;
Executor& Executor::operator=(Executor&&) noexcept = default;

ConstView Executor::forward(ConstView images, std::int64_t step) {
  Plan& plan = *plan_;
  const Shape in = plan.batched(plan.program.input_shape()), out = plan.batched(plan.program.output_shape());
  ensure(images.shape == in, "the batch has the size that was planned for");
  plan.training_step = step;
  plan.each_forward_step(images.data.data(), [&](Step& each) {
    plan.timed(each, [&](const Step& now) { plan.forward_step(now); });
    if (environment().check_finite && !plan.is_finite(each))
      throw Error(ErrorKind::diverged,
                  text("layer ", plan.name_of(each), " made a NaN or infinity at step ", step));
    return true;
  });
  return {out, {plan.read(plan.output_cell), static_cast<std::size_t>(out.size())}};
}

ConstView Executor::side_output(std::size_t k) const {
  Plan& plan = *plan_;
  ensure(k < plan.side_cells.size(), "side outputs are asked for when an executor is made");
  const Shape shape = plan.batched(plan.program.node(plan.program.side_outputs()[k]).out);
  return {shape, {plan.read(plan.side_cells[k]), static_cast<std::size_t>(shape.size())}};
}

void Executor::backward(ConstView dout, std::span<const ConstView> side_douts) {
  Plan& plan = *plan_;
  ensure(plan.config.train, "only an executor made for training goes backward");
  ensure(dout.shape == plan.batched(plan.program.output_shape()), "dout is shaped like the output");
  ensure(side_douts.size() == plan.side_cells.size(), "there is a gradient for each side output");
  plan.dout = dout.data.data();
  plan.side_douts.clear();
  for (std::size_t k = 0; k < side_douts.size(); ++k) {
    ensure(side_douts[k].shape == plan.cells[Plan::at(plan.side_cells[k])].layout.shape,
           "a side output's gradient is shaped like it");
    plan.side_douts.push_back(side_douts[k].data.data());
  }
  for (std::size_t s = Plan::at(plan.forward_steps); s < plan.steps.size(); ++s)
    plan.timed(plan.steps[s], [&](const Step& each) { plan.backward_step(each); });
}

ConstView Executor::input_gradient() const {
  Plan& plan = *plan_;
  ensure(plan.input_gradient_cell != none, "the images' gradient is asked for when an executor is made");
  const Shape shape = plan.batched(plan.program.input_shape());
  return {shape, {plan.data(plan.input_gradient_cell), static_cast<std::size_t>(shape.size())}};
}

ConstView Executor::side_gradient(std::size_t k) const {
  Plan& plan = *plan_;
  ensure(k < plan.side_cells.size() && plan.config.input_gradient,
         "side outputs and their gradients are asked for when an executor is made");
  const NodeId id = plan.program.side_outputs()[k];
  const Shape shape = plan.batched(plan.program.node(id).out);
  const int cell = plan.side_gradient_cells.at(id.index);
  return {shape, {plan.data(cell), static_cast<std::size_t>(shape.size())}};
}

std::span<const Update> Executor::updates() const { return plan_->updates; }

void Executor::load(const Graph& graph) {
  Plan& plan = *plan_;
  Graph lowered = plan.prepared(graph.clone());
  ensure(lowered.params().size() == plan.program.params().size(), "a graph of the same structure");
  for (std::size_t i = 0; i < lowered.params().size(); ++i) {
    ensure(lowered.params()[i].name == plan.program.params()[i].name, "a graph of the same structure");
    plan.program.params()[i].value = std::move(lowered.params()[i].value);
  }
  plan.pack_all();
}

void Executor::store(Graph& graph) const {
  for (const Run& run : plan_->runs) {
    const Node& node = plan_->program.nodes()[Plan::at(run.node)];
    if (!plan_->config.train || node.frozen || !run.wants_dparams) continue;
    for (std::size_t p = 0; p < run.param_ids.size(); ++p) {
      const std::string& name = plan_->param(run.param_ids[p]).name;
      const auto found = std::ranges::find(graph.params(), name, &Param::name);
      ensure(found != graph.params().end(), "a graph of the same structure");
      run.op->unpack(static_cast<int>(p), plan_->packed(run, p), found->value.data());
    }
  }
}

Tensor Executor::unpack(std::size_t update, std::span<const float> packed) const {
  const auto [run, p] = plan_->update_places.at(update);
  const Run& of = plan_->runs[Plan::at(run)];
  Tensor plain(plan_->param(of.param_ids[Plan::at(p)]).spec.shape);
  of.op->unpack(p, packed, plain.data());
  return plain;
}

void Executor::pack(std::size_t update, ConstView plain, std::span<float> packed) const {
  const auto [run, p] = plan_->update_places.at(update);
  plan_->runs[Plan::at(run)].op->pack(p, plain.data, packed);
}

int Executor::batch() const { return plan_->config.batch; }
std::int64_t Executor::memory_bytes() const {
  return static_cast<std::int64_t>(plan_->arena.data().size_bytes());
}
std::int64_t Executor::param_bytes() const {
  return static_cast<std::int64_t>(plan_->value_arena.data().size_bytes() +
                                   plan_->grad_arena.data().size_bytes());
}

std::vector<StepProfile> Executor::profile() const {
  std::vector<StepProfile> rows;
  constexpr auto bytes = static_cast<std::int64_t>(sizeof(float));
  for (std::size_t s = 0; s < plan_->steps.size(); ++s) {
    const Step& step = plan_->steps[s];
    StepProfile row;
    // As often as the step runs for a batch.
    const std::int64_t times = plan_->times_of(static_cast<int>(s));
    row.bytes = plan_->traffic(step) * bytes * times;
    row.live_bytes = plan_->live_floats(plan_->time_of(s)) * bytes;
    row.backward = step.backward;
    row.seconds = step.seconds;
    row.runs = step.runs / times;
    if (step.run == none) {
      row.kind = plan_->is_gathering(static_cast<int>(s)) ? "gather" : "reorder";
      row.implementation = format_layout(plan_->cells[Plan::at(step.reorder.from)].layout) + " to " +
                           format_layout(plan_->cells[Plan::at(step.reorder.to)].layout);
    } else {
      const Run& run = plan_->runs[Plan::at(step.run)];
      const Node& node = plan_->program.nodes()[Plan::at(run.node)];
      row.node = node.name;
      row.kind = kind_of(node.layer);
      row.implementation = run.op->info().implementation;
      row.multiply_adds = run.op->info().multiply_adds * times;
      if (step.anew_at != none) row.implementation = text("anew: ", row.implementation);
      if (step.backward && step.anew_at == none) {
        const bool din =
            std::ranges::any_of(step.gradients, [](const Gradient& to) { return to.written != none; });
        row.multiply_adds *= (din ? 1 : 0) + (run.wants_dparams ? 1 : 0);
      }
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string Executor::find_not_finite(ConstView images, std::int64_t step) {
  Plan& plan = *plan_;
  if (!all_finite(images.data)) return "input";
  plan.training_step = step;
  std::string found;
  plan.each_forward_step(images.data.data(), [&](const Step& each) {
    plan.forward_step(each);
    if (!plan.is_finite(each)) found = plan.name_of(each);
    return found.empty();
  });
  return found;
}

}  // namespace enxerto
