#include "enxerto/transfer/features.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/data/loader.h"

namespace enxerto {
namespace {

void check_prefix(const Prefix& prefix, int views) {
  if (prefix.augment.mixes())
    throw Error(
        ErrorKind::usage,
        "mixup and cutmix make pictures that no row of features is kept for; leave them out, or train "
        "all layers");
  if (prefix.graph.input_shape() != prefix.preprocess.shape())
    throw Error(ErrorKind::usage,
                text("the network takes ", format_shape(prefix.graph.input_shape()),
                     ", the preprocessing makes ", format_shape(prefix.preprocess.shape())));
  if (prefix.batch < 1)
    throw Error(ErrorKind::usage, text("a prefix runs on at least one picture, not ", prefix.batch));
  if (views < 0) throw Error(ErrorKind::usage, text("views: 0 or more, not ", views));
}

/// The pictures in batches of the prefix.
LoaderConfig loader_config(const Prefix& prefix, const Dataset& data, int views, int workers) {
  LoaderConfig config{.batch = prefix.batch,
                      .workers = workers,
                      .seed = prefix.seed,
                      .preprocess = prefix.preprocess,
                      .augment = prefix.augment,
                      .views = views};
  if (prefix.augment.any()) config.sample_ids = sample_ids_of(digests_of(data, workers));
  return config;
}

void check_feed(const FeedConfig& config) {
  if (config.batch < 1)
    throw Error(ErrorKind::usage, text("a batch has at least one picture, not ", config.batch));
}

/// Pictures in an epoch.
std::int64_t count_of(const Dataset& data, const FeedConfig& config) {
  return config.drop_last ? data.size() / config.batch * config.batch : data.size();
}

/// Row `from_row` of some targets becomes row `row` of others, of n rows.
void copy_target(const Tensor& from, std::size_t from_row, std::int64_t n, std::size_t row, Tensor& to) {
  Shape shape{.n = 0};
  if (!from.empty()) shape = {.n = n, .c = from.shape().c};
  if (to.shape() != shape) to = Tensor(shape);
  if (from.empty()) return;
  const auto classes = static_cast<std::size_t>(shape.c);
  std::ranges::copy(from.data().subspan(from_row * classes, classes),
                    to.data().begin() + static_cast<std::ptrdiff_t>(row * classes));
}

/// A row's worth of labels and targets.
void set_labels(const Dataset& data, std::int64_t index, std::size_t row, Batch& batch) {
  batch.indices[row] = index;
  batch.labels[row] = data.label(index);
  if (batch.targets.empty()) return;
  const auto classes = static_cast<std::size_t>(batch.targets.shape().c);
  const auto targets = batch.targets.data().subspan(row * classes, classes);
  std::ranges::fill(targets, 0.0f);
  for (const std::int32_t label : data.labels(index)) targets[static_cast<std::size_t>(label)] = 1;
}

}  // namespace

std::vector<Digest> digests_of(const Dataset& data, int workers) {
  std::vector<Digest> digests(static_cast<std::size_t>(data.size()));
  std::atomic<std::int64_t> next{0};
  std::exception_ptr error;
  std::mutex mutex;
  const auto work = [&] {
    for (std::int64_t i = next++; i < data.size(); i = next++) try {
        const std::string file = data.file(i);
        Digest& digest = digests[static_cast<std::size_t>(i)];
        if (!file.empty()) {
          digest = digest_of(read_file(file));
          continue;
        }
        const Image image = data.get(i).image;
        Digester digester;
        digester.add(static_cast<std::uint64_t>(image.width));
        digester.add(image.pixels);
        digest = digester.digest();
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        next = data.size();
      }
  };
  {
    std::vector<std::jthread> others;
    for (int i = 1; i < workers; ++i) others.emplace_back(work);
    work();
  }
  if (error) std::rethrow_exception(error);
  return digests;
}

std::vector<std::uint64_t> sample_ids_of(std::span<const Digest> digests) {
  std::vector<std::uint64_t> ids;
  for (const Digest& digest : digests) ids.push_back(digest[0]);
  return ids;
}

Features::Features(std::int64_t pictures, int views, const Shape& row)
    : pictures_(pictures),
      views_(views),
      row_{.n = 1, .c = row.c, .h = row.h, .w = row.w},
      rows_(Tensor::untouched({.n = pictures * views, .c = row.c, .h = row.h, .w = row.w})) {}

std::span<float> Features::row(std::int64_t picture, int view) {
  const auto size = static_cast<std::size_t>(row_.size());
  return rows_.data().subspan(static_cast<std::size_t>((view - 1) * pictures_ + picture) * size, size);
}
std::span<const float> Features::row(std::int64_t picture, int view) const {
  const auto size = static_cast<std::size_t>(row_.size());
  return rows_.data().subspan(static_cast<std::size_t>((view - 1) * pictures_ + picture) * size, size);
}

ConstView Features::view(int view) const {
  const auto size = static_cast<std::size_t>(pictures_ * row_.size());
  return {{.n = pictures_, .c = row_.c, .h = row_.h, .w = row_.w},
          rows_.data().subspan(static_cast<std::size_t>(view - 1) * size, size)};
}

std::int64_t feature_bytes(const Prefix& prefix, std::int64_t pictures, int views) {
  return pictures * views * prefix.row_size() * std::int64_t{sizeof(float)};
}

Features compute_features(const Prefix& prefix, const Dataset& data, const FeatureOptions& options) {
  check_prefix(prefix, options.views);
  Features made(data.size(), std::max(options.views, 1), prefix.graph.output_shape());
  if (data.size() == 0) return made;
  LoaderConfig config = loader_config(prefix, data, made.views(), options.workers);
  config.cache_bytes = 0;
  Loader loader(data, std::move(config));
  PrefixRunner runner(prefix);
  const auto size = static_cast<std::size_t>(prefix.row_size());
  std::int64_t done = 0;
  Batch pictures;
  for (int view = 1; view <= made.views(); ++view)
    for (loader.start(view); loader.next(pictures);) {
      if (options.stop && *options.stop)
        throw Error(ErrorKind::interrupted, text("interrupted after ", done, " rows of features"));
      const ConstView rows = runner.run(pictures.images.view(), pictures.indices.size());
      for (std::size_t i = 0; i < pictures.indices.size(); ++i)
        std::ranges::copy(rows.data.subspan(i * size, size), made.row(pictures.indices[i], view).begin());
      done += std::ssize(pictures.indices);
      if (options.on_progress) options.on_progress(done, data.size() * made.views());
    }
  return made;
}

FeatureFeed::FeatureFeed(const Features& features, const Dataset& data, const FeedConfig& config)
    : features_(features), data_(data), config_(config), order_(static_cast<std::size_t>(data.size())) {
  ensure(features.pictures() == data.size(), "there is a row for each picture");
  check_feed(config);
  count_ = count_of(data, config);
  handed_out_ = count_;
  std::iota(order_.begin(), order_.end(), std::int64_t{0});
}

Shape FeatureFeed::shape() const {
  Shape shape = features_.row_shape();
  shape.n = config_.batch;
  return shape;
}
std::int64_t FeatureFeed::batches() const { return (count_ + config_.batch - 1) / config_.batch; }
std::int64_t FeatureFeed::memory_bytes() const {
  return features_.memory_bytes() + shape().size() * std::int64_t{sizeof(float)};
}

void FeatureFeed::start(int epoch) {
  if (config_.shuffle) order_ = epoch_order(data_.size(), config_.seed, epoch);
  // Validation asks for epoch 0.
  view_ = epoch < 1 ? 1 : (epoch - 1) % features_.views() + 1;
  handed_out_ = 0;
}

bool FeatureFeed::next(Batch& batch) {
  if (handed_out_ == count_) return false;
  const auto rows = static_cast<std::size_t>(std::min<std::int64_t>(config_.batch, count_ - handed_out_));
  if (batch.images.shape() != shape()) batch.images = Tensor(shape());
  Shape targets{.n = 0};
  if (data_.multi_label()) targets = {.n = config_.batch, .c = std::ssize(data_.classes())};
  if (batch.targets.shape() != targets) batch.targets = Tensor(targets);
  batch.labels.resize(rows);
  batch.indices.resize(rows);
  const auto size = static_cast<std::size_t>(features_.row_shape().size());
  for (std::size_t i = 0; i < rows; ++i) {
    const std::int64_t index = order_[static_cast<std::size_t>(handed_out_) + i];
    set_labels(data_, index, i, batch);
    std::ranges::copy(features_.row(index, view_),
                      batch.images.data().begin() + static_cast<std::ptrdiff_t>(i * size));
  }
  clear_padding(batch);
  handed_out_ += static_cast<std::int64_t>(rows);
  return true;
}

struct PrefixFeed::Parts {
  Loader loader;
  PrefixRunner runner;
  Shape shape;  ///< of a batch that is handed out
  std::int64_t count = 0, handed_out = 0;
  Batch pictures = {};  ///< the last that the prefix ran on
  ConstView rows = {};  ///< of these
  std::size_t used = 0;
};

PrefixFeed::PrefixFeed(const Prefix& prefix, const Dataset& data, const FeedConfig& config, int views,
                       int workers) {
  check_prefix(prefix, views);
  check_feed(config);
  ensure(!prefix.augment.any() || !config.shuffle || prefix.seed == config.seed,
         "order and augmentation have one seed");
  LoaderConfig loader = loader_config(prefix, data, views, workers);
  loader.shuffle = config.shuffle;
  loader.seed = config.seed;
  Shape shape = prefix.graph.output_shape();
  shape.n = config.batch;
  parts_.reset(new Parts{.loader = Loader(data, std::move(loader)),
                         .runner = PrefixRunner(prefix),
                         .shape = shape,
                         .count = count_of(data, config),
                         .handed_out = count_of(data, config)});
}
PrefixFeed::~PrefixFeed() = default;

Shape PrefixFeed::shape() const { return parts_->shape; }
std::int64_t PrefixFeed::batches() const { return (parts_->count + parts_->shape.n - 1) / parts_->shape.n; }
std::int64_t PrefixFeed::size() const { return parts_->count; }
std::int64_t PrefixFeed::memory_bytes() const {
  return parts_->loader.memory_bytes() + parts_->runner.memory_bytes();
}
double PrefixFeed::seconds_waited() const { return parts_->loader.seconds_waited(); }
std::string PrefixFeed::note() const { return parts_->loader.note(); }

void PrefixFeed::start(int epoch) {
  parts_->loader.start(epoch);
  parts_->handed_out = 0;
  parts_->pictures.indices.clear();
  parts_->used = 0;
}

bool PrefixFeed::next(Batch& batch) {
  Parts& parts = *parts_;
  if (parts.handed_out == parts.count) return false;
  const auto wanted =
      static_cast<std::size_t>(std::min<std::int64_t>(parts.shape.n, parts.count - parts.handed_out));
  const auto size = static_cast<std::size_t>(parts.shape.size() / parts.shape.n);
  const Batch& pictures = parts.pictures;
  batch.labels.clear();
  batch.indices.clear();
  if (batch.images.shape() != parts.shape) batch.images = Tensor(parts.shape);
  while (batch.labels.size() < wanted) {
    if (parts.used == pictures.indices.size()) {
      ensure(parts.loader.next(parts.pictures), "the loader has all pictures");
      parts.rows = parts.runner.run(pictures.images.view(), pictures.indices.size());
      parts.used = 0;
    }
    const std::size_t at = batch.labels.size();
    std::ranges::copy(parts.rows.data.subspan(parts.used * size, size),
                      batch.images.data().begin() + static_cast<std::ptrdiff_t>(at * size));
    batch.labels.push_back(pictures.labels[parts.used]);
    batch.indices.push_back(pictures.indices[parts.used]);
    copy_target(pictures.targets, parts.used, parts.shape.n, at, batch.targets);
    ++parts.used;
  }
  clear_padding(batch);
  parts.handed_out += static_cast<std::int64_t>(wanted);
  return true;
}

}  // namespace enxerto
