#include "enxerto/doctor/check.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/data/split.h"
#include "enxerto/doctor/pictures_for_tests.h"

namespace enxerto {
namespace {

void put_classes(const FolderForTests& folder, const std::string& split, int count, int first) {
  for (int i = 0; i < count; ++i)
    folder.put(text(split, i % 2 ? "a/" : "b/", "p", 10 * (first + i), ".png"), spots_for_tests(first + i));
}

TEST(TrainingCheck, CleanDataPass) {
  FolderForTests folder;
  put_classes(folder, "train/", 20, 0);
  put_classes(folder, "test/", 6, 100);
  const TrainingCheck check = check_for_training(open_data(folder.path()), {}, {});
  EXPECT_EQ(check.pictures, 26);
  EXPECT_TRUE(check.left_out.empty());
  EXPECT_TRUE(check.shared.empty());
}

TEST(TrainingCheck, SharedPicturesOfTheDatasOwnSplitsAreNamed) {
  FolderForTests folder;
  put_classes(folder, "train/", 20, 0);
  put_classes(folder, "test/", 6, 100);
  folder.put("test/a/copy.png", spots_for_tests(3));
  folder.put("test/b/mirrored.jpg", flip_horizontal(spots_for_tests(4)));
  const TrainingCheck check = check_for_training(open_data(folder.path()), {}, {});
  ASSERT_EQ(check.shared.size(), 2u);
  EXPECT_EQ(check.shared[0].size(), 2u);
  EXPECT_TRUE(check.left_out.empty());
}

TEST(TrainingCheck, WhatIsHeldBackNeverSharesPicturesWithTrain) {
  FolderForTests folder;
  put_classes(folder, "", 20, 0);
  for (int i = 0; i < 20; ++i)
    folder.put(text(i % 2 ? "a/" : "b/", "copy", 10 * i, ".png"), spots_for_tests(i));
  const Splits splits = with_splits(open_data(folder.path()), 0.3, 0.3, 1);
  const TrainingCheck check = check_for_training(splits, {.val = true, .test = true}, {});
  EXPECT_TRUE(check.shared.empty());
  EXPECT_FALSE(check.left_out.empty());
  const Splits left = leave_out(splits, check.left_out);
  EXPECT_EQ(left.train->size(), splits.train->size());
  EXPECT_EQ(left.val->size() + left.test->size() + std::ssize(check.left_out),
            splits.val->size() + splits.test->size());
  const TrainingCheck again = check_for_training(left, {.val = true, .test = true}, {});
  EXPECT_TRUE(again.left_out.empty());
}

TEST(TrainingCheck, UnreadableFilesAreLeftOutAndSurviveJson) {
  FolderForTests folder;
  put_classes(folder, "train/", 20, 0);
  folder.put("train/a/words.jpg", std::vector<std::uint8_t>{'w', 'o', 'r', 'd', 's'});
  const Splits splits = open_data(folder.path());
  const TrainingCheck check = check_for_training(splits, {}, {});
  EXPECT_EQ(check.unreadable, 1);
  const auto again = left_out_from_json(check.to_json());
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].name, check.left_out[0].name);
  const Splits left = leave_out(splits, again);
  ASSERT_EQ(left.train->size(), 20);
  for (std::int64_t i = 0; i < left.train->size(); ++i) EXPECT_NO_THROW(left.train->get(i));
}

TEST(TrainingCheck, DamagedListsOfWhatIsLeftOutAreErrors) {
  for (const char* json : {"{}", "[]", "null", R"({"left_out": 3})", R"({"left_out": [{}]})",
                           R"({"left_out": [{"file": "a", "split": "train", "index": -1, "reason": ""}]})",
                           R"({"left_out": [{"file": "a", "split": "dev", "index": 1, "reason": ""}]})"})
    EXPECT_THROW(left_out_from_json(nlohmann::json::parse(json)), Error) << json;
}

}  // namespace
}  // namespace enxerto
