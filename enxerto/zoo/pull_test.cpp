// The parts of pull that need no server; tests/cli/pull_test.py has the rest.
#include "enxerto/zoo/pull.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <set>

#include "enxerto/core/text.h"
#include "enxerto/image/image.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

constexpr const char* sha256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* md5_of_abc = "900150983cd24fb0d6963f7d28e17f72";

class Pull : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }
  PullOptions offline() const { return {.folder = folder_, .from = "", .offline = true, .download = {}}; }
  std::string error_of(const Remote& remote, ErrorKind kind) const {
    try {
      pull(remote, offline());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return "";
  }

  const fs::path folder_ = fs::temp_directory_path() / text("enxerto_pull_test_", ::getpid());
  const Remote abc_ = {"https://example.org/abc.bin", "abc.bin", {sha256_of_abc, ""}};
};

TEST_F(Pull, DigestsAreThoseOfTheStandards) {
  const Digests digests = digest_file(write("abc.bin", "abc"));
  EXPECT_EQ(digests.sha256, sha256_of_abc);
  if (!digests.md5.empty()) {
    EXPECT_EQ(digests.md5, md5_of_abc);
  }
  EXPECT_EQ(digests.bytes, 3u);
  EXPECT_EQ(digest_file(write("empty.bin", "")).sha256,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_F(Pull, DigestingStopsWhenItIsTold) {
  const fs::path file = write("long.bin", std::string(3 << 20, 'x'));
  EXPECT_THROW(digest_file(file, [](std::uint64_t, std::uint64_t) { return false; }), Error);
}

TEST_F(Pull, AHashMayBeWholeOrItsFirstDigitsAndNothingElse) {
  const Digests digests = {sha256_of_abc, md5_of_abc, 3};
  EXPECT_EQ(find_difference(digests, {sha256_of_abc, ""}), "");
  EXPECT_EQ(find_difference(digests, {"ba7816bf", md5_of_abc}), "");
  EXPECT_EQ(find_difference(digests, {}), "");
  EXPECT_EQ(find_difference(digests, {"ba7816b0", ""}),
            "its SHA-256 begins with ba7816bf, expected was ba7816b0");
  EXPECT_NE(find_difference(digests, {"", std::string(32, '0')}), "");
  EXPECT_EQ(check_published({"BA7816BF", ""}).sha256, "ba7816bf");
  for (const std::string wrong : {"ba7816b", "ba7816bg", "0x7816bf"})
    EXPECT_THROW(check_published({wrong, ""}), Error) << wrong;
  EXPECT_THROW(check_published({std::string(65, 'a'), ""}), Error);
  EXPECT_THROW(check_published({"", std::string(31, 'a')}), Error);
}

TEST_F(Pull, AFilePutThereByHandIsCheckedAndRecorded) {
  write("abc.bin", "abc");
  const Pulled pulled = pull(abc_, offline());
  EXPECT_TRUE(pulled.already_there);
  EXPECT_EQ(pulled.record.from, "put there by hand");
  const auto record = find_record(folder_ / "abc.bin");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->digests.sha256, sha256_of_abc);
  EXPECT_EQ(record->checked, text("SHA-256 ", sha256_of_abc));
}

TEST_F(Pull, AFileWithTheWrongHashIsLeftAloneAndNamed) {
  write("abc.bin", "abd");
  const std::string what = error_of(abc_, ErrorKind::corrupt);
  EXPECT_NE(what.find(sha256_of_abc), std::string::npos) << what;
  EXPECT_TRUE(fs::exists(folder_ / "abc.bin"));
}

TEST_F(Pull, AFileThatChangedAfterwardsIsFound) {
  write("abc.bin", "abc");
  const Remote unpublished = {abc_.url, abc_.file, {}};
  pull(unpublished, offline());
  write("abc.bin", "abx");
  EXPECT_NE(error_of(unpublished, ErrorKind::corrupt).find("when it was pulled"), std::string::npos);
}

TEST_F(Pull, AFileOfAnotherAddressIsNotTakenForThisOne) {
  write("abc.bin", "abc");
  pull({abc_.url, abc_.file, {}}, offline());
  EXPECT_NE(error_of({"https://example.com/abc.bin", "abc.bin", {}}, ErrorKind::usage).find(abc_.url),
            std::string::npos);
  EXPECT_TRUE(pull({"https://example.com/abc.bin", "abc.bin", {sha256_of_abc, ""}}, offline()).already_there);
}

TEST_F(Pull, OfflineItSaysWhatToPutWhere) {
  const std::string what = error_of(remote_of(find_source("resnet50:v1")), ErrorKind::not_found);
  for (const std::string& wanted : {std::string("https://download.pytorch.org/models/resnet50-0676ba61.pth"),
                                    std::string("0676ba61"), (folder_ / "resnet50-0676ba61.pth").string()})
    EXPECT_NE(what.find(wanted), std::string::npos) << what;
}

TEST_F(Pull, ADamagedRecordIsAsGoodAsNone) {
  const fs::path file = write("abc.bin", "abc");
  pull(abc_, offline());
  std::ifstream in(record_path(file));
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  ASSERT_TRUE(find_record(file));
  for (std::size_t bytes = 0; bytes + 2 < whole.size(); ++bytes) {
    write("abc.bin.json", whole.substr(0, bytes));
    EXPECT_FALSE(find_record(file)) << bytes;
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x55);
    write("abc.bin.json", flipped);
    find_record(file);  // whatever it says: it comes back
  }
  EXPECT_TRUE((write("abc.bin.json", "{}"), pull(abc_, offline()).already_there));
}

