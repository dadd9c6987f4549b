#include "enxerto/data/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

#include "enxerto/core/error.h"
#include "enxerto/core/pool.h"
#include "enxerto/core/text.h"
#include "enxerto/data/shapes.h"

namespace enxerto {
namespace {

LoaderConfig small_config() {
  LoaderConfig config;
  config.batch = 8;
  config.seed = 3;
  config.preprocess = Preprocess::plain(12, 12, 1);
  return config;
}

/// Everything that an epoch gives, one batch behind the other.
struct Epoch {
  std::vector<float> values;
  std::vector<std::int32_t> labels;
  std::vector<std::int64_t> indices;
  friend bool operator==(const Epoch& a, const Epoch& b) {
    return a.labels == b.labels && a.indices == b.indices && a.values.size() == b.values.size() &&
           std::memcmp(a.values.data(), b.values.data(), a.values.size() * sizeof(float)) == 0;
  }
};

Epoch read_epoch(Loader& loader, int epoch) {
  Epoch out;
  loader.start(epoch);
  while (const auto batch = loader.next()) {
    const auto values = batch->images.data();
    out.values.insert(out.values.end(), values.begin(), values.end());
    const auto targets = batch->targets.data();
    out.values.insert(out.values.end(), targets.begin(), targets.end());
    out.labels.insert(out.labels.end(), batch->labels.begin(), batch->labels.end());
    out.indices.insert(out.indices.end(), batch->indices.begin(), batch->indices.end());
  }
  return out;
}

Epoch read_epoch(const Dataset& data, const LoaderConfig& config, int epoch) {
  Loader loader(data, config);
  return read_epoch(loader, epoch);
}

/// Throws for some pictures, and counts what it is asked for.
class Faulty final : public Dataset {
 public:
  Faulty(std::int64_t size, std::vector<std::int64_t> bad) : size_(size), bad_(std::move(bad)) {}
  std::int64_t size() const override { return size_; }
  Sample get(std::int64_t index, const DecodeOptions& = {}) const override {
    ++calls;
    if (std::find(bad_.begin(), bad_.end(), index) != bad_.end())
      throw Error(ErrorKind::corrupt, text("picture ", index, " is bad"));
    return {Image(12, 12, 1), 0};
  }
  std::int32_t label(std::int64_t) const override { return 0; }
  std::span<const std::int32_t> labels(std::int64_t) const override { return {&zero_, 1}; }
  bool multi_label() const override { return false; }
  std::string name(std::int64_t index) const override { return text(index); }
  std::span<const std::string> classes() const override { return classes_; }
  mutable std::atomic<int> calls{0};

 private:
  std::int64_t size_;
  std::vector<std::int64_t> bad_;
  std::int32_t zero_ = 0;
  std::vector<std::string> classes_{"a", "b"};
};

TEST(Loader, GivesEveryPictureOnceInOrder) {
  const auto data = make_crosses_and_circles(19, 12, 1);
  const Epoch epoch = read_epoch(*data, small_config(), 0);
  for (std::size_t i = 0; i < 19; ++i) EXPECT_EQ(epoch.indices[i], static_cast<std::int64_t>(i));
  EXPECT_EQ(epoch.labels, labels_of(*data));
  std::vector<float> wanted(144);
  small_config().preprocess.apply(data->get(7).image, wanted);
  EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), epoch.values.begin() + 7 * 144));
}

TEST(Loader, SameBatchesForAnyNumberOfWorkers) {
  const auto data = make_crosses_and_circles(101, 20, 1, 3);
  LoaderConfig config = small_config();
  config.shuffle = true;
  config.augment = {.flip = 0.5, .shift_px = 2, .min_area = 0.4};
  Loader alone(*data, config);
  for (const int workers : {1, 2, 5}) {
    config.workers = workers;
    config.prefetch = 1 + workers % 3;
    Loader loader(*data, config);
    for (int epoch = 0; epoch < 3; ++epoch)
      EXPECT_EQ(read_epoch(loader, epoch), read_epoch(alone, epoch)) << workers;
  }
}

Augment everything(double min_area) {
  return {.flip = 0.5,
          .shift_px = 2,
          .min_area = min_area,
          .rotate_degrees = 15,
          .brightness = 0.4,
          .contrast = 0.3,
          .saturation = 0.2,
          .hue = 0.1,
          .erase = 0.5,
          .policy = AugmentPolicy::rand_augment,
          .mixup_alpha = 0.2,
          .cutmix_alpha = 1};
}

TEST(Loader, SameBitsForAnyNumberOfWorkersWithEveryChangeSwitchedOn) {
  const auto data = make_crosses_and_circles(45, 20, 1, 3);
  LoaderConfig config = small_config();
  config.shuffle = true;
  config.preprocess = Preprocess::plain(12, 12, 3);
  for (const double min_area : {0.4, 1.0}) {
    config.augment = everything(min_area);
    config.workers = 0;
    Loader alone(*data, config);
    for (const int workers : {1, 3}) {
      config.workers = workers;
      Loader loader(*data, config);
      for (int epoch = 0; epoch < 3; ++epoch)
        EXPECT_EQ(read_epoch(loader, epoch), read_epoch(alone, epoch)) << workers;
    }
  }
}

