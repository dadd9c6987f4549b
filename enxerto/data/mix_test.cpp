#include "enxerto/data/mix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "enxerto/data/shapes.h"

namespace enxerto {
namespace {

constexpr int side = 12;
constexpr std::size_t picture = 3 * side * side, classes = 5;

/// `count` pictures of the eight are there; pixels and targets are random, each target sums to one.
Batch random_batch(std::size_t count) {
  Batch batch;
  batch.images = Tensor({.n = 8, .c = 3, .h = side, .w = side});
  batch.targets = Tensor({.n = 8, .c = classes});
  Rng rng(4);
  for (float& value : batch.images.data().first(count * picture)) value = rng.normal();
  for (std::size_t i = 0; i < count; ++i) {
    batch.labels.push_back(static_cast<std::int32_t>(rng.below(classes)));
    batch.indices.push_back(static_cast<std::int64_t>(100 + 7 * i));
    batch.targets.data()[i * classes + static_cast<std::size_t>(batch.labels.back())] = 1;
  }
  return batch;
}

/// What the papers say, one number after the other, from a copy of all pictures.
void mix_slowly(const Augment& augment, std::uint64_t seed, std::uint64_t epoch, Batch& batch) {
  const Tensor images = batch.images.clone(), targets = batch.targets.clone();
  const std::size_t count = batch.indices.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t partner = count - 1 - i;
    if (partner == i) continue;
    const auto index = static_cast<std::uint64_t>(batch.indices[i]);
    const Mix mix = draw_mix(augment, side, side, Rng(seed).child(epoch, index).child(0x6d6978));
    for (std::size_t at = 0; at < picture; ++at) {
      const int x = static_cast<int>(at % side), y = static_cast<int>(at / side % side);
      const float own = images.data()[i * picture + at], other = images.data()[partner * picture + at];
      const bool inside = mix.left <= x && x < mix.right && mix.top <= y && y < mix.bottom;
      batch.images.data()[i * picture + at] =
          mix.cut ? (inside ? other : own) : mix.share * own + (1 - mix.share) * other;
    }
    for (std::size_t k = 0; k < classes; ++k)
      batch.targets.data()[i * classes + k] = mix.share * targets.data()[i * classes + k] +
                                              (1 - mix.share) * targets.data()[partner * classes + k];
  }
}

Augment augment_of(double mixup, double cutmix) {
  Augment augment;
  augment.mixup_alpha = mixup, augment.cutmix_alpha = cutmix;
  return augment;
}

TEST(Mix, IsWhatThePapersSayBitForBit) {
  for (const auto& [mixup, cutmix] : {std::pair{0.2, 0.0}, {0.0, 1.0}, {0.4, 1.0}})
    for (const std::size_t count : {1u, 2u, 5u, 8u})
      for (std::uint64_t epoch = 0; epoch < 5; ++epoch) {
        const Augment augment = augment_of(mixup, cutmix);
        Batch fast = random_batch(count), slow = random_batch(count);
        mix_batch(augment, 3, epoch, fast);
        mix_slowly(augment, 3, epoch, slow);
        ASSERT_TRUE(std::ranges::equal(fast.images.data(), slow.images.data())) << mixup << " " << cutmix;
        ASSERT_TRUE(std::ranges::equal(fast.targets.data(), slow.targets.data())) << mixup << " " << cutmix;
        EXPECT_EQ(fast.labels, slow.labels);
      }
}

TEST(Mix, TargetsSumToOneAndCutmixCountsWhatWasReallyCut) {
  Batch batch = random_batch(7);
  mix_batch(augment_of(0.4, 1), 9, 2, batch);
  for (std::size_t i = 0; i < 8; ++i) {
    const auto row = batch.targets.data().subspan(i * classes, classes);
    EXPECT_NEAR(std::accumulate(row.begin(), row.end(), 0.0), i < 7 ? 1 : 0, 1e-6) << i;
  }
  const Augment augment = augment_of(0, 1);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Mix mix = draw_mix(augment, 10, 20, Rng(seed));
    ASSERT_TRUE(mix.cut && 0 <= mix.left && mix.left <= mix.right && mix.right <= 20 && 0 <= mix.top &&
                mix.top <= mix.bottom && mix.bottom <= 10);
    EXPECT_NEAR(mix.share, 1 - (mix.right - mix.left) * (mix.bottom - mix.top) / 200.0, 1e-6);
  }
}

