#include "enxerto/transfer/features.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/data/loader.h"
#include "enxerto/data/shapes.h"
#include "enxerto/graph/split.h"
#include "enxerto/train/trainer.h"
#include "enxerto/transfer/pictures_for_tests.h"

namespace enxerto {
namespace {

Prefix prefix_at(const std::string& cut, const Augment& augment = {}) {
  return {.graph = std::move(split_at(network(), cut).prefix),
          .preprocess = Preprocess::imagenet(16, 16),
          .augment = augment,
          .seed = 5,
          .batch = 8};
}

const Augment flips{.flip = 0.5, .shift_px = 2};

std::vector<Batch> epoch_of(BatchSource& source, int epoch) {
  std::vector<Batch> batches;
  Batch batch;
  for (source.start(epoch); source.next(batch); batch = {}) batches.push_back(std::move(batch));
  return batches;
}

void expect_equal(const std::vector<Batch>& got, const std::vector<Batch>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].labels, wanted[i].labels);
    EXPECT_EQ(got[i].indices, wanted[i].indices);
    EXPECT_EQ(got[i].images.shape(), wanted[i].images.shape());
    EXPECT_TRUE(std::ranges::equal(got[i].images.data(), wanted[i].images.data())) << "batch " << i;
  }
}

std::vector<float> row_of(const Features& features, std::int64_t picture, int view = 1) {
  std::vector<float> row(static_cast<std::size_t>(features.row_shape().size()));
  features.read(picture, view, row);
  return row;
}

std::vector<float> all_of(const Features& features) {
  std::vector<float> all;
  for (int view = 1; view <= features.views(); ++view)
    for (std::int64_t i = 0; i < features.pictures(); ++i)
      for (const float x : row_of(features, i, view)) all.push_back(x);
  return all;
}

TEST(Features, AreWhatThePrefixMakesOfEachPicture) {
  const auto data = pictures(19);
  const Prefix prefix = prefix_at("block.sum");
  const Features features = compute_features(prefix, *data, {.workers = 2});
  ASSERT_EQ(features.row_shape(), (Shape{1, 8, 8, 8}));
  EXPECT_EQ(feature_bytes(prefix, 19, 1), features.memory_bytes());
  Executor executor(prefix.graph, {.batch = 1, .reference = true});
  Tensor picture(prefix.preprocess.shape());
  for (std::int64_t i = 0; i < data->size(); ++i) {
    prefix.preprocess.apply(data->get(i).image, picture.data());
    const ConstView wanted = executor.forward(picture.view());
    const auto row = row_of(features, i);
    for (std::size_t k = 0; k < row.size(); ++k) ASSERT_NEAR(row[k], wanted.data[k], 1e-4) << i << " " << k;
  }
}

TEST(Features, KeptOrComputedAnewTheyFeedTheSameBits) {
  const auto data = pictures(21);
  for (const Augment& augment : {Augment{}, flips})
    for (const int views : {1, 3}) {
      const Prefix prefix = prefix_at("stem.relu", augment);
      const Features features = compute_features(prefix, *data, {.workers = 0, .views = views});
      // Batches larger and smaller than those of the prefix.
      for (const int batch : {4, 8, 10, 21})
        for (const bool shuffle : {false, true}) {
          const FeedConfig config{.batch = batch, .shuffle = shuffle, .drop_last = shuffle, .seed = 5};
          FeatureFeed kept(features, *data, config);
          PrefixFeed anew(prefix, *data, config, views, 2);
          EXPECT_EQ(kept.batches(), anew.batches());
          EXPECT_EQ(kept.size(), anew.size());
          for (const int epoch : {1, 2, 3, 4, 5}) expect_equal(epoch_of(kept, epoch), epoch_of(anew, epoch));
        }
    }
}

