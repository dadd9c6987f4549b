#include "enxerto/data/open.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <functional>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/image/encode.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

std::string string_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

/// A folder of its own for each test, gone afterwards.
class OpenData : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / text("enxerto_open_", ::getpid(), "_",
                                              testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  /// Writes below the folder; makes the folders between.
  void put(const std::string& path, const std::string& content) const {
    fs::create_directories((folder / path).parent_path());
    write_file(folder / path, content);
  }
  /// A grey picture of one value.
  void put_picture(const std::string& path, int value = 0) const {
    Image image(4, 4, 1);
    std::fill(image.pixels.begin(), image.pixels.end(), static_cast<std::uint8_t>(value));
    put(path, string_of(encode_png(image)));
  }

  std::string text_of(const std::function<void()>& call, ErrorKind kind) const {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
      std::string said = error.what();
      const std::string prefix = folder.string();
      for (auto at = said.find(prefix); at != std::string::npos; at = said.find(prefix))
        said.replace(at, prefix.size(), "F");
      return said;
    }
    return "(no error)";
  }
  std::string open_text(const std::string& path, ErrorKind kind) const {
    return text_of([&] { open_data(path.empty() ? folder : folder / path); }, kind);
  }

  fs::path folder;
};

std::vector<std::string> names_of(const Dataset& data, const fs::path& folder) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < data.size(); ++i)
    names.push_back(fs::path(data.name(i)).lexically_relative(folder).string());
  return names;
}

std::vector<std::string> classes_of(const Dataset& data) {
  return {data.classes().begin(), data.classes().end()};
}

TEST_F(OpenData, ReadsAFlatFolderSortedByPath) {
  put_picture("b/2.png", 20);
  put_picture("b/10.PNG", 10);
  put_picture("a/x.png", 30);
  put_picture("a/nested/y.png", 40);
  put_picture("größe/ä.png", 50);
  put_picture("a/.hidden.png");
  put_picture(".git/z.png");
  put_picture("__MACOSX/a/z.png");
  put(".DS_Store", "?");
  put("a/.DS_Store", "?");
  put("a/notes.txt", "?");
  const Splits data = open_data(folder);
  EXPECT_EQ(data.val, nullptr);
  EXPECT_EQ(data.test, nullptr);
  EXPECT_EQ(classes_of(*data.train), (std::vector<std::string>{"a", "b", "größe"}));
  EXPECT_EQ(names_of(*data.train, folder),
            (std::vector<std::string>{"a/nested/y.png", "a/x.png", "b/10.PNG", "b/2.png", "größe/ä.png"}));
  EXPECT_EQ(labels_of(*data.train), (std::vector<std::int32_t>{0, 0, 1, 1, 2}));
  EXPECT_EQ(data.train->get(3).image.pixels[0], 20);
  EXPECT_EQ(data.train->get(3).label, 1);
  ASSERT_EQ(data.notes.size(), 1u);
  EXPECT_EQ(data.notes[0],
            folder.string() + ": 1 file is no picture and passed over: " + (folder / "a/notes.txt").string());
}

TEST_F(OpenData, ReadsSplitsAndMatchesClassesByName) {
  for (const char* path :
       {"train/ants/1.png", "train/bees/1.png", "train/bees/2.png", "validation/ants/1.png",
        "validation/bees/1.png", "test/bees/1.png", "test/ants/1.png", "raw/1.png"})
    put_picture(path);
  const Splits data = open_data(folder);
  EXPECT_EQ(data.train->size(), 3);
  EXPECT_EQ(data.val->size(), 2);
  EXPECT_EQ(data.test->size(), 2);
  EXPECT_EQ(classes_of(*data.val), classes_of(*data.train));
  ASSERT_EQ(data.notes.size(), 1u);
  EXPECT_EQ(data.notes[0], (folder / "raw").string() + ": lies beside the splits and is not used");
}

TEST_F(OpenData, AClassMayBeCalledTrain) {
  put_picture("train/1.png");
  put_picture("car/1.png");
  EXPECT_EQ(classes_of(*open_data(folder).train), (std::vector<std::string>{"car", "train"}));
}

