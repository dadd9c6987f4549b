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

#include "enxerto/data/batch.h"
#include "enxerto/data/dataset.h"
#include "enxerto/transfer/prefix.h"

namespace enxerto {

struct FeatureOptions {
  int workers = 1;
  int views = 1;  ///< rows for each picture, where the prefix augments
  std::function<void(std::int64_t done, std::int64_t all)> on_progress = {};  ///< rows, on the calling thread
  const std::atomic<bool>* stop = nullptr;  ///< Error{interrupted} where it turns true; what was kept stays
};

/// What each picture is, by its file's bytes (by its pixels, where it has no file to itself): as many as
/// there are pictures. Reads every file. Throws what reading throws.
std::vector<Digest> digests_of(const Dataset& data, int workers);

/// What pictures draw their augmentation by, so that it is theirs whatever other pictures there are.
std::vector<std::uint64_t> sample_ids_of(std::span<const Digest> digests);

/// Rows of features in memory: views() of each picture.
class Features {
 public:
  Features(std::int64_t pictures, int views, const Shape& row);
  std::int64_t pictures() const { return pictures_; }
  int views() const { return views_; }
  const Shape& row_shape() const { return row_; }  ///< n = 1
  std::span<float> row(std::int64_t picture, int view = 1);
  std::span<const float> row(std::int64_t picture, int view = 1) const;
  /// All rows of one view as a matrix {pictures, c, h, w}.
  ConstView view(int view = 1) const;
  std::int64_t memory_bytes() const { return static_cast<std::int64_t>(rows_.data().size_bytes()); }

 private:
  std::int64_t pictures_;
  int views_;
  Shape row_;
  Tensor rows_;
};

/// Bytes that the rows of so many pictures take, to be told before they are computed.
std::int64_t feature_bytes(const Prefix& prefix, std::int64_t pictures, int views);

/// Runs every picture through the prefix, once for each view. Throws Error: usage where the prefix mixes
/// pictures or does not fit its preprocessing; interrupted; diverged; what reading a picture throws.
Features compute_features(const Prefix& prefix, const Dataset& data, const FeatureOptions& options = {});

/// How batches are made of rows or of pictures for training and validation.
struct FeedConfig {
  int batch = 32;
  bool shuffle = false, drop_last = false;  ///< as in LoaderConfig
  std::uint64_t seed = 0;                   ///< of the order
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
  double seconds_waited() const override { return 0; }
  void start(int epoch) override;
  bool next(Batch& batch) override;

 private:
  const Features& features_;
  const Dataset& data_;
  FeedConfig config_;
  std::int64_t count_ = 0, handed_out_ = 0;
  int view_ = 1;
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
