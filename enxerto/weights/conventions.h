/// Names and orders of tensors as other programs have them, turned into ours, which are PyTorch's:
/// "conv1.weight" {out, in, h, w}, "fc.weight" {out, in}, "bn1.weight", "bn1.bias", "bn1.running_mean",
/// "bn1.running_var". The layers keep the names that they have in the file.
#pragma once

#include <string>

#include "enxerto/tensor/named_tensors.h"

namespace enxerto {

enum class Convention { torch, keras, caffe };
const char* convention_name(Convention convention);

struct ConventionalWeights {
  NamedTensors tensors;
  Convention convention = Convention::torch;  ///< that the file had
  bool leaves_average =
      false;  ///< the file has a mean over training steps too (EMA, SWA), which is not taken
};

/// Sees through wrappers: what lies under "state_dict.", "model_state_dict.", "model." and the like beside an
/// optimizer's state, single numbers and averaged copies is taken alone. Of weights and their average
/// ("model_ema.", "state_dict_ema.", "params_ema.") the weights are taken, the average where it is alone.
/// "module." and "_orig_mod." before every name are dropped, and so are counters ("num_batches_tracked",
/// "n_averaged").
/// Keras: "X/kernel" {h, w, in, out} and {in, out}, "X/depthwise_kernel" {h, w, c, m}, "X/gamma", "X/beta",
/// "X/moving_mean", "X/moving_variance". The inputs of a dense layer behind a flatten stay in Keras's order,
/// h, w, c. Caffe: blobs "X.0", "X.1", "X.2" by number. A batch norm's mean and variance are divided by its
/// scale factor (blob 2) and it takes gamma and beta of the Scale layer "scaleX" that belongs to "bnX".
/// Throws Error{corrupt} with `where` before the text where two tensors get one name.
ConventionalWeights to_our_convention(NamedTensors tensors, const std::string& where);

}  // namespace enxerto
