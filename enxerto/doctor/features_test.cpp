#include "enxerto/doctor/features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "enxerto/doctor/diagnosis.h"
#include "enxerto/doctor/pictures_for_tests.h"
#include "enxerto/image/affine.h"
#include "enxerto/image/colour.h"
#include "enxerto/image/decode.h"

namespace enxerto {
namespace {

/// Rows that tell nothing, with `twins` alike.
FeatureRows made_up(std::int64_t pictures, std::int64_t width,
                    const std::vector<std::pair<std::int64_t, std::int64_t>>& twins) {
  FeatureRows out{.width = width, .values = {}};
  Rng rng = Rng(5).child(1);
  for (std::int64_t i = 0; i < pictures * width; ++i) out.values.push_back(rng.uniform(-1, 1));
  for (const auto& [a, b] : twins)
    for (std::int64_t k = 0; k < width; ++k)
      out.values[static_cast<std::size_t>(b * width + k)] =
          2 * out.values[static_cast<std::size_t>(a * width + k)] + rng.uniform(-0.1f, 0.1f);
  return out;
}

TEST(Features, FindsWhoIsAlikeAsTheSlowTwinDoes) {
  // Few features, so that many are alike, and more than one block and share of them.
  const std::int64_t n = 600;
  FeatureRows features = made_up(n, 5, {{3, 400}, {599, 0}});
  std::vector<std::uint8_t> takes_part(static_cast<std::size_t>(n), 1);
  takes_part[7] = takes_part[299] = 0;
  std::fill_n(features.values.begin() + 5 * 20, 5, 0.0f);
  features.values[5 * 21] = std::numeric_limits<float>::quiet_NaN();
  const FeatureRule rule{.cosine = 0.9, .neighbours = 3};
  const auto fast = find_alike(features, takes_part, rule, 2),
             slow = find_alike_slowly(features, takes_part, rule);
  ASSERT_EQ(fast.size(), slow.size());
  ASSERT_GT(fast.size(), 300u);
  for (std::size_t i = 0; i < fast.size(); ++i) {
    EXPECT_EQ(fast[i].a, slow[i].a);
    EXPECT_EQ(fast[i].b, slow[i].b);
    EXPECT_NEAR(fast[i].cosine, slow[i].cosine, 1e-5);
    for (const std::int64_t out : {7, 299, 20, 21}) EXPECT_TRUE(fast[i].a != out && fast[i].b != out);
  }
  EXPECT_EQ(fast, find_alike(features, takes_part, rule, 1));
}

struct Set {
  FolderForTests folder;
  Examination examined;

