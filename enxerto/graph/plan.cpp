#include "enxerto/graph/plan.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "enxerto/core/system.h"
#include "enxerto/graph/lower.h"
#include "enxerto/graph/recompute.h"
#include "enxerto/graph/squeeze_excite.h"
#include "enxerto/kernels/ops.h"

namespace enxerto {
namespace {

/// Convolutions ask for bf16; batch norm, activations, pooling and factors for channels take what they are
/// offered and make it too, but for means of whole maps, which are floats; all others know floats only.
bool takes_bf16(const AnyLayer& layer) {
  return std::holds_alternative<Conv2d>(layer) || std::holds_alternative<BatchNorm>(layer) ||
         std::holds_alternative<Activate>(layer) || std::holds_alternative<MaxPool2d>(layer) ||
         std::holds_alternative<AvgPool2d>(layer) || std::holds_alternative<AdaptiveAvgPool2d>(layer) ||
         std::holds_alternative<GlobalAvgPool>(layer) || std::holds_alternative<Multiply>(layer);
}

/// A plan in the making.
class Planner : private Plan {
 public:
  Planner(Graph graph, const ExecutorConfig& asked) {
    config = asked;
    program = std::move(graph);
    if (!config.train && !config.reference) levels = part_levels(program, config.batch, threads());
  }

  Plan made() && {
    plan_forward();
    if (config.train) plan_backward();
    kept.resize(cells.size());
    std::iota(kept.begin(), kept.end(), 0);
    for (const Rebuilt& each : rebuilt) kept[at(runs[at(each.run)].out)] = each.cell;
    floats = place(buffers);
    return std::move(*this);
  }

 private:
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
        input = value_cell[i] = add_cell(plain(with_pictures(node.out, pictures_at(0))));
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
      for (const NodeId id : inputs) {
        const Layout& offered = value_layout(id.index);
        args.in.push_back(takes_bf16(node.layer) ? offered : in_format(offered, false));
        run.wants_din.push_back(config.train && trained[at(id.index)]);
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
    output = in_layout(value_cell.back(), plain(batched(program.output_shape())));
    for (const NodeId id : program.side_outputs())
      side_outputs.push_back(in_layout(value_cell[at(id.index)], plain(batched(program.node(id).out))));
    forward_steps = static_cast<int>(steps.size());
    // Uses, so that it is known what may be overwritten. What parts are gathered in is written by each.
    for (int s = 0; s < forward_steps; ++s) {
      Step& step = steps[at(s)];
      step.time = s;
      if (step.run == none) {
        define(step.reorder.to, is_gathering(s) ? 0 : s), use(step.reorder.from, s);
        continue;
      }
      const Run& run = runs[at(step.run)];
      define(run.out, s);
      for (const int cell : run.in) use(cell, s);
    }
    use(output, forward_steps);  // the caller reads it
    for (const int cell : side_outputs) use(cell, forward_steps);
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
      const bool goes_backward = config.train && trained[at(run.node)];
      run.saved = add_buffer(info.saved, s, goes_backward ? backward_time(run.node) : s);
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
    Layout all = layout(value);
    all.shape.n = pictures_at(level_ends.size() + 1);
    const int gathered = add_cell(all);
    steps.push_back({.reorder = {value, gathered}});
    value = gathered;
    level_ends.push_back(static_cast<int>(steps.size()));
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
    for (const int each : runs[at(run)].in) bring(each, time);
  }
  std::vector<OutputSize> output_sizes() const {
    std::vector<OutputSize> sizes(program.nodes().size());
    for (const Run& run : runs)
      if (trained[at(run.node)]) sizes[at(run.node)].floats = layout(run.out).size();
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
    std::ptrdiff_t readers = std::ranges::count(side_outputs, cell) + (cell == output);
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
      if (last < 0 || run.out == output || std::ranges::count(side_outputs, run.out) > 0) continue;
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
        share_buffer(each.cell, where_kept(run.in[at(info.in_place)]));
      else
        own_buffer(each.cell);
      if (!info.rebuilds) run.anew_scratch = add_buffer(info.forward_scratch, each.first, each.first);
    }
  }
  /// Whether the cell is made anew for this other one alone.
  bool is_only_for(int cell, const Rebuilt& reader) {
    const Rebuilt* const made_before = rebuilt_of(cell);
    if (!made_before || made_before->first != reader.first || made_before->last != reader.first) return false;
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
      if (each.first == time)
        steps.push_back({.run = each.run, .backward = true, .anew = true, .time = time});
  }
  /// Where the backward pass finds it.
  int where_kept(int cell) {
    const Rebuilt* const made = rebuilt_of(cell);
    return made ? made->cell : cell;
  }

