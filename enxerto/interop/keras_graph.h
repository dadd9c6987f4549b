/// Whole Keras models as graphs.
#pragma once

#include <string>

#include "enxerto/graph/graph.h"
#include "enxerto/weights/keras_file.h"

namespace enxerto {

/// The model with its parameters, ready to run, cut, freeze and train. Sequential and Functional models of
/// Keras 2 and 3 with one input and one output; models inside models are laid open. Nodes are called as
/// Keras's layers ("base/conv1" inside of a model); what a layer does beside has a longer name ("conv1_relu",
/// "sep_depthwise").
/// Layers with `trainable: false` are frozen; so are constants such as those of Rescaling.
/// `size` {c, h, w} is for models that leave their input's size open, and is not looked at otherwise.
/// Differences from Keras in training: a batch norm without scale or center has it, at 1 and 0; the running
/// variance is the unbiased one; SpatialDropout drops single values, and noise and augmentation do nothing.
/// Throws Error naming `file`: unsupported, listing at once every layer that cannot be taken; corrupt,
/// listing at once every tensor missing, left over or of the wrong shape, and where the structure contradicts
/// itself.
Graph graph_from_keras(const KerasFile& keras, const std::string& file, const Shape& size = {.n = 0});

}  // namespace enxerto
