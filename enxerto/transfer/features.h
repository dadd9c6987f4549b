/// Features: what a frozen prefix makes of each picture, computed once and kept.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "enxerto/core/row_store.h"
#include "enxerto/data/batch.h"
#include "enxerto/data/dataset.h"
#include "enxerto/transfer/prefix.h"

namespace enxerto {

struct FeatureOptions {
  int workers = 1;
  int views = 1;  ///< rows for each picture, where the prefix augments
  /// Where rows are kept for later runs too, in a file for each prefix; empty: nowhere. A row is found by the
  /// content of its picture: what was added or changed is computed, nothing else.
  std::filesystem::path folder = {};
  std::int64_t memory_bytes = std::int64_t{1} << 30;  ///< rows that take more are read from the file
  std::int64_t file_bytes = std::int64_t{8} << 30;    ///< the file grows no further
  std::function<void(std::int64_t done, std::int64_t all)> on_progress = {};  ///< rows, on the calling thread
  const std::atomic<bool>* stop = nullptr;  ///< Error{interrupted} where it turns true; what was kept stays
};

/// What each picture is, by its file's bytes (by its pixels, where it has no file to itself): as many as
/// there are pictures. Reads every file. Throws what reading throws.
std::vector<ContentKey> content_keys(const Dataset& data, int workers);

/// Rows of features: views() of each picture, in memory or in a file. Reading from one thread at a time.
class Features {
 public:
  std::int64_t pictures() const { return pictures_; }
  int views() const { return views_; }
  const Shape& row_shape() const { return row_; }      ///< n = 1
  std::int64_t computed() const { return computed_; }  ///< rows that were not found
  bool in_memory() const { return !in_file_; }
  /// Throws Error{corrupt} where the file was damaged meanwhile.
  void read(std::int64_t picture, int view, std::span<float> row) const;
  /// All rows of one view as a matrix {pictures, c, h, w}; borrowed where they lie so in memory, else in
  /// `room`. Throws as read().
  ConstView matrix(int view, Tensor& room) const;
  /// The rows of all views, view by view: {views * pictures, c, h, w}. As matrix().
  ConstView all(Tensor& room) const;
  std::int64_t memory_bytes() const;
  /// For people: what is wrong with the file; empty where nothing is.
  std::string note() const { return store_ ? store_->note() : ""; }

 private:
  friend Features compute_features(const Prefix& prefix, const Dataset& data, const FeatureOptions& options);
  Features(const Prefix& prefix, std::int64_t pictures, const FeatureOptions& options);
  std::size_t row_bytes() const;
  std::size_t place(std::int64_t picture, int view) const;
  bool find(std::int64_t picture, int view);
  void keep(std::int64_t picture, int view, std::span<const float> row);

  std::int64_t pictures_ = 0, computed_ = 0;
  int views_ = 1;
  Shape row_;
  bool half_ = false, in_file_ = false;
  Tensor floats_;                      ///< view by view, picture by picture
  std::vector<std::uint16_t> halves_;  ///< the same, where half
  std::unique_ptr<RowStore> store_;
  std::vector<ContentKey> keys_;             ///< of each row in the store
  mutable std::vector<std::uint8_t> bytes_;  ///< of one row
};

/// Bytes that the rows of so many pictures take, to be told before they are computed.
std::int64_t feature_bytes(const Prefix& prefix, std::int64_t pictures, int views);

/// Where rows can be kept: in memory, else in the file, else nowhere: they are computed anew each time
/// (PrefixFeed).
enum class Keeping { memory, file, nowhere };
Keeping keeping_of(const Prefix& prefix, std::int64_t pictures, const FeatureOptions& options);

/// Runs every picture that is not found through the prefix, once for each view. Throws Error: usage where the
/// prefix mixes pictures, does not fit its preprocessing, or the rows can be kept nowhere; io where the file
/// cannot be written and they do not fit into memory; interrupted; diverged; what reading a picture throws.
Features compute_features(const Prefix& prefix, const Dataset& data, const FeatureOptions& options = {});

/// The same with all rows in memory at once, whatever options.memory_bytes says: what a head is fitted to.
Features compute_features_in_memory(const Prefix& prefix, const Dataset& data, FeatureOptions options = {});

/// Rows {n, c, h, w} as a matrix {n, c * h * w}.
ConstView flat(ConstView rows);

/// How batches are made of rows, for training and validation.
struct FeedConfig {
  int batch = 32;
  bool shuffle = false, drop_last = false;  ///< as in LoaderConfig
  std::uint64_t seed = 0;                   ///< of the order
  std::string note = {};                    ///< for people: what a PrefixFeed's note() begins with
};

/// Batches of rows: those of epoch e are of view (e - 1) % views() + 1. `features` and `data`, whose labels
/// they have, have to outlive it.
class FeatureFeed final : public BatchSource {
 public:
  FeatureFeed(const Features& features, const Dataset& data, const FeedConfig& config);
  Shape shape() const override;
  std::int64_t batches() const override;
  std::int64_t size() const override { return count_; }
  std::int64_t memory_bytes() const override;
  double seconds_waited() const override { return seconds_waited_; }
  std::string note() const override { return features_.note(); }
  void start(int epoch) override;
  bool next(Batch& batch) override;

 private:
  const Features& features_;
  const Dataset& data_;
  FeedConfig config_;
  std::int64_t count_ = 0, handed_out_ = 0;
  int view_ = 1;
  double seconds_waited_ = 0;
  std::vector<std::int64_t> order_;
};

/// The same batches, bit for bit, computed from the pictures as they are asked for: where keeping the rows
/// would take too much, or where every epoch is to see new augmentations (views 0).
class PrefixFeed final : public BatchSource {
 public:
  /// `data` has to outlive it. Throws as compute_features().
  PrefixFeed(const Prefix& prefix, const Dataset& data, const FeedConfig& config, int views, int workers);
  ~PrefixFeed() override;
  Shape shape() const override;
  std::int64_t batches() const override;
  std::int64_t size() const override;
  std::int64_t memory_bytes() const override;
  double seconds_waited() const override;
  std::string note() const override;
  void start(int epoch) override;
  bool next(Batch& batch) override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace enxerto
