/// Grad-CAM: which places of a layer's map speak for a class.
/// Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via gradient-based localization".
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "enxerto/explain/heatmap.h"
#include "enxerto/graph/executor.h"

namespace enxerto {

/// One network and layer, for any number of pictures.
class GradCam {
 public:
  /// `graph` as as_evaluated() makes it. Throws what map_called() throws of the layer.
  GradCam(const Graph& graph, std::string_view layer);

  /// image {1, c, h, w} -> the outputs, valid until the next call.
  std::span<const float> outputs(ConstView image);
  /// ReLU(sum_k alpha_k A^k), where A^k is channel k of the layer's map and alpha_k the
  /// mean over its places of the gradient of output number `output` by it (equations 1 and 2).
  Heatmap map(ConstView image, int output);

 private:
  Executor executor_;
  std::size_t output_count_;
};

}  // namespace enxerto