  std::int64_t number(const std::string& name) const {
    for (std::size_t i = 0; i < examined.pictures.size(); ++i)
      if (examined.pictures[i].name.ends_with(name)) return static_cast<std::int64_t>(i);
    ADD_FAILURE() << name;
    return -1;
  }
  void examine_all() {
    ExamineOptions options;
    examined = examine(open_data(folder.path(), {.classes = {}, .for_training = false}), options);
  }
};

TEST(Features, FindCutTurnedAndRecolouredPicturesThatPixelsMiss) {
  Set set;
  for (int i = 0; i < 8; ++i)
    set.folder.put(text("train/", i % 2 ? "a" : "b", "/", char('a' + i), ".png"),
                   spots_for_tests(i, 160, 120));
  set.folder.put("test/b/cut.png", crop(spots_for_tests(0, 160, 120), 40, 30, 112, 84));
  set.folder.put("test/a/turned.png", rotate(spots_for_tests(1, 160, 120), 7, 0));
  set.folder.put("test/b/hue.png", crop(turn_hue(spots_for_tests(2, 160, 120), 0.3), 0, 0, 130, 98));
  set.folder.put("test/a/other.png", spots_for_tests(50, 160, 120));
  set.examine_all();
  const auto n = static_cast<std::int64_t>(set.examined.pictures.size());
  // The features call another picture alike too, and e the same as f: registration does not.
  const FeatureRows features = made_up(n, 64,
                                       {{set.number("b/a.png"), set.number("cut.png")},
                                        {set.number("a/b.png"), set.number("turned.png")},
                                        {set.number("b/c.png"), set.number("hue.png")},
                                        {set.number("a/d.png"), set.number("other.png")},
                                        {set.number("b/e.png"), set.number("a/f.png")}});
  const Diagnosis without = diagnose(set.examined, {}, 2), with = diagnose(set.examined, {}, 2, &features);
  EXPECT_TRUE(without.near.empty());
  ASSERT_EQ(with.near.size(), 3u);
  EXPECT_EQ(with.across_splits, with.near);
  for (const NearPair& pair : with.near_pairs) EXPECT_GT(pair.cosine.value_or(0), 0.9);
  for (const Group& group : with.near) EXPECT_TRUE(is_found_by_features(with, group));
  const auto json = to_json(set.examined, with);
  EXPECT_EQ(json["near_found_by"], nlohmann::json({"features", "features", "features"}));
  EXPECT_EQ(json["near_pairs"][0]["by"], "features");
  EXPECT_EQ(json, to_json(set.examined, diagnose(set.examined, {}, 1, &features)));
}

TEST(Features, WhatPixelsFoundStaysTheirs) {
  Set set;
  for (int i = 0; i < 4; ++i)
    set.folder.put(text("train/", i % 2 ? "a" : "b", "/", char('a' + i), ".png"),
                   spots_for_tests(i, 160, 120));
  set.folder.put("test/b/small.jpg", resize(spots_for_tests(0, 160, 120), 80, 60));
  set.examine_all();
  const FeatureRows features = made_up(static_cast<std::int64_t>(set.examined.pictures.size()), 64,
                                       {{set.number("b/a.png"), set.number("small.jpg")}});
  const Diagnosis found = diagnose(set.examined, {}, 1, &features);
  ASSERT_EQ(found.near.size(), 1u);
  EXPECT_FALSE(is_found_by_features(found, found.near[0]));
  EXPECT_EQ(to_json(set.examined, found)["near_found_by"], nlohmann::json({"pixels"}));
}

class PhotosByFeatures : public testing::TestWithParam<const char*> {
 protected:
  std::vector<Image> photos(std::size_t count) const {
    const auto all = list_pictures(std::filesystem::path("../shared/data/photos") / GetParam());
    std::vector<Image> out;
    for (std::size_t i = 0; i < count; ++i) out.push_back(load_image(all[i * all.size() / count], 3));
    return out;
  }
  void SetUp() override {
    if (!std::filesystem::exists(std::filesystem::path("../shared/data/photos") / GetParam()))
      GTEST_SKIP() << "SKIPPED: ../shared/data/photos/" << GetParam() << " is missing";
  }
};

/// What a network would say is made up; what is tested is that the photos tell.
TEST_P(PhotosByFeatures, PlantedCutsTurnsAndHuesAreFound) {
  Set set;
  std::vector<std::pair<std::string, std::string>> planted;
  const std::vector<Image> originals = photos(15);
  for (std::size_t i = 0; i < originals.size(); ++i) {
    const Image& image = originals[i];
    const std::string name(1, static_cast<char>('a' + i));
    const int width = image.width * 7 / 10, height = image.height * 7 / 10;
    const Image cut = crop(image, static_cast<int>(i % 4) * (image.width - width) / 3,
                           static_cast<int>(i % 3) * (image.height - height) / 2, width, height);
    const Image changed = i % 3 == 0   ? cut
                          : i % 3 == 1 ? rotate(image, i % 2 ? 5 : -5, 0)
                                       : turn_hue(cut, 0.3);
    set.folder.put("train/x/" + name + ".jpg", image);
    set.folder.put("test/x/" + name + name + ".jpg", changed);
    planted.emplace_back("train/x/" + name + ".jpg", "test/x/" + name + name + ".jpg");
  }
  set.examine_all();
  std::vector<std::pair<std::int64_t, std::int64_t>> twins;
  for (const auto& [a, b] : planted) twins.emplace_back(set.number(a), set.number(b));
  const FeatureRows features = made_up(static_cast<std::int64_t>(set.examined.pictures.size()), 64, twins);
  const Diagnosis found = diagnose(set.examined, {}, 2, &features);
  const auto is_found = [&](const auto& twin) {
    return std::ranges::any_of(found.across_splits, [&](const Group& group) {
      return std::ranges::count(group, twin.first) + std::ranges::count(group, twin.second) == 2;
    });
  };
  EXPECT_GE(std::ranges::count_if(twins, is_found), 14);
}

TEST_P(PhotosByFeatures, OtherPhotosAreNoDuplicatesHoweverAlikeTheirFeatures) {
  Set set;
  int number = 0;
  for (const Image& image : photos(16)) {
    std::string name;
    for (const char digit : std::to_string(number++)) name += static_cast<char>('a' + (digit - '0'));
    set.folder.put("x/" + name + ".jpg", image);
  }
  set.examine_all();
  const FeatureRows same{.width = 1, .values = std::vector<float>(set.examined.pictures.size(), 1.0f)};
  const Diagnosis without = diagnose(set.examined, {}, 2), with = diagnose(set.examined, {}, 2, &same);
  EXPECT_EQ(with.near, without.near);
}

INSTANTIATE_TEST_SUITE_P(Some, PhotosByFeatures, testing::Values("hymenoptera", "flowers5"));

}  // namespace
}  // namespace enxerto