TEST_F(OpenData, FollowsLinksButNotInCircles) {
  put_picture("real/1.png");
  put_picture("data/b/1.png");
  fs::create_directory_symlink(folder / "real", folder / "data/a");
  fs::create_directory_symlink(folder / "data/b", folder / "data/b/again");
  EXPECT_EQ(names_of(*open_data(folder / "data").train, folder / "data"),
            (std::vector<std::string>{"a/1.png", "b/1.png"}));
}

TEST_F(OpenData, TellsPicturesByEndingOrByContent) {
  put_picture("a/no_ending");
  put_picture("a/photo.backup");
  put_picture("a/x.webp");
  put("a/wrong.jpg", "words");
  put("a/empty.tif", "");
  put("a/words.txt", "words");
  put("a/nothing", "");
  put("a/short.dat", "\xFF\xD8");
  put_picture("b/1.png");
  const Splits data = open_data(folder);
  EXPECT_EQ(names_of(*data.train, folder),
            (std::vector<std::string>{"a/empty.tif", "a/no_ending", "a/photo.backup", "a/wrong.jpg",
                                      "a/x.webp", "b/1.png"}));
  EXPECT_EQ(data.notes,
            std::vector<std::string>{folder.string() + ": 3 files are no pictures and passed over, such as " +
                                     (folder / "a/nothing").string()});
}

TEST_F(OpenData, PassesOverWhatSystemsPutBesideFiles) {
  for (const char* path : {"a/1.png", "b/1.png", "a/__MACOSX/1.png", "a/.trash/1.png", "a/.1.png",
                           "a/Thumbs.db", "b/thumbs.db", "b/desktop.ini", "__MACOSX/1.png", ".DS_Store"})
    put_picture(path);
  const Splits data = open_data(folder);
  EXPECT_EQ(names_of(*data.train, folder), (std::vector<std::string>{"a/1.png", "b/1.png"}));
  EXPECT_TRUE(data.notes.empty());
}

TEST_F(OpenData, NamesLinksThatLeadNowhere) {
  put_picture("data/a/1.png");
  put_picture("data/b/1.png");
  put_picture("real.png");
  fs::create_symlink(folder / "real.png", folder / "data/b/2.png");
  fs::create_symlink(folder / "gone.png", folder / "data/b/3.png");
  fs::create_symlink("itself", folder / "data/b/itself");
  const Splits data = open_data(folder / "data");
  EXPECT_EQ(data.train->size(), 3);
  EXPECT_EQ(data.notes, std::vector<std::string>{(folder / "data").string() +
                                                 ": 2 links lead nowhere and are passed over, such as " +
                                                 (folder / "data/b/3.png").string()});
}

TEST_F(OpenData, FoldersFullOfLinksToEachOtherAreReadOnce) {
  put_picture("data/b/1.png");
  for (int i = 0; i < 20; ++i) put_picture(text("data/a/", i, "/1.png"));
  // Every way through these would be 2^20 ways.
  for (int i = 0; i + 1 < 20; ++i)
    for (const char* name : {"x", "y"})
      fs::create_directory_symlink(folder / text("data/a/", i + 1), folder / text("data/a/", i, "/", name));
  EXPECT_EQ(open_data(folder / "data").train->size(), 21);
}

TEST_F(OpenData, AFolderNestedWithoutEndIsAnError) {
  std::string deep = "a";
  for (int i = 0; i < 70; ++i) deep += "/d";
  put_picture(deep + "/1.png");
  put_picture("b/1.png");
  EXPECT_NE(open_text("", ErrorKind::unsupported).find("lies deeper than 64 folders"), std::string::npos);
}

