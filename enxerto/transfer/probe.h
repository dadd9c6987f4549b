/// A probe: a head fitted to the features of a frozen network, all of it at once, with no steps of training.
#pragma once

#include <string>
#include <vector>

#include "enxerto/heads/head.h"
#include "enxerto/train/metrics.h"
#include "enxerto/transfer/features.h"

namespace enxerto {

/// Fits a head to the rows, all views of them, of pictures with one label each. Throws Error{usage}: a
/// picture without a label, several labels a picture; what fit_head() throws. Cross-validation holds all
/// views of a picture back together (config.fold_of_row is filled in).
HeadFit fit_probe(const Features& features, const Dataset& data, HeadConfig config);

/// {pictures, classes}: the head's outputs, of rows of view 1.
Tensor outputs_of(const FittedHead& head, const Features& features);

/// The head as the last layer of `graph` (grafted() in graft.h), whose softmax is taken at `temperature`.
void set_head(const LinearHead& head, double temperature, Graph& graph);
/// The last layer of `graph` as a head.
LinearHead head_in(const Graph& graph);

}  // namespace enxerto