  void plan_backward() {
    std::vector<int> grad(program.nodes().size(), none);  // cell of each node's gradient
    const int last = program.last().index;
    dout = add_cell(plain(batched(program.output_shape())));
    if (trained[at(last)]) {
      grad[at(last)] = dout;
      if (value_layout(last) != layout(dout)) grad[at(last)] = copy_of_dout(dout, last);
    }
    // Gradients of other consumers are added to those of side outputs, so each has memory of its own.
    for (const NodeId id : program.side_outputs()) {
      side_douts.push_back(add_cell(plain(batched(program.node(id).out))));
      if (trained[at(id.index)]) grad[at(id.index)] = copy_of_dout(side_douts.back(), id.index);
    }
    for (int i = last; i > 0; --i) {
      push_rebuilds(backward_time(i));
      if (config.input_gradient) keep_side_gradient(i, grad[at(i)]);
      if (!trained[at(i)] || grad[at(i)] == none) continue;  // nothing below, or nothing above
      Run& run = runs[at(run_of[at(i)])];
      const OpInfo& info = run.op->info();
      const int time = backward_time(i);
      Step step{.run = run_of[at(i)], .backward = true, .time = time, .dout = grad[at(i)]};
      use(step.dout, time);
      const auto& inputs = program.node({i}).inputs;
      for (std::size_t k = 0; k < inputs.size(); ++k) {
        Gradient to;
        if (run.wants_din[k]) {
          int& sum = grad[at(inputs[k].index)];
          const Layout value = value_layout(inputs[k].index);  // add_cell() moves the cells
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
    if (config.input_gradient) use(input_gradient = grad[0], backward_time(0));
  }

  /// Where the node is a side output: its gradient, whole when the node's own backward begins, in a copy that
  /// stays to the end.
  void keep_side_gradient(int node, int gradient) {
    if (std::ranges::find(program.side_outputs(), NodeId{node}) == program.side_outputs().end()) return;
    const int copy = add_cell(plain(batched(program.node({node}).out)));
    define(copy, backward_time(node)), use(copy, backward_time(0));
    use(gradient, backward_time(node));
    own_buffer(copy);
    steps.push_back({.reorder = {gradient, copy}, .backward = true, .time = backward_time(node)});
    side_gradients[node] = copy;
  }

  /// The caller's gradient in the layout of this node's value, copied before the backward pass begins.
  int copy_of_dout(int cell, int node) {
    const int copy = add_cell(value_layout(node));
    const int time = backward_time(program.last().index);
    define(copy, time), use(copy, backward_time(node));
    own_buffer(copy);
    steps.push_back({.reorder = {cell, copy}, .backward = true, .time = time});
    return copy;
  }

  const Layout& value_layout(int node) const { return layout(value_cell[at(node)]); }
  static Shape with_pictures(Shape one, int pictures) { return {pictures, one.c, one.h, one.w}; }
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
    if (layout(cell) == wanted) return cell;
    for (const Step& step : steps)
      if (step.run == none && step.reorder.from == cell && layout(step.reorder.to) == wanted)
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
    cells[at(cell)].buffer = add_buffer(layout(cell).size(), first, std::max(first, last));
  }
  void share_buffer(int cell, int other) {
    const int buffer = cells[at(other)].buffer;
    cells[at(cell)].buffer = buffer;
    buffers[at(buffer)].last = std::max(buffers[at(buffer)].last, lives[at(cell)].last);
    buffers[at(buffer)].size = std::max(buffers[at(buffer)].size, layout(cell).size());
  }
  /// Nobody reads the buffer after this step, and this op reads it once.
  bool may_overwrite(int cell, const Run& run, int time) const {
    const int buffer = cells[at(cell)].buffer;
    return buffer >= 0 && buffers[at(buffer)].last <= time && std::ranges::count(run.in, cell) == 1;
  }

  struct Life {
    int first, last;
  };
  std::vector<Life> lives;              ///< of cells
  std::vector<int> value_cell, run_of;  ///< by node
  std::vector<Rebuilt> rebuilt;
  std::vector<InBlock> blocks;  ///< by node, with Recompute::blocks; else empty
};

}  // namespace

Plan plan_of(Graph program, const ExecutorConfig& config) {
  return Planner(std::move(program), config).made();
}

int Plan::pictures_at(std::size_t level) const {
  return level < levels.size() ? levels[level].size : config.batch;
}

bool Plan::is_gathering(int step) const {
  return std::ranges::find(level_ends, step + 1) != level_ends.end();
}

std::int64_t Plan::times_of(int step) const {
  std::int64_t times = 1;
  for (std::size_t l = 0; l < level_ends.size(); ++l)
    if (step < level_ends[l]) times *= levels[l].count;
  return times;
}

std::int64_t Plan::live_floats(int time) const {
  std::int64_t sum = 0;
  for (const Buffer& buffer : buffers)
    if (buffer.first <= time && time <= buffer.last) sum += buffer.size;
  return sum;
}

std::int64_t Plan::traffic(const Step& step) const {
  const auto size = [&](int cell) { return cell == none ? 0 : layout(cell).size(); };
  if (step.run == none) return size(step.reorder.from) + size(step.reorder.to);
  const Run& run = runs[at(step.run)];
  const OpInfo& info = run.op->info();
  std::int64_t sum = 0;
  for (const std::int64_t params : info.params) sum += params;
  if (!step.backward || step.anew) {
    for (const int cell : run.in) sum += size(cell);
    return sum + size(run.out) + info.saved;
  }
  for (std::size_t p = 0; p < run.param_ids.size(); ++p)
    if (run.wants_dparams && program.params()[at(run.param_ids[p])].trainable()) sum += info.params[p];
  for (std::size_t k = 0; k < run.in.size(); ++k)
    if (info.keeps_in[k]) sum += size(run.in[k]);
  for (const Gradient& to : step.gradients) {
    sum += size(to.written);
    if (to.reordered != none) sum += size(to.written) + size(to.reordered);
    if (to.sum != none) sum += 3 * size(to.sum);
  }
  return sum + size(step.dout) + (info.keeps_out ? size(run.out) : 0) + info.saved;
}

}  // namespace enxerto
