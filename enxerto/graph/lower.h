/// Lowering: from the graph as it was written to the one that runs fast. A pass from Graph to Graph.
#pragma once

#include "enxerto/graph/graph.h"

namespace enxerto {

/// The same function with fewer passes over memory. What has nothing trainable at it or below becomes an
/// inference program: dropout vanishes, batch norm is folded into the convolution before it, the residual
/// and the activation follow inside the convolution. What is trained keeps its layers; batch norm takes a
/// residual and relu or relu6 along, or hard_swish, and a relu before a max pooling goes behind it. With
/// train false everything is inference. Parameters keep their names; a convolution that took a batch norm in
/// has that one's shift in a bias of its own. Their values are moved, not copied.
Graph lower(Graph graph, bool train);

/// For each node whether it or something below it is trained.
std::vector<bool> trained_at_or_below(const Graph& graph);

}  // namespace enxerto
