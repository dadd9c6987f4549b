#include "enxerto/data/picture_cache.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <thread>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/core/text.h"
#include "enxerto/data/loader.h"
#include "enxerto/image/encode.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

/// A folder with some photographs, and an empty one for the cache.
class PictureCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / text("enxerto_picture_cache_", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    Rng rng(1);
    for (int i = 0; i < 10; ++i) {
      Image image(20 + i, 30, 3);
      for (auto& pixel : image.pixels) pixel = static_cast<std::uint8_t>(rng.bits());
      paths_.push_back((folder_ / text(i, ".png")).string());
      write_bytes(paths_.back(), encode_png(image));
    }
    config_.batch = 4;
    config_.workers = 2;
    config_.shuffle = true;
    config_.preprocess = Preprocess::plain(16, 16, 3);
    config_.augment.flip = 0.5;
    config_.cache_bytes = 0;
    plain_ = read_epochs(config_);
    config_.cache_folder = folder_ / "cache";
  }
  void TearDown() override { fs::remove_all(folder_); }

  static void write_bytes(const fs::path& path, std::span<const std::uint8_t> bytes) {
    // Not write_file(), which waits for the disk.
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  }

  /// Other bytes of the same length and time: who decodes them, fails.
  static void spoil(const fs::path& path) {
    const auto time = fs::last_write_time(path);
    write_bytes(path, std::vector<std::uint8_t>(fs::file_size(path)));
    fs::last_write_time(path, time);
  }

  FileDataset data() const { return {paths_, std::vector<std::int32_t>(paths_.size(), 0), {"a"}}; }

  /// The floats of two epochs; the note goes to note_.
  std::vector<float> read_epochs(const LoaderConfig& config) {
    const FileDataset files = data();
    Loader loader(files, config);
    std::vector<float> out;
    for (int epoch = 0; epoch < 2; ++epoch) {
      loader.start(epoch);
      while (const auto batch = loader.next())
        out.insert(out.end(), batch->images.data().begin(), batch->images.data().end());
    }
    note_ = loader.note();
    return out;
  }

  std::vector<fs::path> cached() const {
    std::vector<fs::path> found;
    if (fs::exists(config_.cache_folder))
      for (const auto& entry : fs::directory_iterator(config_.cache_folder)) found.push_back(entry.path());
    return found;
  }

  fs::path folder_;
  std::vector<std::string> paths_;
  LoaderConfig config_;
  std::vector<float> plain_;
  std::string note_;
};

TEST_F(PictureCacheTest, GivesTheSameBitsWithAndWithout) {
  EXPECT_EQ(read_epochs(config_), plain_);
  ASSERT_EQ(cached().size(), 1u);
  const auto before = fs::last_write_time(cached()[0]);
  EXPECT_EQ(read_epochs(config_), plain_);
  EXPECT_EQ(fs::last_write_time(cached()[0]), before);
  EXPECT_EQ(note_, "");
}

TEST_F(PictureCacheTest, PicturesComeFromItWithoutBeingDecoded) {
  read_epochs(config_);
  for (const std::string& path : paths_) spoil(path);
  EXPECT_EQ(read_epochs(config_), plain_);
}

TEST_F(PictureCacheTest, OnlyWhatChangedOrIsNewIsDecodedAgain) {
  read_epochs(config_);
  const auto size = fs::file_size(cached().at(0));
  const auto row = (size - 64) / paths_.size();
  // The others cannot be decoded any more; those that were given other bytes and times are.
  for (const std::string& path : paths_) spoil(path);
  write_bytes(paths_[3], encode_png(Image(25, 25, 3)));
  paths_.push_back((folder_ / "new.png").string());
  write_bytes(paths_.back(), encode_png(Image(20, 20, 3)));
  EXPECT_NO_THROW(read_epochs(config_));
  EXPECT_EQ(fs::file_size(cached().at(0)), size + 2 * row);
  // In another order, and not all of them, as other splits have them.
  std::reverse(paths_.begin(), paths_.end());
  paths_.pop_back();
  EXPECT_NO_THROW(read_epochs(config_));
  EXPECT_EQ(fs::file_size(cached().at(0)), size + 2 * row);
}

TEST_F(PictureCacheTest, OtherWaysOfFittingHaveFilesOfTheirOwn) {
  read_epochs(config_);
  config_.preprocess.filter = Filter::lanczos;
  EXPECT_NE(read_epochs(config_), plain_);
  EXPECT_EQ(cached().size(), 2u);
  config_.preprocess.filter = Filter::bilinear;
  config_.preprocess.mean = {0.1, 0.1, 0.1};  // not of the bytes
  read_epochs(config_);
  EXPECT_EQ(cached().size(), 2u);
}

