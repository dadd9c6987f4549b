#include "enxerto/doctor/check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/data/split.h"
#include "enxerto/doctor/pictures_for_tests.h"
#include "enxerto/image/decode.h"

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

/// Whether all of the file can be decoded.
bool is_sound(const std::filesystem::path& file) {
  try {
    load_image(file);
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::vector<std::string> left_out_of(const FolderForTests& folder, const ExamineOptions& options = {}) {
  std::vector<std::string> names;
  for (const LeftOut& each : check_for_training(open_data(folder.path()), {}, options).left_out)
    names.push_back(std::filesystem::path(each.name).filename());
  std::ranges::sort(names);
  return names;
}

/// It decodes them reduced, and must not be more lenient for it.
TEST(TrainingCheck, FindsEveryFileThatCannotBeDecodedWhole) {
  FolderForTests folder;
  std::vector<std::string> bad;
  const auto put = [&](const std::string& name, const std::vector<std::uint8_t>& bytes) {
    folder.put("a/" + name, bytes);
    if (!is_sound(folder.path() / "a" / name)) bad.push_back(name);
  };
  for (const auto& entry : std::filesystem::directory_iterator("tests/files/gallery"))
    if (format_of_ending(entry.path().extension().string()))
      put(entry.path().filename(), read_file(entry.path()));
  // Damaged in the middle of what is decoded, and cut short.
  Rng rng(3);
  for (const int side : {40, 300})
    for (int i = 0; i < 60; ++i) {
      auto bytes = encode_jpeg(spots_for_tests(static_cast<std::uint64_t>(i), side, side - 7));
      if (i % 3 == 0)
        bytes.resize(bytes.size() * static_cast<std::size_t>(i + 1) / 61);
      else
        for (int flips = 0; flips < 5; ++flips)
          bytes[rng.below(bytes.size())] ^= static_cast<std::uint8_t>(1u << rng.below(8));
      put(text("damaged", side, "_", i, ".jpg"), bytes);
    }
  folder.put("b/one.png", spots_for_tests(1));
  std::ranges::sort(bad);
  EXPECT_GT(bad.size(), 60u);
  EXPECT_EQ(left_out_of(folder), bad);
}

TEST(TrainingCheck, WhatWasLookedAtIsNotLookedAtAgain) {
  FolderForTests folder, kept;
  put_classes(folder, "train/", 20, 0);
  put_classes(folder, "test/", 6, 100);
  folder.put("test/a/copy.png", spots_for_tests(3));
  folder.put("test/a/mirrored.jpg", flip_horizontal(spots_for_tests(4)));
  folder.put("train/a/bad.png", std::vector<std::uint8_t>(200, 7));
  const ExamineOptions options{.keep_in = kept.path() / "looks"};
  const Splits splits = open_data(folder.path());
  const auto findings = [&](const ExamineOptions& how) {
    nlohmann::json json = check_for_training(splits, {}, how).to_json();
    json.erase("seconds");
    return json;
  };
  const nlohmann::json expected = findings({});
  EXPECT_EQ(findings(options), expected);
  // Other bytes of the same length and time: who decodes them, finds fault.
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (!entry.is_regular_file()) continue;
    const auto time = entry.last_write_time();
    folder.put(std::filesystem::relative(entry.path(), folder.path()),
               std::vector<std::uint8_t>(entry.file_size(), 7));
    std::filesystem::last_write_time(entry.path(), time);
  }
  EXPECT_EQ(findings(options), expected);
  // One that was changed is.
  folder.put("train/a/p10.png", std::vector<std::uint8_t>(300, 7));
  EXPECT_EQ(findings(options).at("unreadable"), expected.at("unreadable").get<int>() + 1);
}

TEST(TrainingCheck, AFolderThatCannotBeMadeIsNoReasonNotToLook) {
  FolderForTests folder;
  put_classes(folder, "", 20, 0);
  EXPECT_EQ(check_for_training(open_data(folder.path()), {}, {.keep_in = "/proc/none"}).pictures, 20);
}

}  // namespace
}  // namespace enxerto
