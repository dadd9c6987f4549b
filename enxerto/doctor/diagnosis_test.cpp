#include "enxerto/doctor/diagnosis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "enxerto/doctor/pictures_for_tests.h"
#include "enxerto/image/decode.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

struct Found {
  Examination examined;
  Diagnosis diagnosis;
};

Found look_at(const fs::path& folder, int threads = 2) {
  ExamineOptions options;
  options.threads = threads;
  Found found{examine(open_data(folder, {.classes = {}, .for_training = false}), options), {}};
  found.diagnosis = diagnose(found.examined, {}, threads);
  return found;
}

std::vector<std::string> names(const Found& found, const std::vector<std::int64_t>& list) {
  std::vector<std::string> out;
  for (const std::int64_t i : list) {
    const fs::path path = found.examined.pictures[static_cast<std::size_t>(i)].name;
    out.push_back((path.parent_path().filename() / path.filename()).string());
  }
  return out;
}

std::vector<std::vector<std::string>> names(const Found& found, const std::vector<Group>& groups) {
  std::vector<std::vector<std::string>> out;
  for (const Group& group : groups) out.push_back(names(found, group));
  return out;
}

using Lists = std::vector<std::vector<std::string>>;

TEST(Diagnosis, NamesWhatIsWrongWithFiles) {
  FolderForTests folder;
  for (int i = 0; i < 4; ++i)
    for (const char* label : {"a", "b"})
      folder.put(text(label, "/", label, i, "x.jpg"), spots_for_tests(i * 2 + *label));
  auto cut = encode_jpeg(spots_for_tests(1000));
  cut.resize(cut.size() / 2);
  folder.put("a/cut.jpg", cut);
  folder.put("a/words.jpg", std::vector<std::uint8_t>{'w', 'o', 'r', 'd', 's'});
  folder.put("a/empty.png", std::vector<std::uint8_t>{});
  folder.put("a/zip.jpg", std::vector<std::uint8_t>{'P', 'K', 3, 4, 0, 0, 0, 0});
  folder.put("b/really_png.jpg", encode_png(spots_for_tests(1010)));
  folder.put("b/tiny.png", spots_for_tests(1020, 20, 40));
  folder.put("b/grey.png", with_channels(spots_for_tests(1030, 96, 72, true), 3));
  const Found found = look_at(folder.path());
  EXPECT_EQ(names(found, found.diagnosis.unreadable),
            (std::vector<std::string>{"a/cut.jpg", "a/empty.png", "a/words.jpg", "a/zip.jpg"}));
  for (const std::int64_t i : found.diagnosis.unreadable) {
    const std::string& error = found.examined.pictures[static_cast<std::size_t>(i)].error;
    EXPECT_EQ(error.find(folder.path().string()), std::string::npos) << error;
    EXPECT_GT(error.size(), 5u);
  }
  EXPECT_EQ(names(found, found.diagnosis.wrong_extension), std::vector<std::string>{"b/really_png.jpg"});
  EXPECT_EQ(names(found, found.diagnosis.tiny), std::vector<std::string>{"b/tiny.png"});
  EXPECT_TRUE(found.diagnosis.odd_are_grey);
  EXPECT_EQ(names(found, found.diagnosis.odd_colour), std::vector<std::string>{"b/grey.png"});
  EXPECT_TRUE(found.diagnosis.exact.empty());
  EXPECT_TRUE(found.diagnosis.near.empty());
}

TEST(Diagnosis, FindsCopiesConflictsAndLeaks) {
  FolderForTests folder;
  for (int i = 0; i < 6; ++i)
    for (const char* label : {"a", "b"})
      folder.put(text("train/", label, "/", label, 'x', 10 * i, ".png"), spots_for_tests(i * 2 + *label));
  folder.put("test/a/copy.png", spots_for_tests('a'));           // of train/a/ax0.png
  folder.put("train/b/conflict.png", spots_for_tests('a' + 2));  // of train/a/ax10.png
  folder.put("test/b/small.jpg", resize(spots_for_tests('b'), 64, 48));
  folder.put("test/b/flipped.jpg", flip_horizontal(spots_for_tests('b' + 4)));
  folder.put("test/b/own.png", spots_for_tests(500));
  const Found found = look_at(folder.path());
  EXPECT_EQ(names(found, found.diagnosis.exact),
            (Lists{{"a/ax0.png", "a/copy.png"}, {"a/ax10.png", "b/conflict.png"}}));
  EXPECT_EQ(names(found, found.diagnosis.near),
            (Lists{{"b/bx0.png", "b/small.jpg"}, {"b/bx20.png", "b/flipped.jpg"}}));
  EXPECT_EQ(
      names(found, found.diagnosis.across_splits),
      (Lists{{"a/ax0.png", "a/copy.png"}, {"b/bx0.png", "b/small.jpg"}, {"b/bx20.png", "b/flipped.jpg"}}));
  EXPECT_EQ(names(found, found.diagnosis.conflicting), (Lists{{"a/ax10.png", "b/conflict.png"}}));
}