TEST(Mix, SharesFollowTheBetaDistributionAndBothKindsComeByHalves) {
  const Augment both = augment_of(0.3, 1);
  int cuts = 0;
  double sum = 0, squares = 0;
  constexpr int count = 20000;
  for (int i = 0; i < count; ++i) {
    const Mix mix = draw_mix(both, 32, 32, Rng(static_cast<std::uint64_t>(i)));
    cuts += mix.cut;
    if (mix.cut) continue;
    sum += static_cast<double>(mix.share), squares += std::pow(static_cast<double>(mix.share) - 0.5, 2);
  }
  const double mixed = count - cuts;
  EXPECT_NEAR(cuts, count / 2, 5 * std::sqrt(count / 4.0));
  EXPECT_NEAR(sum / mixed, 0.5, 0.02);
  EXPECT_NEAR(squares / mixed, 1 / (4 * (2 * 0.3 + 1)), 0.01);  // the variance of Beta(a, a)
}

LoaderConfig mixing_config() {
  LoaderConfig config;
  config.batch = 8;
  config.shuffle = true;
  config.seed = 3;
  config.preprocess = Preprocess::plain(side, side, 1);
  config.augment.flip = 0.5;
  config.augment.mixup_alpha = 0.4;
  config.augment.cutmix_alpha = 1;
  return config;
}

TEST(Mix, OfALoaderIsThatOfItsPlainBatchesForAnyNumberOfWorkers) {
  const auto data = make_crosses_and_circles(45, side, 1, 1);
  LoaderConfig plain = mixing_config();
  plain.augment.mixup_alpha = plain.augment.cutmix_alpha = 0;
  Loader unmixed(*data, plain);
  for (const int workers : {0, 1, 2, 5}) {
    LoaderConfig config = mixing_config();
    config.workers = workers;
    Loader loader(*data, config);
    Batch got;
    for (int epoch = 0; epoch < 3; ++epoch) {
      loader.start(epoch);
      unmixed.start(epoch);
      while (auto wanted = unmixed.next()) {
        EXPECT_TRUE(wanted->targets.empty());
        wanted->targets = Tensor({.n = 8, .c = 2});
        for (std::size_t i = 0; i < wanted->labels.size(); ++i)
          wanted->targets.data()[2 * i + static_cast<std::size_t>(wanted->labels[i])] = 1;
        mix_batch(config.augment, config.seed, static_cast<std::uint64_t>(epoch), *wanted);
        ASSERT_TRUE(loader.next(got));
        ASSERT_EQ(got.indices, wanted->indices);
        EXPECT_EQ(got.labels, wanted->labels);
        ASSERT_TRUE(std::ranges::equal(got.images.data(), wanted->images.data())) << workers;
        ASSERT_TRUE(std::ranges::equal(got.targets.data(), wanted->targets.data())) << workers;
      }
      EXPECT_FALSE(loader.next(got));
    }
  }
}

TEST(Mix, DataWithSeveralLabelsHaveTargetsWithoutMixingToo) {
  LabelTable table;
  table.multi = true;
  const std::vector<std::vector<std::int32_t>> labels{{0, 2}, {}, {1}};
  for (const auto& each : labels) table.add(each);
  PictureBlock block{.height = 1, .width = 1, .channels = 1, .pixels = {0, 1, 2}, .sources = {{0, "made"}}};
  const MemoryDataset data(std::move(block), std::move(table), {"a", "b", "c"});
  LoaderConfig config;
  config.batch = 2;
  config.preprocess = Preprocess::plain(1, 1, 1);
  Loader loader(data, config);
  for (int epoch = 0; epoch < 2; ++epoch) {
    loader.start(epoch);
    Batch batch;
    ASSERT_TRUE(loader.next(batch));
    EXPECT_EQ(batch.targets.shape(), (Shape{.n = 2, .c = 3}));
    EXPECT_TRUE(std::ranges::equal(batch.targets.data(), std::vector<float>{1, 0, 1, 0, 0, 0}));
    ASSERT_TRUE(loader.next(batch));
    EXPECT_TRUE(std::ranges::equal(batch.targets.data(), std::vector<float>{0, 1, 0, 0, 0, 0}));
  }
}

}  // namespace
}  // namespace enxerto