TEST(Features, ViewsDifferAndComeRoundAgain) {
  const auto data = pictures(9);
  const Features features = compute_features(prefix_at("stem.relu", flips), *data, {.views = 2});
  Tensor room;
  EXPECT_FALSE(std::ranges::equal(features.matrix(1, room).data, features.matrix(2, room).data));
  FeatureFeed feed(features, *data, {.batch = 9});
  expect_equal(epoch_of(feed, 3), epoch_of(feed, 1));
}

TEST(Features, APicturesViewsAreItsOwnWhateverPicturesStandBesideIt) {
  const auto data = pictures(9);
  const Subset few(data, {7, 2});
  const Prefix prefix = prefix_at("stem.relu", flips);
  const Features all = compute_features(prefix, *data, {.views = 2}),
                 some = compute_features(prefix, few, {.views = 2});
  for (const int view : {1, 2}) {
    EXPECT_EQ(row_of(some, 0, view), row_of(all, 7, view));
    EXPECT_EQ(row_of(some, 1, view), row_of(all, 2, view));
  }
}

TEST(Features, TrainingOnThemGivesTheSameLossesKeptOrNot) {
  const auto data = pictures(24), val = pictures(7);
  const SplitGraph split = split_at(network(), "stem.relu");
  const Prefix prefix = prefix_at("stem.relu", flips);
  const TrainConfig config{.epochs = 4, .seed = 5, .optimizer = Adam{}};
  std::vector<std::vector<double>> losses;
  std::vector<NamedTensors> weights;
  for (const bool kept : {true, false}) {
    Graph suffix = split.suffix.clone();
    const Prefix plain = prefix_at("stem.relu");
    const Features train_rows = compute_features(prefix, *data, {.views = 2}),
                   val_rows = compute_features(plain, *val, {});
    const FeedConfig train_config{.batch = 6, .shuffle = true, .drop_last = true, .seed = 5},
        val_config{.batch = 7};
    FeatureFeed kept_train(train_rows, *data, train_config), kept_val(val_rows, *val, val_config);
    PrefixFeed anew_train(prefix, *data, train_config, 2, 1), anew_val(plain, *val, val_config, 1, 1);
    struct Listener final : Observer {
      void on_step(const StepReport& step) override { losses.push_back(step.loss); }
      bool on_epoch(const EpochReport& epoch, const Graph&, const TrainState&) override {
        losses.push_back(epoch.val->loss);
        return true;
      }
      std::vector<double> losses;
    } listener;
    Observer* const observer = &listener;
    train(suffix,
          {.train = kept ? static_cast<BatchSource&>(kept_train) : anew_train,
           .val = kept ? static_cast<BatchSource*>(&kept_val) : &anew_val,
           .classes = data->classes()},
          config, {&observer, 1});
    losses.push_back(listener.losses);
    weights.push_back(suffix.state());
  }
  EXPECT_EQ(losses[0].size(), 4u * (4 + 1));
  EXPECT_EQ(losses[0], losses[1]);
  for (std::size_t i = 0; i < weights[0].size(); ++i)
    EXPECT_TRUE(std::ranges::equal(weights[0][i].value.data(), weights[1][i].value.data()))
        << weights[0][i].name;
}

class FeatureFile : public testing::Test {
 protected:
  ~FeatureFile() override { std::filesystem::remove_all(folder); }
  FeatureOptions options(int views = 1) const { return {.views = views, .folder = folder}; }
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / text("enxerto_features_", ::getpid());
};

TEST_F(FeatureFile, LaterRunsComputeNothingAndHaveTheSameBits) {
  const auto data = pictures(13);
  for (const bool half : {false, true}) {
    Prefix prefix = prefix_at("stem.relu", flips);
    prefix.half = half;
    const Features plain = compute_features(prefix, *data, {.views = 2});
    EXPECT_EQ(plain.computed(), 26);
    EXPECT_EQ(compute_features(prefix, *data, options(2)).computed(), 26);
    for (const std::int64_t memory : {std::int64_t{1} << 30, std::int64_t{0}}) {
      FeatureOptions again = options(2);
      again.memory_bytes = memory;
      const Features found = compute_features(prefix, *data, again);
      EXPECT_EQ(found.computed(), 0);
      EXPECT_EQ(found.in_memory(), memory > 0);
      EXPECT_EQ(all_of(found), all_of(plain));
    }
    // What is computed as it is asked for is rounded alike.
    PrefixFeed anew(prefix, *data, {.batch = 13}, 2, 0);
    FeatureFeed kept(plain, *data, {.batch = 13});
    for (const int epoch : {1, 2}) expect_equal(epoch_of(anew, epoch), epoch_of(kept, epoch));
  }
}

