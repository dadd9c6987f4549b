/// Batch: pictures, or what stands for them, as a network is given them; and what batches come from.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "enxerto/tensor/tensor.h"

namespace enxerto {

/// images.n is always the batch size; the rest of a short last batch is zero, and labels.size() says how
/// many pictures count.
struct Batch {
  Tensor images;                     ///< {n,c,h,w}
  std::vector<std::int32_t> labels;  ///< `unlabelled` where there is none; of a mixed picture its own
  /// {n, classes}: how much of each class is in each picture, zero behind the last that counts. Empty where
  /// `labels` say all; there for data with several labels a picture and where pictures are mixed (mix.h).
  Tensor targets = {};
  std::vector<std::int64_t> indices;  ///< into the dataset
};

/// Batches of an epoch, one after the other: a Loader's pictures, or features computed from them. For one
/// thread at a time.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  virtual Shape shape() const = 0;           ///< of Batch::images
  virtual std::int64_t batches() const = 0;  ///< in an epoch
  virtual std::int64_t size() const = 0;     ///< pictures in an epoch
  /// The most that it holds at once.
  virtual std::int64_t memory_bytes() const = 0;
  /// How long next() has waited for pictures since start(), in seconds.
  virtual double seconds_waited() const = 0;
  /// For people: what is wrong with its caches; empty where nothing is.
  virtual std::string note() const { return ""; }
  /// Begins an epoch, also in the middle of another.
  virtual void start(int epoch) = 0;
  /// The next batch of the epoch that was started last; `batch` gives up its memory for it. False at the end.
  /// Throws what reading the first bad picture in it threw; the call after that goes on with the next batch.
  virtual bool next(Batch& batch) = 0;
};

/// The order of n pictures in an epoch: shuffled, a function of seed and epoch.
std::vector<std::int64_t> epoch_order(std::int64_t n, std::uint64_t seed, int epoch);

/// A one for each label, zeros elsewhere: a row of Batch::targets.
void set_target(std::span<const std::int32_t> labels, std::span<float> target);

/// Zeros in the rows of a batch behind those that count.
void clear_padding(Batch& batch);

}  // namespace enxerto
