/// Probabilities that mean what they say: of the pictures that are answered with 80 %, 80 % should be right.
#pragma once

#include <cstdint>
#include <span>

#include "enxerto/tensor/tensor.h"

namespace enxerto {

/// The temperature T > 0 for which softmax(logits / T) has the least cross-entropy on these pictures (Guo et
/// al. 2017, section 4.2), pictures that the logits were not fitted to: logits {n, classes}, labels in [0,
/// classes). Against (n + 1) / (n + 2) for the label, the rest shared by the others (Platt 1999, section
/// 2.2): n pictures that are all right are no proof of certainty, and without that T would go to 0. In
/// [0.05, 20]. 1 where there are none.
double fit_temperature(ConstView logits, std::span<const std::int32_t> labels);

/// Expected calibration error (Naeini et al. 2015): in `bins` equal intervals of the highest probability, the
/// mean distance of its average from the share that is right, weighted by pictures. In [0, 1]; 0 of nothing.
double calibration_error(ConstView logits, std::span<const std::int32_t> labels, double temperature = 1,
                         int bins = 15);

}  // namespace enxerto
