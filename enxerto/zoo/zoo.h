/// Networks by name, as functions that return a Graph whose parameters still have to be filled.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "enxerto/data/preprocess.h"
#include "enxerto/graph/graph.h"

namespace enxerto {

struct NetOptions {
  std::optional<Shape> image = std::nullopt;  ///< {c, h, w}; the net's own where it is not given
  int classes = 0;                            ///< 0: the net's own
  bool include_top = true;  ///< false: ends at the last feature map, before pooling or flattening
};

/// What a net is, and how its best known weights take pictures.
struct NetInfo {
  std::string_view name, description;
  Shape image;  ///< its usual {c, h, w}
  int classes;
  Normalization normalization;
  double crop_fraction;  ///< of the evaluation that its accuracy was published for
  Graph (*make)(const Shape& image, int classes, bool include_top);
};

/// Every net that there is.
std::span<const NetInfo> nets();
bool is_net(std::string_view name);
/// Throws Error{usage} that lists the names where there is no such net.
const NetInfo& find_net(std::string_view name);
/// Throws Error{usage} too where the picture is too small for the net.
Graph make_net(std::string_view name, const NetOptions& options = {});

}  // namespace enxerto
