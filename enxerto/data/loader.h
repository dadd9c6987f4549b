/// Loader: a dataset as batches of floats, prepared ahead by the pool's threads (core/pool.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "enxerto/data/augment.h"
#include "enxerto/data/batch.h"
#include "enxerto/data/dataset.h"
#include "enxerto/data/preprocess.h"

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
  /// What each picture draws by in place of its number, where its randomness may not depend on the other
  /// pictures: as many as there are pictures, or none.
  std::vector<std::uint64_t> sample_ids = {};
  /// Fitted pictures (a byte a value) are kept in memory where all of them fit into this; the bits are
  /// the same. Not where Augment::needs_whole_picture().
  std::int64_t cache_bytes = std::int64_t{256} << 20;
  /// Where not empty: they are kept in a file of this folder too, for later runs (picture_cache.h).
  std::filesystem::path cache_folder = {};
};

/// Turns a dataset, which has to outlive it, into batches. They are a function of dataset and
/// configuration, whatever the number of workers: picture i of epoch e draws only from
/// Rng(seed).child(e, i).
class Loader final : public BatchSource {
 public:
  /// Error{usage} where the configuration makes no sense.
  Loader(const Dataset& data, LoaderConfig config);
  ~Loader() override;
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;

  Shape shape() const override;
  std::int64_t batches() const override;
  std::int64_t size() const override;
  const LoaderConfig& config() const;

  /// The most that it holds at once: the ring of batches with the one that is handed out, the pictures that
  /// are kept, the order of the epoch. Beside that each worker holds one picture's file and pixels.
  std::int64_t memory_bytes() const override;
  /// Without workers: decoding counts as waiting.
  double seconds_waited() const override;
  /// What is wrong with the cache folder's file.
  std::string note() const override;

  void start(int epoch) override;
  bool next(Batch& batch) override;
  /// The same with memory of its own; empty at the end.
  std::optional<Batch> next();

 private:
  class Pipeline;
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace enxerto