TEST_F(Pull, OnlyWhatWasCheckedCountsAsCached) {
  const Source source = {.net = "abc",
                         .version = "v1",
                         .origin = "test",
                         .folder = "https://example.org/",
                         .file = "abc.bin",
                         .sha256 = "ba7816bf",
                         .md5 = "",
                         .figures_data = "",
                         .figures_page = "",
                         .license = "",
                         .license_note = ""};
  EXPECT_FALSE(find_cached(source, folder_));
  write("abc.bin", "abc");
  EXPECT_FALSE(find_cached(source, folder_));
  pull(remote_of(source), offline());
  EXPECT_EQ(find_cached(source, folder_), folder_ / "abc.bin");
  write("abc.bin", "abcd");
  EXPECT_FALSE(find_cached(source, folder_));
  EXPECT_FALSE(find_cached("lecture3", folder_));
  EXPECT_FALSE(find_cached("resnet50:v1", folder_));
}

TEST_F(Pull, OnlyPlainNamesBecomeFiles) {
  for (const std::string name : {"", ".", "..", "../x", "a/b", ".hidden", "x.part", "x.json", "x.lock", "a b",
                                 "a\nb", "a\\b", "x.part.json"})
    EXPECT_THROW(check_file_name(name), Error) << name;
  EXPECT_THROW(check_file_name(std::string(201, 'a')), Error);
  EXPECT_NO_THROW(check_file_name("resnet50-0676ba61.pth"));
  EXPECT_EQ(remote_of_url("https://example.org/a/b.pth?x=/y#z", "").file, "b.pth");
}

TEST_F(Pull, OnlySafeUrlsAreAsked) {
  for (const std::string url : {"http://example.org/x", "ftp://example.org/x", "file:///etc/passwd", "x", "",
                                "https://me:secret@example.org/x", "http://127.0.0.1.example.org/x"})
    EXPECT_THROW(check_url(url), Error) << url;
  for (const std::string url :
       {"https://example.org/x", "http://127.0.0.1:80/x", "http://localhost/x", "http://[::1]:80/x"})
    EXPECT_NO_THROW(check_url(url)) << url;
}

TEST(Sources, EachRowIsWhole) {
  std::set<std::string> names;
  std::map<std::string, std::string> urls;
  for (const Source& source : sources()) {
    SCOPED_TRACE(source.name());
    EXPECT_TRUE(names.insert(source.name()).second);
    EXPECT_EQ(urls.emplace(source.file, source.url()).first->second, source.url()) << "two files of one name";
    EXPECT_NO_THROW(check_url(source.url()));
    EXPECT_NO_THROW(check_file_name(source.file));
    EXPECT_NO_THROW(check_published(remote_of(source).published));
    if (!source.sha256.empty()) {
      EXPECT_NE(source.file.find(text("-", source.sha256, ".")), std::string_view::npos);
    }
    EXPECT_TRUE(source.top1 > 0.4 && source.top1 < 1 && (source.top5 == 0 || source.top5 > source.top1));
    EXPECT_FALSE(source.license.empty() || source.license_note.empty() || source.figures_page.empty());
    EXPECT_NO_THROW(preprocess_of(source).check());
    EXPECT_EQ(&find_source(source.name()), &source);
    EXPECT_EQ(&find_source(text(source.net, ":", source.version)), &source);
  }
}

TEST(Sources, TheBestWeightsAreTheDefaultAndBringTheirPreprocessing) {
  EXPECT_EQ(find_source("resnet50").version, "v2");
  EXPECT_EQ(find_source("resnet50").name(), "resnet50");
  EXPECT_EQ(find_source("resnet50:v1").name(), "resnet50:v1");
  EXPECT_DOUBLE_EQ(preprocess_of(find_source("resnet50")).crop_fraction, 224.0 / 232);
  EXPECT_DOUBLE_EQ(preprocess_of(find_source("resnet50:v1")).crop_fraction, 0.875);
  EXPECT_EQ(preprocess_of(find_source("vgg16:keras")).order, ChannelOrder::bgr);
  EXPECT_THROW(find_source("resnet50:v3"), Error);
  EXPECT_THROW(find_source("lecture3"), Error);
}

TEST(Sources, KerasPreprocessingGivesItsValues) {
  Preprocess tf = preprocess_of(find_source("mobilenet_v1")),
             caffe = preprocess_of(find_source("resnet50_keras"));
  tf.width = tf.height = caffe.width = caffe.height = 1;
  Image image(1, 1, 3);
  const std::array<std::uint8_t, 3> rgb = {255, 0, 127};
  std::copy(rgb.begin(), rgb.end(), image.pixels.begin());
  std::array<float, 3> out{};
  tf.apply(image, out);
  EXPECT_FLOAT_EQ(out[0], 1);
  EXPECT_FLOAT_EQ(out[1], -1);
  EXPECT_NEAR(out[2], 127 / 127.5 - 1, 1e-6);
  caffe.apply(image, out);
  EXPECT_NEAR(out[0], 127 - 103.939, 1e-4);
  EXPECT_NEAR(out[1], 0 - 116.779, 1e-4);
  EXPECT_NEAR(out[2], 255 - 123.68, 1e-4);
}

}  // namespace
}  // namespace enxerto
