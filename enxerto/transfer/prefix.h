/// The frozen part of a network as a program: a picture's floats in, a row of features out.
#pragma once

#include <cstdint>
#include <string>

#include "enxerto/core/content_hash.h"
#include "enxerto/data/augment.h"
#include "enxerto/data/preprocess.h"
#include "enxerto/graph/executor.h"

namespace enxerto {

/// What decides a row of features beside the picture. Augmented pictures have as many rows as there are
/// views, each drawn from (seed, view, the picture's content).
struct Prefix {
  Graph graph;  ///< up to the cut; run as inference whatever it says is frozen
  Preprocess preprocess;
  Augment augment = {};    ///< pictures mixed with one another (mixup, cutmix) have no rows of their own
  std::uint64_t seed = 0;  ///< of augmentation
  /// Pictures that it runs at once. It decides which kernels run, and so the last bits.
  int batch = 32;
  bool half = false;  ///< values are rounded to half precision, and kept in it
  bool bf16 = false;  ///< convolutions run in bfloat16 (ExecutorConfig::bf16), where the chip has it

  std::int64_t row_size() const { return graph.output_shape().size(); }
  /// Stands for all of it: the values of the parameters, the layers, the preprocessing; augmentation and seed
  /// where it augments; and the batch, the number of threads, the version and the instruction set, which
  /// decide the last bits.
  ContentKey key() const;
  /// Stands for the network alone: layers, values of parameters, preprocessing. The same on every machine.
  ContentKey network_key() const;
};

/// Runs a prefix on batches. With one number of threads a row's bits depend on the picture alone: not on its
/// place in the batch, nor on the others (prefix_test.cpp).
class PrefixRunner {
 public:
  /// Throws Error{unsupported} where the prefix says bf16 and the chip has no such arithmetic.
  explicit PrefixRunner(const Prefix& prefix);
  /// {batch, ...}, valid until the next call. Throws Error{diverged} that names the first layer at fault
  /// where one of the first `count` rows is not finite.
  ConstView run(ConstView images, std::size_t count);
  std::int64_t memory_bytes() const { return executor_.memory_bytes() + executor_.param_bytes(); }

 private:
  Executor executor_;
  Tensor rounded_;  ///< where the prefix says half
};

}  // namespace enxerto
