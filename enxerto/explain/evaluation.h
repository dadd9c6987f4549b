/// The network as it answers, ready to be asked how its answer depends on its values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "enxerto/graph/graph.h"

namespace enxerto {

/// The network that is explained: its outputs without the softmax at its end, where it has one, without side
/// outputs, and frozen whole, so that an Executor that gives gradients (ExecutorConfig::input_gradient)
/// takes running statistics and drops nothing.
Graph as_evaluated(const Graph& graph);

/// The layer called so. Error{not_found} where there is none, Error{usage} where its output is no map, {c, h,
/// w} with more than one place, or it is the network's input or output, or the output does not depend on it.
NodeId map_called(const Graph& graph, std::string_view layer);

/// The last layer that map_called() takes and that is no pooling: the usual place for Grad-CAM. Error{usage}
/// where there is none.
std::string last_map(const Graph& graph);

/// At most `count` layers by which the network's depth is shown, from the first to the last: of those that
/// last_map() could name, for each number of places the last; where these are too many, evenly chosen ones.
std::vector<std::string> layers_over_depth(const Graph& graph, int count);

}  // namespace enxerto
