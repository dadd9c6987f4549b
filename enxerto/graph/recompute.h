/// Which outputs a training program computes anew in its backward pass, block by block.
#pragma once

#include <cstdint>
#include <vector>

#include "enxerto/graph/graph.h"

namespace enxerto {

/// What a node's output takes.
struct OutputSize {
  std::int64_t floats = 0;   ///< 0: the backward pass has nothing to do with it
  bool overwritten = false;  ///< by the only node that reads it, so that both take memory once
};

/// The last nodes of the blocks that a network is cut into so that outputs within a block need not be kept
/// for the backward pass: they are computed anew, from what the block before hands on, when it comes to the
/// block (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"). Blocks end at cut_points(), the
/// last one at the last node. Of all ways to cut these take the least memory (within two percent), counted as
/// what is there at one time: what blocks hand on, the outputs within one, the gradients of one of its nodes.
/// `outputs`: by node.
std::vector<NodeId> recompute_blocks(const Graph& program, const std::vector<OutputSize>& outputs);

/// For each node whether its output is computed anew: that of all but the ends of blocks and the whole last
/// block, whose backward pass comes first.
std::vector<bool> computed_anew(const Graph& program, const std::vector<OutputSize>& outputs);

}  // namespace enxerto