TEST_F(FeatureFile, OnlyWhatIsNewIsComputed) {
  const auto data = pictures(13);
  const Prefix prefix = prefix_at("stem.relu", flips);
  compute_features(prefix, Subset(data, {0, 2, 4, 6}), options());
  const Features all = compute_features(prefix, *data, options());
  EXPECT_EQ(all.computed(), 9);
  EXPECT_EQ(all_of(all), all_of(compute_features(prefix, *data)));
  EXPECT_EQ(compute_features(prefix, Subset(data, {5, 1}), options()).computed(), 0);
  EXPECT_EQ(compute_features(prefix, *data, options(2)).computed(), 13);  // the second view
}

TEST_F(FeatureFile, AnotherPrefixFindsNothing) {
  const auto data = pictures(5);
  compute_features(prefix_at("stem.relu", flips), *data, options());
  Prefix changed = prefix_at("stem.relu", flips);
  changed.graph.params()[0].value.data()[0] += 0.5f;
  EXPECT_EQ(compute_features(changed, *data, options()).computed(), 5);
  Prefix seed = prefix_at("stem.relu", flips);
  seed.seed = 6;
  EXPECT_EQ(compute_features(seed, *data, options()).computed(), 5);
}

TEST_F(FeatureFile, WhatAnInterruptedRunKeptIsNotComputedAgain) {
  const auto data = pictures(40);
  const Prefix prefix = prefix_at("pool");
  std::atomic<bool> stop{false};
  FeatureOptions first = options();
  first.on_progress = [&](std::int64_t done, std::int64_t) { stop = done >= 16; };
  first.stop = &stop;
  EXPECT_THROW(compute_features(prefix, *data, first), Error);
  const Features rest = compute_features(prefix, *data, options());
  EXPECT_EQ(rest.computed(), 24);
  EXPECT_EQ(all_of(rest), all_of(compute_features(prefix, *data)));
}

TEST_F(FeatureFile, TooMuchIsRefusedBeforeItIsComputed) {
  const auto data = pictures(8);
  const Prefix prefix = prefix_at("stem.relu");
  FeatureOptions little = options();
  little.memory_bytes = 100;
  EXPECT_EQ(keeping_of(prefix, 8, little), Keeping::file);
  little.file_bytes = 1000;
  EXPECT_EQ(keeping_of(prefix, 8, little), Keeping::nowhere);
  EXPECT_THROW(compute_features(prefix, *data, little), Error);
}

TEST(Features, HalfPrecisionThatOverflowsIsAnError) {
  Prefix prefix = prefix_at("stem.relu");
  prefix.half = true;
  for (float& w : prefix.graph.params()[0].value.data()) w *= 1e7f;
  EXPECT_THROW(compute_features(prefix, *pictures(3)), Error);
}

TEST(Features, MixedPicturesHaveNone) {
  const auto data = pictures(4);
  EXPECT_THROW(compute_features(prefix_at("pool", {.mixup_alpha = 0.2}), *data), Error);
}

TEST(Features, AnInterruptEndsIt) {
  const auto data = pictures(40);
  std::atomic<bool> stop{false};
  try {
    compute_features(prefix_at("pool"), *data,
                     {.on_progress = [&](std::int64_t, std::int64_t) { stop = true; }, .stop = &stop});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
  }
}

}  // namespace
}  // namespace enxerto
