#include "enxerto/data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/pool.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/data/mix.h"
#include "enxerto/data/picture_cache.h"

namespace enxerto {
namespace {

LoaderConfig checked(LoaderConfig config) {
  config.preprocess.check();
  config.augment.check();
  if (config.batch < 1)
    throw Error(ErrorKind::usage, text("a batch has at least one picture, not ", config.batch));
  if (config.workers < 0 || config.workers > 1024)
    throw Error(ErrorKind::usage, text("workers have to be 0..1024, not ", config.workers));
  if (config.views < 0) throw Error(ErrorKind::usage, text("views: 0 or more, not ", config.views));
  if (config.prefetch < 1 || config.prefetch > 1024)
    throw Error(ErrorKind::usage, text("prefetch has to be 1..1024, not ", config.prefetch));
  return config;
}

}  // namespace

/// The pool's threads take runs of pictures in the order of the epoch and write them into the ring's batches.
/// What is shared changes under `mutex_`, except the pictures themselves: each has one writer, and who reads
/// it has seen the batch's count of missing pictures fall to zero under the mutex. A batch belongs to the
/// tasks from begin() until then, and to next() afterwards.
class Loader::Pipeline {
 public:
  Pipeline(const Dataset& data, LoaderConfig config) : data_(data), config_(checked(std::move(config))) {
    const std::int64_t total = data.size();
    if (!config_.sample_ids.empty() && std::ssize(config_.sample_ids) != total)
      throw Error(ErrorKind::usage,
                  text("there are ", config_.sample_ids.size(), " sample_ids for ", total, " pictures"));
    count_ = config_.drop_last ? total / config_.batch * config_.batch : total;
    batches_ = (count_ + config_.batch - 1) / config_.batch;
    order_.resize(static_cast<std::size_t>(total));
    shape_ = config_.preprocess.shape();
    picture_size_ = static_cast<std::size_t>(shape_.size());
    shape_.n = config_.batch;
    if (data.multi_label() || config_.augment.mixes())
      target_shape_ = {.n = config_.batch, .c = std::ssize(data.classes())};
    ring_.resize(config_.workers > 0 ? static_cast<std::size_t>(config_.prefetch) : 1);
    if (!config_.augment.needs_whole_picture() && total > 0 &&
        static_cast<std::int64_t>(picture_size_) <= config_.cache_bytes / total) {
      // Not zeroed, so that memory is taken only as pictures come.
      cache_.reset(new std::uint8_t[picture_size_ * order_.size()]);
      cached_.resize(order_.size());
    }
    if (!config_.cache_folder.empty() && !config_.augment.needs_whole_picture())
      file_cache_ = std::make_unique<PictureCache>(config_.cache_folder, data, config_.preprocess);
    if (config_.workers > 0) {
      // Short, so that the workers end a batch together; long enough that the locks are rarely taken.
      run_ = std::max(1, config_.batch / (4 * config_.workers));
      const std::int64_t runs = (config_.batch + run_ - 1) / run_;
      queue_.emplace(config_.workers, static_cast<std::size_t>(runs * std::ssize(ring_)));
    }
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  const Shape& shape() const { return shape_; }
  std::int64_t batches() const { return batches_; }
  std::int64_t size() const { return count_; }
  const LoaderConfig& config() const { return config_; }
  double seconds_waited() const { return seconds_waited_; }
  std::string note() const { return file_cache_ ? file_cache_->note() : ""; }
  std::int64_t memory_bytes() const {
    const std::int64_t batch = (shape_.size() + target_shape_.size()) * std::int64_t{sizeof(float)};
    std::int64_t bytes =
        batch * (std::ssize(ring_) + 1) + std::ssize(order_) * std::int64_t{sizeof order_[0]};
    if (cache_) bytes += std::ssize(order_) * static_cast<std::int64_t>(picture_size_ + 1);
    if (file_cache_) bytes += file_cache_->memory_bytes();
    return bytes;
  }

  void start(int epoch) {
    if (queue_) queue_->drop();
    view_ = static_cast<std::uint64_t>(config_.view_of(epoch));
    if (config_.shuffle)
      order_ = epoch_order(std::ssize(order_), config_.seed, epoch);
    else
      std::iota(order_.begin(), order_.end(), std::int64_t{0});
    started_ = true;
    handed_out_ = 0;
    seconds_waited_ = 0;
    for (std::int64_t number = 0; number < std::min<std::int64_t>(batches_, std::ssize(ring_)); ++number)
      begin(number);
  }

  bool next(Batch& out) {
    ensure(started_, "an epoch is started before its batches are taken");
    const std::int64_t number = handed_out_;
    if (number == batches_) return false;
    Slot& slot = slot_of(number);
    const double began = now_seconds();
    if (queue_) {
      wait_for(slot);
    } else {
      slot.failure = make(first_of(number), first_of(number + 1), slot.batch);
      if (!slot.failure.error) mix(slot.batch);
    }
    seconds_waited_ += now_seconds() - began;
    const std::exception_ptr error = slot.failure.error;
    if (!error) {
      std::swap(out, slot.batch);
      clear_padding(out);
    }
    ++handed_out_;
    if (const std::int64_t later = number + std::ssize(ring_); later < batches_) begin(later);
    if (error) std::rethrow_exception(error);
    return true;
  }

 private:
  /// The first bad picture of a run or batch, by its place in the epoch.
  struct Failure {
    std::exception_ptr error;
    std::int64_t at = 0;
  };
  struct Slot {
    Batch batch;
    std::int64_t missing = 0;  ///< pictures that are not in it yet
    Failure failure;
  };

  Slot& slot_of(std::int64_t number) { return ring_[static_cast<std::size_t>(number) % ring_.size()]; }
  /// The place in the epoch where a batch begins.
  std::int64_t first_of(std::int64_t number) const { return std::min(number * config_.batch, count_); }

  /// Makes the batch's place in the ring ready, and has its pictures made where there are workers.
  void begin(std::int64_t number) {
    Slot& slot = slot_of(number);
    slot.missing = first_of(number + 1) - first_of(number);
    slot.failure = {};
    slot.batch.labels.resize(static_cast<std::size_t>(slot.missing));
    slot.batch.indices.resize(static_cast<std::size_t>(slot.missing));
    // What came back from the caller may have any shape.
    if (slot.batch.images.shape() != shape_) slot.batch.images = Tensor(shape_);
    if (slot.batch.targets.shape() != target_shape_) slot.batch.targets = Tensor(target_shape_);
    if (!queue_) return;
    const std::int64_t end = first_of(number + 1);
    for (std::int64_t first = first_of(number); first < end; first += run_)
      queue_->add([this, &slot, first, last = std::min(first + run_, end)] { make_run(first, last, slot); });
  }

  /// Until all of the batch is there.
  void wait_for(Slot& slot) {
    // A thread of the pool that only waited might wait for itself.
    if (is_pool_thread())
      while (queue_->run_one()) {
      }
    std::unique_lock lock(mutex_);
    has_result_.wait(lock, [&] { return slot.missing == 0; });
  }

  /// Prepares the pictures at these places of the epoch, all of one batch.
  Failure make(std::int64_t first, std::int64_t last, Batch& batch) {
    for (std::int64_t at = first; at < last; ++at) {
      const std::int64_t index = order_[static_cast<std::size_t>(at)];
      const auto row = static_cast<std::size_t>(at % config_.batch);
      try {
        batch.indices[row] = index;
        batch.labels[row] = data_.label(index);
        if (const auto classes = static_cast<std::size_t>(target_shape_.c); !batch.targets.empty())
          set_target(data_.labels(index), batch.targets.data().subspan(row * classes, classes));
        Rng rng = Rng(config_.seed).child(view_, id_of(index));
        const std::span<float> floats = batch.images.data().subspan(row * picture_size_, picture_size_);
        config_.preprocess.normalize(prepare(index, rng), floats);
        augment_normalized(floats, config_.preprocess.shape(), config_.augment, rng);
      } catch (...) {
        return {std::current_exception(), at};
      }
    }
    return {};
  }

  std::uint64_t id_of(std::int64_t index) const {
    return config_.sample_ids.empty() ? static_cast<std::uint64_t>(index)
                                      : config_.sample_ids[static_cast<std::size_t>(index)];
  }

  /// Once all pictures are in the batch.
  void mix(Batch& batch) const {
    if (config_.augment.mixes()) mix_batch(config_.augment, config_.seed, view_, batch);
  }

  /// The picture in bytes, without random changes, from the file of kept ones where it is there.
  Image read_fitted(std::int64_t index, const PictureSource& source) {
    const Preprocess& preprocess = config_.preprocess;
    if (!file_cache_) return preprocess.fitted(source);
    Image image(preprocess.height, preprocess.width, preprocess.channels);
    if (file_cache_->find(index, image.pixels)) return image;
    image = preprocess.fitted(source);
    file_cache_->keep(index, image.pixels);
    return image;
  }

  /// The picture in bytes; `rng` goes on with what works on floats.
  Image prepare(std::int64_t index, Rng& rng) {
    const Preprocess& preprocess = config_.preprocess;
    const PictureSource source = [&](const DecodeOptions& options) {
      return data_.get(index, options).image;
    };
    if (config_.augment.needs_whole_picture()) return preprocess.fitted(source, config_.augment, rng);
    if (!cache_)
      return augment_fitted(read_fitted(index, source), config_.augment, preprocess.pad_value, rng);
    const auto i = static_cast<std::size_t>(index);
    std::uint8_t* kept = cache_.get() + i * picture_size_;
    Image image;
    if (cached_[i]) {
      image = Image(preprocess.height, preprocess.width, preprocess.channels);
      std::copy_n(kept, picture_size_, image.pixels.data());
    } else {
      image = read_fitted(index, source);
      std::copy_n(image.pixels.data(), picture_size_, kept);
      cached_[i] = 1;
    }
    return augment_fitted(std::move(image), config_.augment, preprocess.pad_value, rng);
  }

  /// A task of the pool: part of a batch, and the batch's end where it is the last part.
  void make_run(std::int64_t first, std::int64_t last, Slot& slot) {
    const Failure failure = make(first, last, slot.batch);
    std::unique_lock lock(mutex_);
    if (failure.error && (!slot.failure.error || failure.at < slot.failure.at)) slot.failure = failure;
    if (slot.missing == last - first && !slot.failure.error) {
      // The batch is whole and nobody's but ours until `missing` says so.
      lock.unlock();
      mix(slot.batch);
      lock.lock();
    }
    slot.missing -= last - first;
    if (slot.missing == 0) has_result_.notify_all();
  }

  const Dataset& data_;
  const LoaderConfig config_;
  Shape shape_;                 ///< of a batch
  Shape target_shape_{.n = 0};  ///< of its targets, where it has some
  std::size_t picture_size_ = 0;
  std::int64_t count_ = 0, batches_ = 0;
  std::unique_ptr<std::uint8_t[]> cache_;  ///< fitted pictures, by index
  std::vector<std::uint8_t> cached_;       ///< which of them are there; bytes, so that each is its own
  std::unique_ptr<PictureCache> file_cache_;

  std::mutex mutex_;
  std::condition_variable has_result_;
  std::vector<std::int64_t> order_;  ///< changes only while no task is under way
  std::uint64_t view_ = 0;           ///< LoaderConfig::view_of() the epoch
  std::vector<Slot> ring_;
  std::int64_t handed_out_ = 0;  ///< batches; changes only in the caller's thread
  double seconds_waited_ = 0;    ///< changes only in the caller's thread
  std::int64_t run_ = 1;         ///< pictures that a task makes
  bool started_ = false;
  std::optional<TaskQueue>
      queue_;  ///< where there are workers; the last, so that its tasks end before the rest
};

Loader::Loader(const Dataset& data, LoaderConfig config)
    : pipeline_(std::make_unique<Pipeline>(data, std::move(config))) {}
Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;

Shape Loader::shape() const { return pipeline_->shape(); }
std::int64_t Loader::batches() const { return pipeline_->batches(); }
std::int64_t Loader::size() const { return pipeline_->size(); }
const LoaderConfig& Loader::config() const { return pipeline_->config(); }
std::int64_t Loader::memory_bytes() const { return pipeline_->memory_bytes(); }
double Loader::seconds_waited() const { return pipeline_->seconds_waited(); }
std::string Loader::note() const { return pipeline_->note(); }
void Loader::start(int epoch) { pipeline_->start(epoch); }
bool Loader::next(Batch& batch) { return pipeline_->next(batch); }
std::optional<Batch> Loader::next() {
  Batch batch;
  if (!pipeline_->next(batch)) return {};
  return batch;
}

}  // namespace enxerto
