/// What an Executor does for one batch: which kernel runs when, and on what memory.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "enxerto/graph/executor.h"
#include "enxerto/graph/memory_plan.h"
#include "enxerto/graph/parts.h"
#include "enxerto/kernels/op.h"

namespace enxerto {

/// Made once, by plan_of(), and only read from then on. Cells, buffers, runs and steps name each other by
/// their index.
struct Plan {
  static constexpr int none = -1;

  /// Something in memory: a node's output in one layout, a gradient. Several may share a buffer.
  struct Cell {
    Layout layout;
    int buffer = none;  ///< none: the caller's memory
  };

  /// One node made ready.
  struct Run {
    int node = none;
    std::unique_ptr<Op> op;
    std::vector<int> in;  ///< cells, in the layouts that the op takes
    int out = none;       ///< cell
    int saved = none, forward_scratch = none, backward_scratch = none;  ///< buffers
    int anew_scratch = none;     ///< buffer of a forward pass that is run again
    std::vector<int> param_ids;  ///< the program's
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

  struct Step {
    int run = none;
    Reorder reorder{};  ///< instead of a run
    bool backward = false;
    bool anew = false;  ///< backward, of a run: its output once more
    int time = 0;       ///< as the lives of buffers count; several backward steps may have one
    std::vector<Gradient> gradients{};  ///< backward, by input
    int dout = none;                    ///< backward: cell
  };

  ExecutorConfig config;
  Graph program;              ///< as it is run
  std::vector<bool> trained;  ///< by node: the backward pass has something to do there or below
  std::vector<Run> runs;
  std::vector<Step> steps;  ///< forward ones first
  int forward_steps = 0;
  std::vector<PartLevel> levels;
  std::vector<int> level_ends;  ///< steps of each level and those inside it; the last of them gathers
  std::vector<Cell> cells;
  std::vector<int> kept;  ///< by cell: the cell where the backward pass finds what was in it
  std::vector<Buffer> buffers;
  std::int64_t floats = 0;  ///< of all buffers together
  int input = none, output = none, dout = none;
  std::vector<int> side_outputs, side_douts;
  int input_gradient = none;
  std::map<int, int> side_gradients;  ///< by node

  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  Shape batched(Shape one) const { return {config.batch, one.c, one.h, one.w}; }
  const Layout& layout(int cell) const { return cells[at(cell)].layout; }
  const Node& node_of(const Run& run) const { return program.nodes()[at(run.node)]; }
  /// Pictures that a level works on at a time; behind the last one the batch.
  int pictures_at(std::size_t level) const;
  /// Whether the step ends a level by bringing its parts together.
  bool is_gathering(int step) const;
  /// How often a batch runs the step.
  std::int64_t times_of(int step) const;
  /// Floats that a step reads and writes at least.
  std::int64_t traffic(const Step& step) const;
  /// Floats of buffers that hold something at that time.
  std::int64_t live_floats(int time) const;
};

/// For a program that is lowered already, where it is to be. Memory is planned, none is taken.
Plan plan_of(Graph program, const ExecutorConfig& config);

}  // namespace enxerto
