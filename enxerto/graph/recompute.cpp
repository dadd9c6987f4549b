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
      // What is written over has, as a rule, its gradient written over the other's in turn.
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

  /// Whether the node's output is of the blocks at all.
  bool counts(int node) const { return gradients_[at(node)] > 0; }

  /// The ends of blocks that never take more than so much at one time; of those the ones of which least is
  /// kept. Empty where there are none.
  std::optional<std::vector<int>> within(std::int64_t most) const {
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
    std::vector<int> chosen;
    for (std::size_t end = ends_.size() - 1; end > 0; end = before[end]) chosen.push_back(ends_[end]);
    std::ranges::reverse(chosen);
    return chosen;
  }

  /// Those that take the least, within two percent.
  std::vector<int> least() const {
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
  // By node.
  std::vector<std::int64_t> outputs_;
  std::vector<std::int64_t> gradients_;  ///< by its output and its inputs: there while it goes backward
};

}  // namespace

std::vector<InBlock> recompute_blocks(const Graph& program, const std::vector<OutputSize>& outputs) {
  std::vector<InBlock> parts(outputs.size(), InBlock::none);
  if (program.last().index == 0) return parts;
  const Blocks blocks(program, outputs);
  std::vector<int> ends = blocks.least();
  ends.pop_back();  // with it the last block
  if (ends.empty()) return parts;
  for (int i = 0; i < ends.back(); ++i)
    if (blocks.counts(i)) parts[static_cast<std::size_t>(i)] = InBlock::inside;
  for (const int end : ends) parts[static_cast<std::size_t>(end)] = InBlock::end;
  return parts;
}

}  // namespace enxerto