TEST_F(PictureCacheTest, DamagedForeignAndShortenedFilesChangeNoBit) {
  read_epochs(config_);
  const fs::path file = cached().at(0);
  const auto good = read_file(file);
  Rng rng(9);
  for (int trial = 0; trial < 60; ++trial) {
    auto bad = good;
    if (trial % 3 == 0) {
      bad.resize(rng.below(bad.size()));
    } else if (trial % 3 == 1) {
      bad[rng.below(bad.size())] ^= static_cast<std::uint8_t>(1u << rng.below(8));
    } else {
      bad.assign(rng.below(2) ? good.size() : 100, static_cast<std::uint8_t>(rng.bits()));
    }
    write_bytes(file, bad);
    ASSERT_EQ(read_epochs(config_), plain_) << trial;
    if (trial % 3 == 2) {
      EXPECT_NE(note_, "") << trial;
    }
    ASSERT_EQ(read_epochs(config_), plain_) << trial;
    EXPECT_EQ(note_, "") << trial;
    ASSERT_EQ(fs::file_size(file), good.size()) << trial;
  }
}

TEST_F(PictureCacheTest, KilledRunsLoseNothingAndHarmNothing) {
  config_.workers = 0;  // a child that was forked has no threads
  std::int64_t most = 0;
  for (int kill = 0; kill < 20; ++kill) {
    const pid_t child = ::fork();
    if (child == 0) {
      read_epochs(config_);
      ::_exit(0);
    }
    Rng rng(static_cast<std::uint64_t>(kill));
    ::usleep(static_cast<useconds_t>(rng.below(1500)));
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    const std::int64_t size = cached().empty() ? 0 : static_cast<std::int64_t>(fs::file_size(cached().at(0)));
    EXPECT_GE(size, most);
    most = size;
  }
  EXPECT_EQ(read_epochs(config_), plain_);
  EXPECT_EQ(note_, "");
  EXPECT_EQ(cached().size(), 1u);
}

TEST_F(PictureCacheTest, AFullDiskIsANoteAndItGoesOnWithout) {
  // A bound on the length of files stands for the disk. In a process of its own, which has no threads yet.
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{2000, 2000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);
    config_.workers = 0;
    const bool same = read_epochs(config_) == plain_;
    const bool told = note_.find("cannot be written") != std::string::npos;
    ::_exit(same && told ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(PictureCacheTest, LoadersSideBySideDoNotDisturbEachOther) {
  std::vector<std::thread> threads;
  std::vector<std::vector<float>> out(4);
  const FileDataset files = data();
  for (auto& each : out)
    threads.emplace_back([&] {
      Loader loader(files, config_);
      for (int epoch = 0; epoch < 2; ++epoch) {
        loader.start(epoch);
        while (const auto batch = loader.next())
          each.insert(each.end(), batch->images.data().begin(), batch->images.data().end());
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& each : out) EXPECT_EQ(each, plain_);
  ASSERT_EQ(cached().size(), 1u);
  EXPECT_EQ(read_epochs(config_), plain_);
  EXPECT_EQ(note_, "");
}

TEST_F(PictureCacheTest, WhatEndsEarlyKeepsWhatItHas) {
  config_.workers = 0;
  const FileDataset files = data();
  {
    Loader loader(files, config_);
    loader.start(0);
    loader.next();
  }
  const auto size = fs::file_size(cached().at(0));
  EXPECT_GT(size, 64u);
  EXPECT_EQ(read_epochs(config_), plain_);
  EXPECT_GT(fs::file_size(cached().at(0)), size);
}

TEST_F(PictureCacheTest, DataThatAreNoFilesAreNotKept) {
  const MemoryDataset data({20, 20, 3, std::vector<std::uint8_t>(1200 * 4), {{0, "memory"}}}, {{0, 0, 0, 0}},
                           {"a"});
  Loader loader(data, config_);
  loader.start(0);
  EXPECT_TRUE(loader.next());
  EXPECT_TRUE(cached().empty());
}

TEST_F(PictureCacheTest, AFileInPlaceOfTheFolderIsAnError) {
  write_file(config_.cache_folder, "x");
  const FileDataset files = data();
  EXPECT_THROW(Loader(files, config_), Error);
}

}  // namespace
}  // namespace enxerto
