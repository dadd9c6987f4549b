#include "enxerto/graph/recompute.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "enxerto/graph/split.h"

namespace enxerto {
namespace {

/// The places where blocks may end, and what lies between them.
class Blocks {
 public:
  Blocks(const Graph& program, const std::vector<OutputSize>& outputs) : ends_{0} {
    const std::vector<bool> needed = needed_by_last(program);
    for (int i = 0; i <= program.last().index; ++i) {
      const bool counts = needed[at(i)] && outputs[at(i)].floats > 0;
      outputs_.push_back(counts && !outputs[at(i)].overwritten ? outputs[at(i)].floats : 0);
      // The gradient of what is written over is written over the other's in turn.
      std::int64_t gradients = counts ? outputs[at(i)].floats : 0;
      if (counts)
        for (const NodeId input : program.node({i}).inputs)
          if (!outputs[at(input.index)].overwritten) gradients += outputs[at(input.index)].floats;
      gradients_.push_back(gradients);
    }
    for (const NodeId id : cut_points(program))
      if (outputs_[at(id.index)] > 0) ends_.push_back(id.index);
    ends_.push_back(program.last().index);
  }

  /// The ends of blocks that never take more than so much at one time; of those the ones of which least is
  /// kept. Empty where there are none.
  std::optional<std::vector<NodeId>> within(std::int64_t most) const {
    constexpr std::int64_t never = -1;
    std::vector<std::int64_t> kept(ends_.size(), never);  // with all blocks up to here
    std::vector<std::size_t> before(ends_.size(), 0);
    kept[0] = 0;
    for (std::size_t end = 1; end < ends_.size(); ++end) {
      std::int64_t inside = 0, gradients = gradients_[at(ends_[end])];
      std::size_t begin = end - 1;
      for (int node = ends_[end] - 1;; --node) {
        if (node == ends_[begin]) {
          const std::int64_t all = kept[begin] + outputs_[at(ends_[end])];
          const bool fits = kept[begin] != never && kept[begin] + inside + gradients <= most;
          if (fits && (kept[end] == never || all < kept[end])) kept[end] = all, before[end] = begin;
          if (begin-- == 0) break;
        }
        inside += outputs_[at(node)];
        gradients = std::max(gradients, gradients_[at(node)]);
      }
    }
    if (kept.back() == never) return std::nullopt;
    std::vector<NodeId> chosen;
    for (std::size_t end = ends_.size() - 1; end > 0; end = before[end]) chosen.push_back({ends_[end]});
    std::ranges::reverse(chosen);
    return chosen;
  }

  /// Those that take the least, within two percent.
  std::vector<NodeId> least() const {
    std::int64_t too_little = 0, enough = 1;
    for (std::size_t i = 0; i < outputs_.size(); ++i) enough += outputs_[i] + gradients_[i];
    while (enough - too_little > enough / 50 + 1) {
      const std::int64_t middle = too_little + (enough - too_little) / 2;
      (within(middle) ? enough : too_little) = middle;
    }
    return within(enough).value();
  }

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }

  std::vector<int> ends_;  ///< nodes; the first begins
  std::vector<std::int64_t> outputs_,
      gradients_;  ///< by node; gradients while it goes backward
};

}  // namespace

std::vector<NodeId> recompute_blocks(const Graph& program, const std::vector<OutputSize>& outputs) {
  return Blocks(program, outputs).least();
}

std::vector<bool> computed_anew(const Graph& program, const std::vector<OutputSize>& outputs) {
  const std::vector<bool> needed = needed_by_last(program);
  const std::vector<NodeId> ends = recompute_blocks(program, outputs);
  const int last_block = ends.size() > 1 ? ends[ends.size() - 2].index : 0;
  std::vector<bool> anew(needed.size(), false);
  for (int i = 0; i < last_block; ++i) {
    const auto at = static_cast<std::size_t>(i);
    anew[at] = needed[at] && outputs[at].floats > 0 && std::ranges::find(ends, NodeId{i}) == ends.end();
  }
  return anew;
}

}  // namespace enxerto
