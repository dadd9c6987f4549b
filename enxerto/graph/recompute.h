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

/// What becomes of a node's output between the forward and the backward pass.
enum class InBlock {
  none,    ///< of no block that is computed anew
  inside,  ///< computed anew
  end,     ///< handed on to the next block, and kept for that
};

/// The network cut into blocks so that outputs within one need not be kept for the backward pass: they are
/// computed anew, from what the block before handed on, when the backward pass comes to the block (Chen et
/// al. 2016, "Training Deep Nets with Sublinear Memory Cost"). Blocks end at cut_points(). The last block is
/// computed once only, since its backward pass comes at once, and so is what only side outputs need. Of all
/// ways to cut these take the least memory (within two percent), counted as what is there at one time: what
/// blocks hand on, the outputs within one, the gradients of one of its nodes. `outputs`, and what comes out,
/// by node.
std::vector<InBlock> recompute_blocks(const Graph& program, const std::vector<OutputSize>& outputs);

}  // namespace enxerto