TEST(Diagnosis, TheSamePixelsInOtherBytesAreExactCopies) {
  FolderForTests folder;
  const auto jpeg = encode_jpeg(spots_for_tests(1, 300, 200));
  folder.put("a/1.jpg", jpeg);
  folder.put("a/2.png", encode_png(decode_image(jpeg)));
  folder.put("b/3.png", spots_for_tests(2));
  const Found found = look_at(folder.path());
  EXPECT_EQ(names(found, found.diagnosis.exact), (Lists{{"a/1.jpg", "a/2.png"}}));
  EXPECT_TRUE(found.diagnosis.near.empty());
}

TEST(Diagnosis, CountsClassesAndTellsImbalance) {
  FolderForTests folder;
  for (int i = 0; i < 6; ++i) folder.put(text("a/", i, "q.png"), spots_for_tests(i));
  for (int i = 6; i < 8; ++i) folder.put(text("b/", i, "r.png"), spots_for_tests(i));
  const Found found = look_at(folder.path());
  ASSERT_EQ(found.diagnosis.classes.size(), 2u);
  EXPECT_EQ(found.diagnosis.classes[0].all(), 6);
  EXPECT_EQ(found.diagnosis.imbalance, 3);
  EXPECT_TRUE(found.diagnosis.is_unbalanced);
}

TEST(Diagnosis, FramesAndBurstsAreToldByNameAndLook) {
  FolderForTests folder;
  // Two frames: one moved a little. Too different for a near duplicate, alike enough for frames.
  const Image scene = spots_for_tests(7, 200, 150);
  folder.put("train/a/clip_frame001.png", crop(scene, 0, 0, 180, 140));
  folder.put("test/a/clip_frame002.png", crop(scene, 8, 4, 180, 140));
  folder.put("train/a/other.png", crop(spots_for_tests(8, 200, 150), 0, 0, 180, 140));
  folder.put("train/b/clip_frame003.png", spots_for_tests(9));
  const Found found = look_at(folder.path());
  EXPECT_TRUE(found.diagnosis.near.empty());
  EXPECT_EQ(names(found, found.diagnosis.bursts), (Lists{{"a/clip_frame001.png", "a/clip_frame002.png"}}));
  EXPECT_EQ(found.diagnosis.bursts_across_splits.size(), 1u);
  EXPECT_TRUE(found.diagnosis.across_splits.empty());
}

TEST(Diagnosis, NamesAreTakenApartAtTheirLastNumber) {
  EXPECT_EQ(numbered_name("x/IMG_0012.JPG").pattern, "IMG_*");
  EXPECT_EQ(numbered_name("x/IMG_0012.JPG").number, 12);
  EXPECT_EQ(numbered_name("9/clip2_frame7b.png").pattern, "clip2_frame*b");
  EXPECT_EQ(numbered_name("9/cat").number, -1);
  EXPECT_EQ(numbered_name("9/99999999999999999999999.png").number, -1);
}

TEST(Diagnosis, TheResultDoesNotDependOnTheNumberOfThreads) {
  FolderForTests folder;
  for (int i = 0; i < 30; ++i) folder.put(text(i % 2 ? "a/" : "b/", i, ".jpg"), spots_for_tests(i % 20));
  const Found one = look_at(folder.path(), 1), four = look_at(folder.path(), 4);
  EXPECT_EQ(to_json(one.examined, one.diagnosis), to_json(four.examined, four.diagnosis));
}

/// 30 exact copies and 10 near ones of `originals` are put into test: how many are found?
struct Planted {
  int exact = 0, near = 0;
};