TEST(Loader, SameBitsWithAndWithoutTheCacheWithEveryChangeOfAFittedPicture) {
  const auto data = make_crosses_and_circles(45, 20, 1, 3);
  LoaderConfig config = small_config();
  config.preprocess = Preprocess::plain(12, 12, 3);
  config.augment = everything(1);
  Loader cached(*data, config);
  config.cache_bytes = 0;
  Loader plain(*data, config);
  for (int epoch = 0; epoch < 3; ++epoch) EXPECT_EQ(read_epoch(cached, epoch), read_epoch(plain, epoch));
}

TEST(Loader, SameBitsWithAndWithoutTheCache) {
  const auto data = make_crosses_and_circles(50, 20, 1, 3);
  LoaderConfig config = small_config();
  config.shuffle = true;
  config.augment = {.flip = 0.5, .shift_px = 2};
  for (const int workers : {0, 2}) {
    config.workers = workers;
    config.cache_bytes = 1 << 20;
    Loader cached(*data, config);
    config.cache_bytes = 0;
    Loader plain(*data, config);
    for (int epoch = 0; epoch < 3; ++epoch) EXPECT_EQ(read_epoch(cached, epoch), read_epoch(plain, epoch));
  }
}

TEST(Loader, TheCacheDecodesEachPictureOnceIfAllFit) {
  LoaderConfig config = small_config();
  for (const int workers : {0, 3}) {
    config.workers = workers;
    const Faulty data(20, {});
    config.cache_bytes = 20 * 144;
    Loader fits(data, config);
    for (int epoch = 0; epoch < 3; ++epoch) read_epoch(fits, epoch);
    EXPECT_EQ(data.calls, 20);
    config.cache_bytes = 20 * 144 - 1;
    Loader does_not(data, config);
    for (int epoch = 0; epoch < 3; ++epoch) read_epoch(does_not, epoch);
    EXPECT_EQ(data.calls, 80);
  }
}

TEST(Loader, ShufflesAnewInEachEpochAndTheSameForTheSameSeed) {
  const auto data = make_crosses_and_circles(40, 12, 1);
  LoaderConfig config = small_config();
  config.shuffle = true;
  const auto first = read_epoch(*data, config, 0).indices, second = read_epoch(*data, config, 1).indices;
  EXPECT_NE(first, second);
  EXPECT_EQ(first, read_epoch(*data, config, 0).indices);
  EXPECT_TRUE(std::is_permutation(first.begin(), first.end(), second.begin()));
  config.seed = 4;
  EXPECT_NE(first, read_epoch(*data, config, 0).indices);
}

TEST(Loader, PadsAShortLastBatchWithZeros) {
  const auto data = make_crosses_and_circles(11, 12, 1);
  for (const int workers : {0, 2}) {
    LoaderConfig config = small_config();
    config.workers = workers;
    Loader loader(*data, config);
    EXPECT_EQ(loader.batches(), 2);
    for (int epoch = 0; epoch < 2; ++epoch) {
      loader.start(epoch);
      Batch batch;
      ASSERT_TRUE(loader.next(batch));
      ASSERT_TRUE(loader.next(batch));
      EXPECT_EQ(batch.images.shape(), (Shape{8, 1, 12, 12}));
      EXPECT_EQ(batch.labels.size(), 3u);
      EXPECT_EQ(batch.indices, (std::vector<std::int64_t>{8, 9, 10}));
      const auto rest = batch.images.data().subspan(3 * 144);
      EXPECT_TRUE(std::all_of(rest.begin(), rest.end(), [](float v) { return v == 0; }));
      EXPECT_FALSE(loader.next(batch));
      EXPECT_FALSE(loader.next(batch));
    }
    config.drop_last = true;
    Loader full(*data, config);
    EXPECT_EQ(full.batches(), 1);
    EXPECT_EQ(full.size(), 8);
    EXPECT_EQ(read_epoch(full, 0).labels.size(), 8u);
  }
}

TEST(Loader, AWorkersErrorSurfacesInNextAndTheEpochGoesOn) {
  const Faulty data(40, {13, 10, 30});
  for (const int workers : {0, 1, 3}) {
    LoaderConfig config = small_config();
    config.workers = workers;
    Loader loader(data, config);
    for (int epoch = 0; epoch < 2; ++epoch) {
      loader.start(epoch);
      std::vector<std::string> heard;
      while (true) {
        try {
          const auto batch = loader.next();
          if (!batch) break;
          heard.push_back(text(batch->indices.front()));
        } catch (const Error& error) {
          heard.push_back(error.what());
        }
      }
      EXPECT_EQ(heard, (std::vector<std::string>{"0", "picture 10 is bad", "16", "picture 30 is bad", "32"}));
    }
  }
}

