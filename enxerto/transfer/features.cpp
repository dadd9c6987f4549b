#include "enxerto/transfer/features.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/pool.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/data/loader.h"
#include "enxerto/image/decode.h"
#include "enxerto/tensor/half.h"

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
LoaderConfig loader_config(const Prefix& prefix, int views, int workers) {
  return {.batch = prefix.batch,
          .workers = workers,
          .seed = prefix.seed,
          .preprocess = prefix.preprocess,
          .augment = prefix.augment,
          .views = views};
}

/// What a picture draws its augmentation by, so that it is its own whatever other pictures there are.
std::uint64_t sample_id(const ContentKey& content) { return content.low; }

ContentKey content_key(const Dataset& data, std::int64_t index) {
  ContentHash hash;
  if (const std::string file = data.file(index); !file.empty()) {
    hash.add(read_file(file, most_picture_bytes));
    return hash.key();
  }
  const Image image = data.get(index).image;
  hash.add(static_cast<std::uint64_t>(image.width));
  hash.add(image.pixels);
  return hash.key();
}

ContentKey row_key(const ContentKey& content, int view) {
  ContentHash hash;
  hash.add(content);
  hash.add(static_cast<std::uint64_t>(view));
  return hash.key();
}

std::size_t bytes_of_row(const Prefix& prefix) {
  return static_cast<std::size_t>(prefix.row_size()) * (prefix.half ? sizeof(std::uint16_t) : sizeof(float));
}

/// The bytes of row `at` of a table.
template <class T>
std::span<std::uint8_t> bytes_in(std::span<T> table, std::size_t at, std::size_t row_bytes) {
  return {reinterpret_cast<std::uint8_t*>(table.data()) + at * row_bytes, row_bytes};
}

/// A row as it is kept, and back.
void encode(std::span<const float> row, bool half, std::span<std::uint8_t> bytes) {
  if (!half) {
    std::memcpy(bytes.data(), row.data(), bytes.size());
    return;
  }
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::uint16_t value = half_of(row[i]);
    std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
  }
}
void decode(std::span<const std::uint8_t> bytes, bool half, std::span<float> row) {
  if (!half) {
    std::memcpy(row.data(), bytes.data(), bytes.size());
    return;
  }
  for (std::size_t i = 0; i < row.size(); ++i) {
    std::uint16_t value = 0;
    std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
    row[i] = float_of(value);
  }
}

void check_feed(const FeedConfig& config) {
  if (config.batch < 1)
    throw Error(ErrorKind::usage, text("a batch has at least one picture, not ", config.batch));
}

/// Pictures in an epoch.
std::int64_t count_of(const Dataset& data, const FeedConfig& config) {
  return config.drop_last ? data.size() / config.batch * config.batch : data.size();
}

/// Makes room for `rows` pictures of `data` in a batch of this shape.
void prepare(const Dataset& data, const Shape& shape, std::size_t rows, Batch& batch) {
  if (batch.images.shape() != shape) batch.images = Tensor(shape);
  Shape targets{.n = 0};
  if (data.multi_label()) targets = {.n = shape.n, .c = std::ssize(data.classes())};
  if (batch.targets.shape() != targets) batch.targets = Tensor(targets);
  batch.labels.resize(rows);
  batch.indices.resize(rows);
}

void set_labels(const Dataset& data, std::int64_t index, std::size_t row, Batch& batch) {
  batch.indices[row] = index;
  batch.labels[row] = data.label(index);
  const auto classes = static_cast<std::size_t>(batch.targets.shape().c);
  if (!batch.targets.empty())
    set_target(data.labels(index), batch.targets.data().subspan(row * classes, classes));
}

}  // namespace

std::vector<ContentKey> content_keys(const Dataset& data, int workers) {
  std::vector<ContentKey> keys(static_cast<std::size_t>(data.size()));
  parallel_for(data.size(), std::max(workers, 1),
               [&](std::int64_t i) { keys[static_cast<std::size_t>(i)] = content_key(data, i); });
  return keys;
}

std::int64_t feature_bytes(const Prefix& prefix, std::int64_t pictures, int views) {
  return pictures * views * static_cast<std::int64_t>(bytes_of_row(prefix));
}

Keeping keeping_of(const Prefix& prefix, std::int64_t pictures, const FeatureOptions& options) {
  const std::int64_t bytes = feature_bytes(prefix, pictures, options.views);
  if (bytes <= options.memory_bytes) return Keeping::memory;
  return !options.folder.empty() && bytes <= options.file_bytes ? Keeping::file : Keeping::nowhere;
}

Features::Features(const Prefix& prefix, std::int64_t pictures, const FeatureOptions& options)
    : pictures_(pictures),
      views_(options.views),
      row_(prefix.graph.output_shape()),
      half_(prefix.half),
      in_file_(keeping_of(prefix, pictures, options) == Keeping::file),
      bytes_(bytes_of_row(prefix)) {
  const auto rows = pictures * views_;
  if (!in_file_ && half_) halves_.resize(static_cast<std::size_t>(rows * row_.size()));
  if (!in_file_ && !half_) floats_ = Tensor::untouched({.n = rows, .c = row_.c, .h = row_.h, .w = row_.w});
  if (!options.folder.empty())
    store_ = std::make_unique<RowStore>(options.folder, RowStoreOptions{.kind = prefix.key(),
                                                                        .row_bytes = bytes_.size(),
                                                                        .ending = ".features",
                                                                        .limit_bytes = options.file_bytes});
}

