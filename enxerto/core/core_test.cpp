#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <future>
#include <set>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  Files() { fs::create_directories(folder); }
  ~Files() override { fs::remove_all(folder); }
  const fs::path folder = fs::temp_directory_path() / text("enxerto_core_", ::getpid());
};

TEST_F(Files, WhatIsWrittenIsReadBackWhole) {
  write_file(folder / "a.txt", "olá\n");
  write_file(folder / "a.txt", "outra vez");
  EXPECT_EQ(read_text_file(folder / "a.txt"), "outra vez");
  // Nothing is left beside it.
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

TEST_F(Files, AMissingFileIsNamed) {
  try {
    read_file(folder / "none.bin");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_NE(std::string(error.what()).find("none.bin"), std::string::npos);
  }
}

TEST_F(Files, AFolderIsNotAFileAndALimitHolds) {
  EXPECT_THROW(read_file(folder), Error);
  write_file(folder / "ten", "0123456789");
  EXPECT_THROW(read_file(folder / "ten", 9), Error);
  EXPECT_EQ(read_file(folder / "ten", 10).size(), 10u);
}

TEST_F(Files, AFolderIsCheckedBeforeItIsMade) {
  check_folder(folder);
  check_folder(folder / "a" / "b");
  EXPECT_FALSE(fs::exists(folder / "a"));
  write_file(folder / "file", "");
  for (const fs::path& path : {folder / "file", folder / "file" / "b" / "c"}) try {
      check_folder(path, "try another");
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::io);
      EXPECT_NE(std::string(error.what()).find("a file is in the way; try another"), std::string::npos);
    }
}

TEST_F(Files, AFullDiskIsSaidAndTheOldFileStays) {
  write_file(folder / "old", "kept");
  // A bound on the size of files stands in for the end of the disk.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{.rlim_cur = 100, .rlim_max = before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_THROW(write_file(folder / "old", std::string(1000, 'x')), Error);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(read_text_file(folder / "old"), "kept");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

ErrorKind kind_of_failure(const fs::path& path) {
  try {
    read_file(path);
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
    return error.kind();
  }
  return ErrorKind::interrupted;
}

TEST_F(Files, ANameThatLeadsToNoFileForUsIsNotTheSystemsFailure) {
  write_file(folder / "closed", "secret");
  EXPECT_EQ(kind_of_failure(folder / "closed/inside"), ErrorKind::not_found);
  fs::create_symlink("circle", folder / "circle");
  EXPECT_EQ(kind_of_failure(folder / "circle"), ErrorKind::not_found);
  EXPECT_THROW(write_file(folder / "circle", "x"), Error);
  fs::permissions(folder / "closed", fs::perms::none);
  constexpr uid_t nobody = 65534;  // the permissions do not bind root
  const uid_t us = ::geteuid();
  if (us == 0 && ::seteuid(nobody) != 0) GTEST_SKIP() << "root may not become anybody else here";
  EXPECT_EQ(kind_of_failure(folder / "closed"), ErrorKind::not_found);
  ASSERT_EQ(::seteuid(us), 0);
}

TEST_F(Files, APipeIsNotReadAsAFile) {
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(kind_of_failure(folder / "pipe"), ErrorKind::unsupported);
}

TEST_F(Files, LinksStayAndWhereTheyLeadIsWritten) {
  fs::create_directories(folder / "there");
  write_file(folder / "there/old", "old");
  fs::create_symlink("there/old", folder / "link");
  fs::create_symlink(folder / "link", folder / "link_to_link");
  fs::create_symlink("there/new", folder / "dangling");
  write_file(folder / "link_to_link", "new");
  write_file(folder / "dangling", "made");
  for (const char* link : {"link", "link_to_link", "dangling"})
    EXPECT_TRUE(fs::is_symlink(folder / link)) << link;
  EXPECT_EQ(read_text_file(folder / "there/old"), "new");
  EXPECT_EQ(read_text_file(folder / "there/new"), "made");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "there"), fs::directory_iterator()), 2);
}