TEST(Loader, StartsAgainInTheMiddleOfAnEpoch) {
  const auto data = make_crosses_and_circles(80, 12, 1);
  for (const int workers : {0, 1, 3}) {
    LoaderConfig config = small_config();
    config.shuffle = true;
    config.workers = workers;
    Loader loader(*data, config);
    const Epoch wanted = read_epoch(loader, 5);
    for (int taken = 0; taken < 6; ++taken) {
      loader.start(taken);
      for (int i = 0; i < taken; ++i) loader.next();
      EXPECT_EQ(read_epoch(loader, 5), wanted);
    }
  }
}

TEST(Loader, EndsAtAnyPointWithoutHanging) {
  const auto data = make_crosses_and_circles(80, 12, 1);
  LoaderConfig config = small_config();
  config.workers = 3;
  for (int taken = 0; taken < 40; ++taken) {
    Loader loader(*data, config);
    if (taken == 0) continue;
    loader.start(0);
    for (int i = 1; i < std::min(taken, 12); ++i) loader.next();
  }
}

TEST(Loader, SideBySideTheyShareTheirThreads) {
  const auto data = make_crosses_and_circles(200, 12, 1);
  LoaderConfig config = small_config();
  const Epoch expected = read_epoch(*data, config, 0);
  config.workers = 2;
  const int before = std::max(2, pool_threads());
  Loader first(*data, config), second(*data, config), third(*data, config);
  for (Loader* loader : {&first, &second, &third}) loader->start(0);
  for (Loader* loader : {&third, &second, &first}) EXPECT_TRUE(read_epoch(*loader, 0) == expected);
  EXPECT_EQ(pool_threads(), before);
}

TEST(Loader, MayBeUsedInTasksOfThePool) {
  const auto data = make_crosses_and_circles(50, 12, 1);
  LoaderConfig config = small_config();
  const Epoch expected = read_epoch(*data, config, 0);
  config.workers = 2;
  std::atomic<int> same{0};
  parallel_for(8, 3, [&](std::int64_t) { same += read_epoch(*data, config, 0) == expected; });
  EXPECT_EQ(same, 8);
}

TEST(Loader, TakesAnEmptyDataset) {
  const Faulty data(0, {});
  for (const int workers : {0, 2}) {
    LoaderConfig config = small_config();
    config.workers = workers;
    Loader loader(data, config);
    loader.start(0);
    EXPECT_FALSE(loader.next().has_value());
    EXPECT_EQ(loader.batches(), 0);
  }
}

TEST(Loader, RefusesAConfigurationThatMakesNoSense) {
  const Faulty data(3, {});
  LoaderConfig config = small_config();
  config.batch = 0;
  EXPECT_THROW(Loader(data, config), Error);
  config = small_config();
  config.workers = -1;
  EXPECT_THROW(Loader(data, config), Error);
  config = small_config();
  config.preprocess.std = {0};
  EXPECT_THROW(Loader(data, config), Error);
}

TEST(Loader, SaysHowMuchMemoryItTakesAtMost) {
  const auto data = make_crosses_and_circles(64, 12, 1);
  LoaderConfig config = small_config();
  config.workers = 2;
  config.prefetch = 3;
  config.cache_bytes = 0;
  constexpr std::int64_t batch = 8 * 144 * 4;
  EXPECT_EQ(Loader(*data, config).memory_bytes(), 4 * batch + 64 * 8);
  config.cache_bytes = 64 * 144;
  EXPECT_EQ(Loader(*data, config).memory_bytes(), 4 * batch + 64 * 8 + 64 * 145);
}

/// Takes a while for each picture.
class Slow final : public Dataset {
 public:
  explicit Slow(int milliseconds) : milliseconds_(milliseconds) {}
  std::int64_t size() const override { return 40; }
  Sample get(std::int64_t, const DecodeOptions& = {}) const override {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds_));
    return {Image(12, 12, 1), 0};
  }
  std::int32_t label(std::int64_t) const override { return 0; }
  std::span<const std::int32_t> labels(std::int64_t) const override { return {&zero_, 1}; }
  bool multi_label() const override { return false; }
  std::string name(std::int64_t index) const override { return text(index); }
  std::span<const std::string> classes() const override { return classes_; }

 private:
  int milliseconds_;
  std::int32_t zero_ = 0;
  std::vector<std::string> classes_{"a"};
};

TEST(Loader, ANetworkWaitsForTheFirstBatchOnlyWhereDecodingIsFaster) {
  const auto waited = [](int picture_ms, int step_ms) {
    const Slow data(picture_ms);
    LoaderConfig config = small_config();
    config.workers = 1;
    Loader loader(data, config);
    loader.start(0);
    Batch batch;
    loader.next(batch);
    const double first = loader.seconds_waited();
    while (loader.next(batch)) std::this_thread::sleep_for(std::chrono::milliseconds(step_ms));
    return loader.seconds_waited() - first;
  };
  // Five batches of eight pictures. The bounds are far from both, for machines that are busy.
  EXPECT_LT(waited(1, 60), 0.08);
  EXPECT_GT(waited(10, 1), 0.15);
}

}  // namespace
}  // namespace enxerto