std::size_t Features::place(std::int64_t picture, int view) const {
  return static_cast<std::size_t>((view - 1) * pictures_ + picture);
}

bool Features::find(std::int64_t picture, int view) {
  if (!store_) return false;
  const std::size_t at = place(picture, view);
  if (in_file_) return store_->find(keys_[at], bytes_);  // read, so that damage shows now
  const std::span<std::uint8_t> row =
      half_ ? bytes_in(std::span(halves_), at, bytes_.size()) : bytes_in(floats_.data(), at, bytes_.size());
  return store_->find(keys_[at], row);
}

void Features::keep(std::int64_t picture, int view, std::span<const float> row) {
  ++computed_;
  const std::size_t at = place(picture, view);
  encode(row, half_, bytes_);
  if (!in_file_)
    std::ranges::copy(bytes_, (half_ ? bytes_in(std::span(halves_), at, bytes_.size())
                                     : bytes_in(floats_.data(), at, bytes_.size()))
                                  .begin());
  if (!store_) return;
  store_->keep(keys_[at], bytes_);
  if (in_file_ && !store_->holds(keys_[at]))
    throw Error(ErrorKind::io,
                text("features: a row could not be kept: ", store_->note(),
                     ", and in memory all would take more than is allowed; allow a larger file "
                     "or more memory, or remove the file"));
}

void Features::read(std::int64_t picture, int view, std::span<float> row) const {
  const std::size_t at = place(picture, view);
  const auto size = static_cast<std::size_t>(row_.size());
  if (in_file_) {
    if (!store_->find(keys_[at], bytes_))
      throw Error(ErrorKind::corrupt, text(store_->path().string(),
                                           ": was damaged while it was in use; start again, what is lost is "
                                           "computed anew"));
    decode(bytes_, half_, row);
  } else if (half_) {
    std::ranges::transform(std::span(halves_).subspan(at * size, size), row.begin(), float_of);
  } else {
    std::ranges::copy(floats_.data().subspan(at * size, size), row.begin());
  }
}

ConstView Features::matrix(int view, Tensor& room) const {
  const Shape shape{.n = pictures_, .c = row_.c, .h = row_.h, .w = row_.w};
  const auto size = static_cast<std::size_t>(row_.size());
  if (!in_file_ && !half_)
    return {shape, floats_.data().subspan(place(0, view) * size, static_cast<std::size_t>(shape.size()))};
  room = Tensor(shape);
  for (std::int64_t i = 0; i < pictures_; ++i)
    read(i, view, room.data().subspan(static_cast<std::size_t>(i) * size, size));
  return std::as_const(room).view();
}

ConstView Features::all(Tensor& room) const {
  const Shape shape{.n = pictures_ * views_, .c = row_.c, .h = row_.h, .w = row_.w};
  if (!in_file_ && !half_) return {shape, floats_.data()};
  room = Tensor(shape);
  const auto size = static_cast<std::size_t>(row_.size());
  for (int view = 1; view <= views_; ++view)
    for (std::int64_t i = 0; i < pictures_; ++i)
      read(i, view, room.data().subspan(place(i, view) * size, size));
  return std::as_const(room).view();
}

std::int64_t Features::memory_bytes() const {
  const std::int64_t table = store_ ? std::ssize(keys_) * RowStore::row_memory_bytes : 0;
  return table + static_cast<std::int64_t>(floats_.data().size_bytes() + halves_.size() * sizeof halves_[0]);
}