TEST_F(Files, APipeTakesWhatIsWrittenAndStaysAPipe) {
  const fs::path pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  auto got = std::async(std::launch::async, [&] {
    std::string bytes(100, 0);
    const int fd = ::open(pipe.c_str(), O_RDONLY);
    const ssize_t count = ::read(fd, bytes.data(), bytes.size());
    ::close(fd);
    return bytes.substr(0, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  });
  write_file(pipe, "through");
  EXPECT_EQ(got.get(), "through");
  EXPECT_TRUE(fs::is_fifo(pipe));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

TEST_F(Files, ADeviceStaysADeviceAndAFolderAFolder) {
  EXPECT_THROW(write_file(folder, "x"), Error);
  EXPECT_TRUE(fs::is_directory(folder));
  const fs::path device = folder / "null";
  // The numbers of /dev/null, which swallows everything.
  if (::mknod(device.c_str(), S_IFCHR | 0666, makedev(1, 3)) != 0) GTEST_SKIP() << "devices are for root";
  try {
    write_file(device, "swallowed");
  } catch (const Error& error) {
    // A file system may be mounted so that devices on it are dead.
    EXPECT_EQ(error.kind(), ErrorKind::io) << error.what();
  }
  EXPECT_TRUE(fs::is_character_file(device));
}

TEST(Random, ChildrenAndPlacesAreReproducible) {
  Rng a(7), b(7);
  EXPECT_EQ(a.bits(), b.bits());
  EXPECT_EQ(a.at(5), b.at(5));
  EXPECT_NE(Rng(7).child(1).bits(), Rng(7).child(2).bits());
  EXPECT_NE(Rng(7).child(1, 2).bits(), Rng(7).child(2, 1).bits());
  EXPECT_NE(Rng(7).bits(), Rng(8).bits());
}

TEST(Random, NormalAndUniformHaveTheirMoments) {
  Rng rng(3);
  double sum = 0, squares = 0, uniform = 0;
  constexpr int count = 200000;
  for (int i = 0; i < count; ++i) {
    const double x = rng.normal();
    sum += x, squares += x * x, uniform += rng.uniform();
  }
  EXPECT_NEAR(sum / count, 0.0, 0.01);  // four standard errors are 0.009
  EXPECT_NEAR(squares / count, 1.0, 0.015);
  EXPECT_NEAR(uniform / count, 0.5, 0.003);
}

TEST(Random, GammaAndBetaHaveTheirMoments) {
  Rng rng(11);
  constexpr int count = 100000;
  for (const double shape : {0.2, 1.0, 2.5, 40.0}) {
    double sum = 0, squares = 0;
    for (int i = 0; i < count; ++i) {
      const double x = rng.gamma(shape);
      ASSERT_TRUE(x >= 0);
      sum += x, squares += (x - shape) * (x - shape);
    }
    // Five standard errors; the fourth central moment is 3 shape^2 + 6 shape.
    EXPECT_NEAR(sum / count, shape, 5 * std::sqrt(shape / count)) << shape;
    EXPECT_NEAR(squares / count, shape, 5 * std::sqrt((2 * shape * shape + 6 * shape) / count)) << shape;
  }
  for (const auto& [a, b] : {std::pair{1.0, 1.0}, {0.2, 0.2}, {0.4, 3.0}, {8.0, 2.0}}) {
    const double mean = a / (a + b), variance = a * b / ((a + b) * (a + b) * (a + b + 1));
    double sum = 0, squares = 0;
    for (int i = 0; i < count; ++i) {
      const double x = rng.beta(a, b);
      ASSERT_TRUE(x >= 0 && x <= 1);
      sum += x, squares += (x - mean) * (x - mean);
    }
    EXPECT_NEAR(sum / count, mean, 5 * std::sqrt(variance / count)) << a << " " << b;
    // The fourth central moment of what lies in [0, 1] is at most its variance.
    EXPECT_NEAR(squares / count, variance, 5 * std::sqrt(variance / count)) << a << " " << b;
  }
  // Where both gammas are too small for a double, the ratio still is a coin.
  int ones = 0;
  for (int i = 0; i < 10000; ++i) ones += rng.beta(1e-4, 1e-4) > 0.5;
  EXPECT_NEAR(ones, 5000, 250);
}

TEST(Random, ShuffleIsAPermutationThatTheSeedDecides) {
  std::vector<int> a{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, b = a;
  Rng one(1), same(1);
  shuffle(a, one);
  shuffle(b, same);
  EXPECT_EQ(a, b);
  EXPECT_EQ(std::set<int>(a.begin(), a.end()).size(), 10u);
}

TEST(Text, FiguresForPeople) {
  EXPECT_EQ(with_commas(23587712), "23,587,712");
  EXPECT_EQ(with_commas(-1000), "-1,000");
  EXPECT_EQ(with_commas(-100), "-100");
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(64.0 * 1024 * 1024), "64.0 MiB");
  EXPECT_EQ(human_seconds(187), "3m 07s");
  EXPECT_EQ(split("a,b,,c", ','), (std::vector<std::string>{"a", "b", "", "c"}));
}

TEST(Errors, ABrokenPromiseNamesItsLine) {
  try {
    ensure(false, "two is one");
    FAIL();
  } catch (const std::logic_error& error) {
    EXPECT_NE(std::string(error.what()).find("core_test.cpp"), std::string::npos);
  }
}

TEST(System, ThreadsAreThoseAskedFor) {
  set_threads(1);
  EXPECT_EQ(threads(), 1);
  set_threads(0);
  EXPECT_GE(threads(), 1);
  EXPECT_GT(peak_memory_bytes(), 0);
}

}  // namespace
}  // namespace enxerto
