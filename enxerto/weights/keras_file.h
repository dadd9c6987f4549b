/// Keras's files: `.h5` (weights, or whole models) and `.keras` archives, of Keras 2 and 3.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "enxerto/tensor/named_tensors.h"

namespace enxerto {

/// Tensors are called "LAYER/kernel", in a model inside a model "OUTER/INNER/kernel", and have Keras's order
/// of sizes (convolutions {h, w, in, out}, depthwise ones {h, w, in, multiplier}, dense ones {in, out}). The
/// last part is what Keras 2 calls it: kernel, bias, depthwise_kernel, pointwise_kernel, gamma, beta,
/// moving_mean, moving_variance, mean, variance, count; a number for layers that we do not know. Depthwise
/// kernels that a weight file of Keras 3 calls "kernel" are called so here too, where no structure says what
/// layer it is.
struct KerasFile {
  NamedTensors tensors;
  std::string config;   ///< the model's structure as JSON, empty where the file has weights alone
  std::string version;  ///< Keras's, "2.10.0"; empty where the file does not say
};

/// Takes memory for the file and its tensors. Optimizers' states are left out. Throws Error naming the file:
/// corrupt, unsupported, and what read_file() and parse_hdf5() throw.
KerasFile load_keras(const std::filesystem::path& path);

/// The same from memory; `file` stands for it in errors.
KerasFile parse_keras(std::span<const std::uint8_t> bytes, const std::string& file);

}  // namespace enxerto