Features compute_features(const Prefix& prefix, const Dataset& data, const FeatureOptions& options) {
  check_prefix(prefix, options.views);
  if (options.views < 1) throw Error(ErrorKind::usage, "views: at least one row for each picture");
  if (keeping_of(prefix, data.size(), options) == Keeping::nowhere)
    throw Error(ErrorKind::usage,
                text("the features would take ",
                     human_bytes(static_cast<double>(feature_bytes(prefix, data.size(), options.views))),
                     ", more than may be kept; raise the limit, or cut at a smaller layer"));
  Features made(prefix, data.size(), options);
  const std::int64_t all = data.size() * made.views_;
  std::vector<ContentKey> contents;
  if (made.store_ || prefix.augment.any()) contents = content_keys(data, options.workers);
  if (made.store_)
    for (int view = 1; view <= made.views_; ++view)
      for (const ContentKey& content : contents) made.keys_.push_back(row_key(content, view));

  PrefixRunner runner(prefix);
  const auto size = static_cast<std::size_t>(prefix.row_size());
  std::int64_t done = 0;
  const auto check_stop = [&] {
    if (options.stop && *options.stop)
      throw Error(ErrorKind::interrupted, text("interrupted after ", done, " of ", all, " rows of features",
                                               made.store_ ? ", which are kept and found again" : ""));
  };
  const std::shared_ptr<const Dataset> borrowed(std::shared_ptr<void>(), &data);
  for (int view = 1; view <= made.views_; ++view) {
    std::vector<std::int64_t> missing;
    std::vector<std::uint64_t> ids;
    for (std::int64_t i = 0; i < data.size(); ++i) {
      if (made.find(i, view)) continue;
      missing.push_back(i);
      if (prefix.augment.any()) ids.push_back(sample_id(contents[static_cast<std::size_t>(i)]));
    }
    done += data.size() - std::ssize(missing);
    if (options.on_progress && done > 0) options.on_progress(done, all);
    if (missing.empty()) continue;
    const Subset pictures(borrowed, missing);
    LoaderConfig config = loader_config(prefix, made.views_, options.workers);
    config.sample_ids = std::move(ids);
    config.cache_bytes = 0;
    Loader loader(pictures, std::move(config));
    Batch batch;
    for (loader.start(view); loader.next(batch);) {
      check_stop();
      const ConstView rows = runner.run(batch.images.view(), batch.indices.size());
      for (std::size_t i = 0; i < batch.indices.size(); ++i)
        made.keep(missing[static_cast<std::size_t>(batch.indices[i])], view,
                  rows.data.subspan(i * size, size));
      done += std::ssize(batch.indices);
      if (options.on_progress) options.on_progress(done, all);
    }
  }
  if (made.store_) made.store_->flush();
  return made;
}

Features compute_features_in_memory(const Prefix& prefix, const Dataset& data, FeatureOptions options) {
  options.memory_bytes = std::max(options.memory_bytes, feature_bytes(prefix, data.size(), options.views));
  return compute_features(prefix, data, options);
}

ConstView flat(ConstView rows) {
  return {{.n = rows.shape.n, .c = rows.shape.c * rows.shape.h * rows.shape.w}, rows.data};
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
  seconds_waited_ = 0;
}

bool FeatureFeed::next(Batch& batch) {
  if (handed_out_ == count_) return false;
  const double began = now_seconds();
  const auto rows = static_cast<std::size_t>(std::min<std::int64_t>(config_.batch, count_ - handed_out_));
  prepare(data_, shape(), rows, batch);
  const auto size = static_cast<std::size_t>(features_.row_shape().size());
  for (std::size_t i = 0; i < rows; ++i) {
    const std::int64_t index = order_[static_cast<std::size_t>(handed_out_) + i];
    set_labels(data_, index, i, batch);
    features_.read(index, view_, batch.images.data().subspan(i * size, size));
  }
  clear_padding(batch);
  if (!features_.in_memory()) seconds_waited_ += now_seconds() - began;
  handed_out_ += static_cast<std::int64_t>(rows);
  return true;
}

struct PrefixFeed::Parts {
  Parts(const Prefix& prefix, const Dataset& pictures_of, LoaderConfig config, const FeedConfig& feed)
      : data(pictures_of),
        loader(data, std::move(config)),
        runner(prefix),
        shape(prefix.graph.output_shape()),
        note(feed.note),
        count(count_of(data, feed)),
        handed_out(count) {
    shape.n = feed.batch;
  }
  const Dataset& data;
  Loader loader;
  PrefixRunner runner;
  Shape shape;  ///< of a batch that is handed out
  std::string note;
  std::int64_t count, handed_out;
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
  LoaderConfig loader = loader_config(prefix, views, workers);
  if (prefix.augment.any())
    for (const ContentKey& content : content_keys(data, workers))
      loader.sample_ids.push_back(sample_id(content));
  loader.shuffle = config.shuffle;
  if (config.shuffle) loader.seed = config.seed;
  parts_ = std::make_unique<Parts>(prefix, data, std::move(loader), config);
}
PrefixFeed::~PrefixFeed() = default;

Shape PrefixFeed::shape() const { return parts_->shape; }
std::int64_t PrefixFeed::batches() const { return (parts_->count + parts_->shape.n - 1) / parts_->shape.n; }
std::int64_t PrefixFeed::size() const { return parts_->count; }
std::int64_t PrefixFeed::memory_bytes() const {
  return parts_->loader.memory_bytes() + parts_->runner.memory_bytes();
}
double PrefixFeed::seconds_waited() const { return parts_->loader.seconds_waited(); }
std::string PrefixFeed::note() const { return parts_->note + parts_->loader.note(); }

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
  prepare(parts.data, parts.shape, wanted, batch);
  for (std::size_t row = 0; row < wanted; ++row, ++parts.used) {
    if (parts.used == pictures.indices.size()) {
      ensure(parts.loader.next(parts.pictures), "the loader has all pictures");
      parts.rows = parts.runner.run(pictures.images.view(), pictures.indices.size());
      parts.used = 0;
    }
    std::ranges::copy(parts.rows.data.subspan(parts.used * size, size),
                      batch.images.data().begin() + static_cast<std::ptrdiff_t>(row * size));
    set_labels(parts.data, pictures.indices[parts.used], row, batch);
  }
  clear_padding(batch);
  parts.handed_out += static_cast<std::int64_t>(wanted);
  return true;
}

}  // namespace enxerto
