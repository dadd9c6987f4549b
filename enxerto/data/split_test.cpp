#include "enxerto/data/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/data/shapes.h"
#include "enxerto/data/stratify.h"

namespace enxerto {
namespace {

std::vector<std::int32_t> make_labels(const std::vector<int>& counts) {
  std::vector<std::int32_t> labels;
  for (std::size_t label = 0; label < counts.size(); ++label)
    labels.insert(labels.end(), static_cast<std::size_t>(counts[label]), static_cast<std::int32_t>(label));
  Rng rng(3);
  shuffle(labels, rng);
  return labels;
}

std::vector<int> taken_of_each(const std::vector<std::int32_t>& labels, const SplitIndices& split,
                               int classes) {
  std::vector<int> counts(static_cast<std::size_t>(classes));
  for (const std::int64_t i : split.taken)
    ++counts[static_cast<std::size_t>(labels[static_cast<std::size_t>(i)])];
  return counts;
}

TEST(Split, TakesTheSamePartOfEachClass) {
  const auto labels = make_labels({100, 50, 7, 2, 1, 3});
  EXPECT_EQ(taken_of_each(labels, split_stratified(labels, 0.2, Rng(1)), 6),
            (std::vector<int>{20, 10, 1, 1, 0, 1}));
  EXPECT_EQ(taken_of_each(labels, split_stratified(labels, 0.9, Rng(1)), 6),
            (std::vector<int>{90, 45, 6, 1, 0, 2}));
  EXPECT_TRUE(split_stratified(labels, 0, Rng(1)).taken.empty());
}

TEST(Split, PutsEveryPictureOnOneSide) {
  const auto labels = make_labels({30, 20, 9});
  auto [kept, taken] = split_stratified(labels, 0.3, Rng(8));
  EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end()));
  EXPECT_TRUE(std::is_sorted(taken.begin(), taken.end()));
  kept.insert(kept.end(), taken.begin(), taken.end());
  std::sort(kept.begin(), kept.end());
  for (std::size_t i = 0; i < kept.size(); ++i) ASSERT_EQ(kept[i], static_cast<std::int64_t>(i));
  EXPECT_EQ(kept.size(), labels.size());
}

TEST(Split, DependsOnTheSeedAlone) {
  const auto labels = make_labels({30, 20, 9});
  EXPECT_EQ(split_stratified(labels, 0.3, Rng(8)).taken, split_stratified(labels, 0.3, Rng(8)).taken);
  EXPECT_NE(split_stratified(labels, 0.3, Rng(8)).taken, split_stratified(labels, 0.3, Rng(9)).taken);
}

/// Grey 1x1 pictures with these labels.
MemoryDataset make_multi_label(const std::vector<std::vector<std::int32_t>>& labels, int classes) {
  LabelTable table;
  table.multi = true;
  for (const auto& each : labels) table.add(each);
  PictureBlock block{.height = 1, .width = 1, .channels = 1, .pixels = {}, .sources = {{0, "made"}}};
  block.pixels.resize(labels.size());
  std::vector<std::string> names;
  for (int k = 0; k < classes; ++k) names.push_back(std::string(1, static_cast<char>('a' + k)));
  return {std::move(block), std::move(table), std::move(names)};
}

std::vector<int> taken_of_each(const Dataset& data, const SplitIndices& split) {
  std::vector<int> counts(data.classes().size());
  for (const std::int64_t i : split.taken)
    for (const std::int32_t label : data.labels(i)) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

TEST(Split, OfPicturesWithSeveralLabelsTakesNearlyTheSamePartOfEachClass) {
  // Class k is in each picture with a probability of 1/2, 1/4 and so on; some pictures show none.
  std::vector<std::vector<std::int32_t>> labels(1000);
  std::vector<int> counts(6);
  Rng rng(5);
  for (auto& each : labels)
    for (std::int32_t k = 0; k < 6; ++k)
      if (rng.uniform() < std::pow(0.5f, static_cast<float>(k + 1))) {
        each.push_back(k);
        ++counts[static_cast<std::size_t>(k)];
      }
  const MemoryDataset data = make_multi_label(labels, 6);
  const SplitIndices split = split_iteratively(data, 0.2, Rng(1));
  EXPECT_EQ(split.taken, split_iteratively(data, 0.2, Rng(1)).taken);
  EXPECT_NE(split.taken, split_iteratively(data, 0.2, Rng(2)).taken);
  EXPECT_TRUE(std::is_sorted(split.taken.begin(), split.taken.end()));
  EXPECT_EQ(split.kept.size() + split.taken.size(), 1000u);
  EXPECT_NEAR(static_cast<double>(split.taken.size()), 200, 2);
  const auto taken = taken_of_each(data, split);
  for (std::size_t k = 0; k < 6; ++k) EXPECT_NEAR(taken[k], 0.2 * counts[k], 1.5) << k;
  EXPECT_TRUE(split_iteratively(data, 0, Rng(1)).taken.empty());
}

TEST(Split, OfSeveralLabelsTakesSomeOfARareClassAndIsExactWhereEachHasOne) {
  const MemoryDataset rare = make_multi_label({{0}, {0}, {0}, {0, 1}, {0, 1}, {0}, {0}, {0}, {}, {}}, 2);
  EXPECT_EQ(taken_of_each(rare, split_iteratively(rare, 0.2, Rng(3)))[1], 1);
  std::vector<std::vector<std::int32_t>> single;
  for (const std::int32_t label : make_labels({100, 50, 7, 2, 1, 3})) single.push_back({label});
  const MemoryDataset each_one = make_multi_label(single, 6);
  EXPECT_EQ(taken_of_each(each_one, split_iteratively(each_one, 0.2, Rng(1))),
            (std::vector<int>{20, 10, 1, 1, 0, 1}));
}

TEST(Split, CompletesWhatIsMissing) {
  Splits flat;
  flat.train = make_crosses_and_circles(100, 8, 1);
  const Splits both = with_splits(flat, 0.1, 0.2, 7);
  EXPECT_EQ(both.train->size(), 70);
  EXPECT_EQ(both.val->size(), 10);
  EXPECT_EQ(both.test->size(), 20);
  EXPECT_EQ(both.notes.front(), "test: 20 of 100 training pictures held back, the same part of each class");

  Splits has_val = flat;
  has_val.val = make_crosses_and_circles(6, 8, 2);
  const Splits kept = with_splits(has_val, 0.1, 0, 7);
  EXPECT_EQ(kept.train->size(), 100);
  EXPECT_EQ(kept.val, has_val.val);
  EXPECT_EQ(kept.test, nullptr);

  EXPECT_THROW(with_splits(flat, 0.5, 0.5, 7), Error);
  EXPECT_THROW(with_splits(flat, -0.1, 0, 7), Error);
}

}  // namespace
}  // namespace enxerto