TEST_F(OpenData, AClassFolderWithoutPicturesIsTold) {
  put_picture("a/1.png");
  put_picture("b/1.png");
  put("empty/notes.txt", "?");
  const Splits data = open_data(folder);
  EXPECT_EQ(classes_of(*data.train), (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(data.notes.size(), 2u);
  EXPECT_EQ(data.notes[0], (folder / "empty").string() + ": has no pictures, so it is no class");
}

TEST_F(OpenData, DataThatAreOnlyLookedAtMayLackSplitsAndClasses) {
  put_picture("test/bees/1.png");
  EXPECT_EQ(classes_of(*open_data(folder, {.classes = {}, .for_training = false}).test),
            std::vector<std::string>{"bees"});
  put_picture("train/ants/1.png");
  const Splits data = open_data(folder, {.classes = {}, .for_training = false});
  EXPECT_EQ(classes_of(*data.train), (std::vector<std::string>{"ants", "bees"}));
  EXPECT_EQ(data.test->label(0), 1);
}

TEST_F(OpenData, SaysWhatIsWrongWithAFolder) {
  EXPECT_EQ(open_text("nowhere", ErrorKind::not_found), "F/nowhere: no such folder");
  EXPECT_EQ(open_text("", ErrorKind::not_found),
            "F: is empty; put a folder of pictures for each class there");
  put("readme.md", "?");
  EXPECT_EQ(open_text("readme.md", ErrorKind::unsupported),
            "F/readme.md: is a file; a folder of pictures or a .csv or .jsonl manifest was expected");
  EXPECT_EQ(open_text("", ErrorKind::not_found),
            "F: has no folder of pictures for each class; make one folder for each class and put its "
            "pictures there");
  put_picture("1.png");
  EXPECT_EQ(open_text("", ErrorKind::not_found),
            "F: has pictures, but no folder for each class; make one folder for each class and put its "
            "pictures there");
  put_picture("ants/1.png");
  EXPECT_EQ(open_text("", ErrorKind::unsupported),
            "F: has one class only, \"ants\"; a classifier needs two or more");
  fs::remove_all(folder / "ants");
  fs::create_directory(folder / "bees");
  EXPECT_EQ(open_text("", ErrorKind::not_found),
            "F: there are no pictures in its folders; put those of each class there");
}

TEST_F(OpenData, SaysWhichClassASplitLacksOrHasTooMuch) {
  for (const char* path : {"train/ants/1.png", "train/bees/1.png", "train/wasps/1.png", "val/ants/1.png"})
    put_picture(path);
  const std::string val = (folder / "val").string();
  EXPECT_EQ(open_data(folder).notes,
            std::vector<std::string>{val + ": no picture is of the classes \"bees\" and \"wasps\""});
  put_picture("val/wasps/1.png");
  const Splits data = open_data(folder);
  EXPECT_EQ(data.notes, std::vector<std::string>{val + ": no picture is of the class \"bees\""});
  EXPECT_EQ(classes_of(*data.val), classes_of(*data.train));
  EXPECT_EQ(labels_of(*data.val), (std::vector<std::int32_t>{0, 2}));
  put_picture("val/flies/1.png");
  EXPECT_EQ(open_text("", ErrorKind::not_found),
            "F/val: has the class \"flies\", which F/train has not; the names must be the same");
}

TEST_F(OpenData, NumbersLabelsByAModelsClasses) {
  put_picture("test/bees/1.png");
  EXPECT_EQ(open_text("", ErrorKind::not_found), "F: has no train/ split; training needs one");
  const Splits data = open_data(folder, {.classes = {"wasps", "ants", "bees"}});
  EXPECT_EQ(data.train, nullptr);
  EXPECT_EQ(data.test->label(0), 2);
  EXPECT_EQ(text_of(
                [&] {
                  open_data(folder, {.classes = {"ants", "wasps"}});
                },
                ErrorKind::not_found),
            "F/test: has the class \"bees\", which the model does not know; it knows \"ants\" and \"wasps\"");
}

TEST_F(OpenData, ABadPictureIsNamedWhenItIsRead) {
  put_picture("ants/1.png");
  put("bees/1.jpg", "these are words");
  Image image(8, 8, 3);
  const std::string whole = string_of(encode_jpeg(image));
  put("bees/2.jpg", whole.substr(0, whole.size() / 2));
  const Splits data = open_data(folder);
  EXPECT_EQ(text_of([&] { data.train->get(1); }, ErrorKind::corrupt), "F/bees/1.jpg: is text, not a picture");
  EXPECT_EQ(text_of([&] { data.train->get(2); }, ErrorKind::corrupt)
                .rfind("F/bees/2.jpg: is a JPEG picture that is damaged or cut short: ", 0),
            0u);
}

TEST_F(OpenData, ReadsACsvManifest) {
  put_picture("pictures/1.png", 1);
  put_picture("pictures/a, \"b\".png", 2);
  put_picture("pictures/3.png", 3);
  put_picture("pictures/4.png", 4);
  put("all.csv",
      "\xEF\xBB\xBFpath,label,split\r\n"
      "pictures/1.png,bees,train\r\n"
      "\"pictures/a, \"\"b\"\".png\",ants,\r\n"
      "\r\n"
      "pictures/3.png,ants,validation\r\n"
      "pictures/4.png,\"bees\",validation");
  const Splits data = open_data(folder / "all.csv");
  EXPECT_EQ(classes_of(*data.train), (std::vector<std::string>{"ants", "bees"}));
  EXPECT_EQ(labels_of(*data.train), (std::vector<std::int32_t>{1, 0}));
  EXPECT_EQ(data.train->get(1).image.pixels[0], 2);
  EXPECT_EQ(labels_of(*data.val), (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(data.test, nullptr);
}

TEST_F(OpenData, ReadsAJsonlManifest) {
  put_picture("1.png");
  put_picture("2.png");
  put("all.jsonl",
      "{\"path\": \"1.png\", \"label\": \"b\"}\n\n{\"label\": \"a\", \"path\": \"2.png\", \"size\": 3}\n");
  EXPECT_EQ(labels_of(*open_data(folder / "all.jsonl").train), (std::vector<std::int32_t>{1, 0}));
}

std::vector<std::vector<std::int32_t>> all_labels(const Dataset& data) {
  std::vector<std::vector<std::int32_t>> all;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const auto labels = data.labels(i);
    all.emplace_back(labels.begin(), labels.end());
  }
  return all;
}

TEST_F(OpenData, ReadsManifestsWithSeveralLabelsAPicture) {
  for (const char* path : {"1.png", "2.png", "3.png"}) put_picture(path);
  put("m.csv", "path,labels,split\n1.png,dog|cat,train\n2.png,,train\n3.png,cat,val\n");
  put("m.jsonl",
      "{\"path\":\"1.png\",\"labels\":[\"dog\",\"cat\"]}\n{\"path\":\"2.png\",\"label\":[]}\n"
      "{\"path\":\"3.png\",\"label\":\"cat\",\"split\":\"val\"}\n");
  using Lists = std::vector<std::vector<std::int32_t>>;
  for (const char* name : {"m.csv", "m.jsonl"}) {
    const Splits data = open_data(folder / name);
    EXPECT_TRUE(data.train->multi_label()) << name;
    EXPECT_EQ(classes_of(*data.train), (std::vector<std::string>{"cat", "dog"})) << name;
    EXPECT_EQ(all_labels(*data.train), (Lists{{0, 1}, {}})) << name;
    EXPECT_EQ(all_labels(*data.val), (Lists{{0}})) << name;
    EXPECT_EQ(labels_of(*data.train), (std::vector<std::int32_t>{0, unlabelled})) << name;
    // val shows no dog, which is no error here.
    EXPECT_EQ(data.notes,
              std::vector<std::string>{text((folder / name).string(), " (val): no picture shows \"dog\"")});
    // A model's classes number the labels, and these ascend.
    const Splits again = open_data(folder / name, {.classes = {"zebra", "dog", "cat"}});
    EXPECT_EQ(all_labels(*again.train), (Lists{{1, 2}, {}})) << name;
  }
  put("one.csv", "path,labels\n1.png,cat\n2.png,\n");
  EXPECT_EQ(open_data(folder / "one.csv").train->classes().size(), 1u);
  // One label each stays what it was.
  put("single.jsonl", "{\"path\":\"1.png\",\"label\":\"a\"}\n{\"path\":\"2.png\",\"label\":\"b\"}\n");
  const Splits single = open_data(folder / "single.jsonl");
  EXPECT_FALSE(single.train->multi_label());
  EXPECT_EQ(all_labels(*single.train), (Lists{{0}, {1}}));
}

TEST_F(OpenData, NamesTheLineOfAManifestWithSeveralLabelsThatIsWrong) {
  put_picture("1.png");
  const std::pair<const char*, const char*> csv[] = {
      {"path,labels\n1.png,a|b|a\n", "line 2: the label \"a\" is there twice"},
      {"path,labels\n1.png,a||b\n", "line 2: the label is empty"},
      {"path,labels\n1.png,a | b\n", "line 2: the label \"a \" begins or ends with a blank; write `cat|dog`"},
      {"path,label,labels\n1.png,a,b\n",
       "line 1: the header has both `label` and `labels`; leave one of them out"}};
  for (const auto& [content, wrong] : csv) {
    put("m.csv", content);
    EXPECT_EQ(open_text("m.csv", ErrorKind::corrupt), text("F/m.csv: ", wrong));
  }
  const std::pair<const char*, const char*> jsonl[] = {
      {"\"labels\":[\"a\",\"a\"]", "the label \"a\" is there twice"},
      {"\"labels\":[\"\"]", "the label is empty"},
      {"\"labels\":\"a\"", "\"labels\" is not a list of strings"},
      {"\"labels\":null", "\"labels\" is not a list of strings"},
      {"\"label\":[\"a\",3]", "\"label\" is not a list of strings"},
      {"\"label\":3", "\"label\" is not a string"},
      {"\"label\":\"a\",\"labels\":[\"a\"]", "has both \"label\" and \"labels\"; leave one of them out"},
      {"\"split\":\"val\"", "the label is empty"}};
  for (const auto& [content, wrong] : jsonl) {
    put("m.jsonl", text("{\"path\":\"1.png\",\"labels\":[\"a\"]}\n{\"path\":\"1.png\",", content, "}\n"));
    EXPECT_EQ(open_text("m.jsonl", ErrorKind::corrupt), text("F/m.jsonl: line 2: ", wrong));
  }
  put("none.csv", "path,labels\n1.png,\n");
  EXPECT_EQ(open_text("none.csv", ErrorKind::not_found), "F/none.csv (train): no picture has a label");
}

TEST_F(OpenData, SaysWhichLineOfAManifestIsWrong) {
  put_picture("1.png");
  const auto said = [&](const std::string& content, ErrorKind kind = ErrorKind::corrupt,
                        const std::string& name = "m.csv") {
    put(name, content);
    return open_text(name, kind);
  };
  EXPECT_EQ(said("", ErrorKind::not_found), "F/m.csv: is empty; a header `path,label` was expected");
  EXPECT_EQ(said("path,label\n", ErrorKind::not_found), "F/m.csv: lists no pictures");
  EXPECT_EQ(said("1.png,a\n"),
            "F/m.csv: line 1: the header has to be `path,label` or `path,label,split` (or `labels`: "
            "`cat|dog`), not `1.png,a`");
  EXPECT_EQ(said("path,label\n1.png\n"), "F/m.csv: line 2: has 1 fields, the header has 2");
  EXPECT_EQ(said("path,label\n1.png,\n"), "F/m.csv: line 2: the label is empty");
  EXPECT_EQ(said("path,label\n1.png,\"a\n"), "F/m.csv: line 2: a quote is not closed");
  EXPECT_EQ(said("path,label\n\"1.png\"x,a\n"), "F/m.csv: line 2: a comma or the line's end was expected");
  EXPECT_EQ(said("path,label,split\n1.png,a,dev\n"),
            "F/m.csv: line 2: the split is \"dev\"; train, val or test was expected");
  EXPECT_EQ(
      said("path,label\n1.png,a\n2.png,b\n3.png,b\n", ErrorKind::not_found),
      "F/m.csv: line 3: F/2.png does not exist (and 1 more files); paths count from the manifest's folder");
  EXPECT_EQ(said("path,label\n1.png,a\n", ErrorKind::unsupported),
            "F/m.csv (train): has one class only, \"a\"; a classifier needs two or more");
  EXPECT_EQ(said("{\"path\": \"1.png\"\n", ErrorKind::corrupt, "m.jsonl"),
            "F/m.jsonl: line 1: is not a JSON object");
  EXPECT_EQ(said("{\"path\": 1}\n", ErrorKind::corrupt, "m.jsonl"),
            "F/m.jsonl: line 1: \"path\" is not a string");
}

Bytes idx(const std::vector<std::uint32_t>& sizes, const Bytes& data) {
  Bytes out{0, 0, 8, static_cast<std::uint8_t>(sizes.size())};
  for (const std::uint32_t size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(size >> shift));
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

std::string gzip(const Bytes& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  Bytes out(deflateBound(&stream, static_cast<uLong>(bytes.size())));
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return string_of(out);
}

TEST_F(OpenData, ReadsIdxFilesPackedOrNot) {
  put("train-images-idx3-ubyte", string_of(idx({3, 1, 2}, {1, 2, 3, 4, 5, 6})));
  put("train-labels-idx1-ubyte.gz", gzip(idx({3}, {1, 0, 1})));
  put("t10k-images-idx3-ubyte.gz", gzip(idx({2, 1, 2}, {7, 8, 9, 10})));
  put("t10k-labels-idx1-ubyte", string_of(idx({2}, {0, 1})));
  const Splits data = open_data(folder);
  EXPECT_EQ(labels_of(*data.train), (std::vector<std::int32_t>{1, 0, 1}));
  EXPECT_EQ(classes_of(*data.train), (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(data.train->get(2).image.pixels, (Bytes{5, 6}));
  EXPECT_EQ(data.test->get(1).image.pixels, (Bytes{9, 10}));
  EXPECT_EQ(fs::path(data.test->name(1)).filename(), "t10k-images-idx3-ubyte.gz#1");
  EXPECT_EQ(data.val, nullptr);
}

TEST_F(OpenData, TheSplitOfIdxFilesIsAWordOfTheirNames) {
  const std::string one = string_of(idx({2, 1, 2}, {1, 2, 3, 4})), labels = string_of(idx({2}, {0, 1}));
  for (const char* prefix : {"emnist-letters-train-", "emnist-letters-test-", "qmnist_val_", "contest-"}) {
    put(text(prefix, "images-idx3-ubyte"), one);
    put(text(prefix, "labels-idx1-ubyte"), labels);
  }
  const Splits data = open_data(folder);
  EXPECT_EQ(data.train->size(), 4);
  EXPECT_EQ(fs::path(data.val->name(0)).filename(), "qmnist_val_images-idx3-ubyte#0");
  EXPECT_EQ(data.test->size(), 2);
  EXPECT_EQ(fs::path(data.test->name(1)).filename(), "emnist-letters-test-images-idx3-ubyte#1");
  EXPECT_EQ(data.notes,
            std::vector<std::string>{folder.string() + " (train): is the pictures of 2 files together: "
                                                       "\"contest-images-idx3-ubyte\" and "
                                                       "\"emnist-letters-train-images-idx3-ubyte\""});
}

TEST_F(OpenData, DamagedIdxFilesAreErrors) {
  const Bytes pictures = idx({3, 1, 2}, {1, 2, 3, 4, 5, 6});
  put("train-labels-idx1-ubyte", string_of(idx({3}, {1, 0, 1})));
  for (std::size_t size = 0; size < pictures.size(); ++size) {
    put("train-images-idx3-ubyte", string_of(pictures).substr(0, size));
    EXPECT_THROW(open_data(folder), Error) << size;
  }
  for (std::size_t bit = 0; bit < 16 * 8; ++bit) {
    Bytes damaged = pictures;
    damaged[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    put("train-images-idx3-ubyte", string_of(damaged));
    EXPECT_THROW(open_data(folder), Error) << bit;
  }
  fs::remove(folder / "train-images-idx3-ubyte");
  const std::string packed = gzip(pictures);
  for (std::size_t size = 0; size < packed.size(); ++size) {
    put("train-images-idx3-ubyte.gz", packed.substr(0, size));
    EXPECT_THROW(open_data(folder), Error) << size;
  }
  put("train-images-idx3-ubyte.gz", gzip(idx({0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF}, {1})));
  EXPECT_EQ(open_text("", ErrorKind::corrupt),
            "F/train-images-idx3-ubyte.gz: says that it holds far more than it can");
  put("train-images-idx3-ubyte.gz", gzip(idx({2, 1, 2}, {1, 2, 3, 4})));
  EXPECT_EQ(open_text("", ErrorKind::corrupt), "F/train-labels-idx1-ubyte: has 3 labels for 2 pictures");
  fs::remove(folder / "train-labels-idx1-ubyte");
  EXPECT_EQ(open_text("", ErrorKind::not_found),
            "F/train-images-idx3-ubyte.gz: the file with its labels, train-labels-idx1-ubyte, is missing");
}

std::string cifar_record(int label, int red, int green, int blue) {
  std::string out(1, static_cast<char>(label));
  for (const int value : {red, green, blue}) out += std::string(1024, static_cast<char>(value));
  return out;
}

TEST_F(OpenData, ReadsCifarBatches) {
  put("batches.meta.txt", "cat\ndog\n\n");
  put("data_batch_1.bin", cifar_record(1, 10, 20, 30) + cifar_record(0, 1, 2, 3));
  put("data_batch_2.bin", cifar_record(0, 4, 5, 6));
  put("test_batch.bin", cifar_record(0, 7, 8, 9) + cifar_record(1, 7, 8, 9));
  const Splits data = open_data(folder);
  EXPECT_EQ(classes_of(*data.train), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(labels_of(*data.train), (std::vector<std::int32_t>{1, 0, 0}));
  const Image image = data.train->get(0).image;
  EXPECT_EQ(image.width, 32);
  EXPECT_EQ((Bytes{image.pixels.begin(), image.pixels.begin() + 3}), (Bytes{10, 20, 30}));
  EXPECT_EQ(fs::path(data.train->name(2)).filename(), "data_batch_2.bin#0");
  EXPECT_EQ(data.test->size(), 2);

  put("data_batch_2.bin", cifar_record(0, 4, 5, 6).substr(1));
  EXPECT_EQ(
      open_text("", ErrorKind::corrupt),
      "F/data_batch_2.bin: is cut short or no CIFAR-10 batch: its 3072 bytes are not a multiple of 3073");
  put("data_batch_2.bin", cifar_record(2, 4, 5, 6));
  EXPECT_EQ(open_text("", ErrorKind::corrupt),
            "F/data_batch_2.bin: picture 0 has label 2, there are 2 classes");
}

TEST_F(OpenData, ListsPictures) {
  put_picture("b/1.png");
  put_picture("a.png");
  put("c.txt", "?");
  EXPECT_EQ(list_pictures(folder),
            (std::vector<std::string>{(folder / "a.png").string(), (folder / "b/1.png").string()}));
  EXPECT_EQ(list_pictures(folder / "c.txt"), std::vector<std::string>{(folder / "c.txt").string()});
  EXPECT_EQ(text_of([&] { list_pictures(folder / "d"); }, ErrorKind::not_found),
            "F/d: no such file or folder");
}

TEST(SharedData, MnistIsRead) {
  const fs::path path = "../shared/data/mnist";
  if (!fs::exists(path)) GTEST_SKIP() << "SKIPPED: " << path << " is missing";
  const Splits data = open_data(path);
  EXPECT_EQ(data.train->size(), 10000);
  EXPECT_EQ(data.test->size(), 10000);
  EXPECT_EQ(data.train->classes().size(), 10u);
  // The test set opens with the figures 7, 2, 1, 0, 4.
  for (const auto& [index, label] : {std::pair{0, 7}, {1, 2}, {2, 1}, {3, 0}, {4, 4}})
    EXPECT_EQ(data.test->label(index), label);
  EXPECT_EQ(data.test->get(0).image.height, 28);
}

TEST(SharedData, ClothingHasThreeSplits) {
  const fs::path path = "../shared/data/photos/clothing10";
  if (!fs::exists(path)) GTEST_SKIP() << "SKIPPED: " << path << " is missing";
  const Splits data = open_data(path);
  EXPECT_EQ(data.train->size() + data.val->size() + data.test->size(), 3781);
  EXPECT_EQ(data.train->classes().size(), 10u);
  EXPECT_GT(data.val->get(0).image.width, 100);
}

}  // namespace
}  // namespace enxerto