Planted plant_and_look(const FolderForTests& folder, const std::vector<fs::path>& originals) {
  const auto original = [&](int i) { return originals[static_cast<std::size_t>(i) * originals.size() / 40]; };
  for (const fs::path& path : originals) {
    fs::create_directories(folder.path() / "train" / path.parent_path().filename());
    fs::copy_file(path, folder.path() / "train" / path.parent_path().filename() / path.filename());
  }
  std::vector<std::pair<std::string, std::string>> pairs;  // what was planted, its original
  for (int i = 0; i < 40; ++i) {
    const std::string label = original(i).parent_path().filename().string();
    const std::string name =
        text("planted", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[i], ".jpg");
    const Image image = load_image(original(i), 3);
    const Image smaller = resize(image, image.width * 6 / 10, image.height * 6 / 10);
    const std::string place = text("test/", label, "/", name);
    if (i < 30)
      folder.put(place, read_file(original(i)));
    else if (i < 33)
      folder.put(place, encode_jpeg(image, 35));  // recompressed
    else if (i < 36)
      folder.put(place, encode_jpeg(smaller, 80));  // resized
    else if (i < 38)
      folder.put(place, encode_jpeg(flip_horizontal(image), 90));  // flipped
    else
      folder.put(place, encode_jpeg(flip_horizontal(smaller), 40));  // all of it
    pairs.emplace_back((folder.path() / place).string(),
                       (folder.path() / "train" / label / original(i).filename()).string());
  }
  const Found found = look_at(folder.path());
  const auto are_together = [&](const std::vector<Group>& groups, const auto& pair) {
    return std::ranges::any_of(groups, [&](const Group& group) {
      int met = 0;
      for (const std::int64_t i : group) {
        const std::string& name = found.examined.pictures[static_cast<std::size_t>(i)].name;
        met += name == pair.first || name == pair.second;
      }
      return met == 2;
    });
  };
  Planted out;
  for (int i = 0; i < 40; ++i) {
    const auto& pair = pairs[static_cast<std::size_t>(i)];
    EXPECT_TRUE(are_together(found.diagnosis.across_splits, pair) || i >= 30) << pair.first;
    if (i < 30)
      out.exact += are_together(found.diagnosis.exact, pair);
    else
      out.near +=
          are_together(found.diagnosis.near, pair) && are_together(found.diagnosis.across_splits, pair);
  }
  return out;
}

TEST(PlantedDuplicates, AreFoundAmongSyntheticPictures) {
  FolderForTests source, folder;
  std::vector<fs::path> originals;
  for (int i = 0; i < 80; ++i) {
    const std::string name = text(i % 2 ? "a/" : "b/", "p", 10 * i, ".png");
    source.put(name, spots_for_tests(i, 160, 120));
    originals.push_back(source.path() / name);
  }
  const Planted found = plant_and_look(folder, originals);
  EXPECT_EQ(found.exact, 30);
  EXPECT_GE(found.near, 9);
}

class Photos : public testing::TestWithParam<const char*> {};

TEST_P(Photos, PlantedDuplicatesAreFound) {
  const fs::path set = fs::path("../shared/data/photos") / GetParam();
  if (!fs::exists(set)) GTEST_SKIP() << "SKIPPED: " << set << " is missing";
  std::vector<std::string> all = list_pictures(set);
  std::vector<fs::path> originals;
  for (std::size_t i = 0; i < 240; ++i) originals.emplace_back(all[i * all.size() / 240]);
  std::ranges::sort(originals);
  // One name in two splits of one class would be one file here.
  std::set<std::string> seen;
  std::erase_if(originals,
                [&](const fs::path& path) { return !seen.insert(path.filename().string()).second; });
  FolderForTests folder;
  const Planted found = plant_and_look(folder, originals);
  EXPECT_EQ(found.exact, 30);
  EXPECT_GE(found.near, 9);
}

INSTANTIATE_TEST_SUITE_P(All, Photos,
                         testing::Values("hymenoptera", "clothing10", "flowers5", "trashnet6", "vehicles6"));

/// Pairs that were looked at by eye: what is found beyond these is a false alarm.
TEST_P(Photos, FalseAlarmsAreRare) {
  const fs::path set = fs::path("../shared/data/photos") / GetParam();
  if (!fs::exists(set)) GTEST_SKIP() << "SKIPPED: " << set << " is missing";
  const Found found = look_at(set);
  // In flowers5, trashnet6 and clothing10 all near pairs show one photo twice or one thing shot twice; in
  // vehicles6 they are frames of one camera. So many were found and judged (docs/decisions/0008-doctor.md).
  const std::map<std::string, std::size_t> judged{
      {"hymenoptera", 0}, {"clothing10", 1}, {"flowers5", 17}, {"trashnet6", 24}, {"vehicles6", 7}};
  EXPECT_LE(static_cast<double>(found.diagnosis.near_pairs.size()),
            static_cast<double>(judged.at(GetParam())) +
                0.01 * static_cast<double>(found.examined.pictures.size()));
}

}  // namespace
}  // namespace enxerto
