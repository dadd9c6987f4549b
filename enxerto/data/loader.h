/// Loader: a dataset as batches of floats, prepared ahead by the pool's threads (core/pool.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "enxerto/data/augment.h"
#include "enxerto/data/dataset.h"
#include "enxerto/data/preprocess.h"
#include "enxerto/tensor/tensor.h"

namespace enxerto {

struct LoaderConfig {
  int batch = 32;
  int workers = 0;         ///< threads of the pool that decode at once; 0: the thread that calls next()
  int prefetch = 3;        ///< batches that are made ahead of the one handed out, with workers
  bool shuffle = false;    ///< another order in each epoch, a function of seed and epoch
  bool drop_last = false;  ///< leaves out a last batch that is not full
  std::uint64_t seed = 0;
  Preprocess preprocess;
  Augment augment;
  /// Fitted pictures (a byte a value) are kept in memory where all of them fit into this; the bits are
  /// the same. Not where Augment::needs_whole_picture().
  std::int64_t cache_bytes = std::int64_t{256} << 20;
  /// Where not empty: they are kept in a file of this folder too, for later runs (picture_cache.h).
  std::filesystem::path cache_folder = {};
};

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

/// Turns a dataset, which has to outlive it, into batches. They are a function of dataset and
/// configuration, whatever the number of workers: picture i of epoch e draws only from
/// Rng(seed).child(e, i). For one thread at a time.
class Loader {
 public:
  /// Error{usage} where the configuration makes no sense.
  Loader(const Dataset& data, LoaderConfig config);
  ~Loader();
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;

  std::int64_t batches() const;  ///< in an epoch
  std::int64_t size() const;     ///< pictures in an epoch
  const LoaderConfig& config() const;

  /// The most that it holds at once: the ring of batches with the one that is handed out, the pictures that
  /// are kept, the order of the epoch. Beside that each worker holds one picture's file and pixels.
  std::int64_t memory_bytes() const;
  /// How long next() has waited for pictures since start(), in seconds. Without workers: decoded itself.
  double seconds_waited() const;
  /// For people: what is wrong with the cache folder's file; empty where nothing is.
  std::string note() const;

  /// Begins an epoch, also in the middle of another.
  void start(int epoch);
  /// The next batch of the epoch that was started last; empty at its end. Throws what get() threw for the
  /// first bad picture in it; the call after that goes on with the batch behind it.
  std::optional<Batch> next();
  /// The same without taking memory anew: `batch` gives up its own for the next one. False at the end.
  bool next(Batch& batch);

 private:
  class Pipeline;
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace enxerto
