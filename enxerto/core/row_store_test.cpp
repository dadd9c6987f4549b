#include "enxerto/core/row_store.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t header_bytes = 64, head_bytes = 64;

ContentKey key_of(std::uint64_t number) {
  ContentHash hash;
  hash.add(number);
  return hash.key();
}

class RowStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / text("enxerto_row_store_", ::getpid());
    fs::remove_all(folder_);
    options_.kind = key_of(~std::uint64_t{0});
    options_.row_bytes = 1000;
    options_.today = 20000;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::vector<std::uint8_t> row_of(std::uint64_t number) const {
    Rng rng(number);
    std::vector<std::uint8_t> row(options_.row_bytes);
    for (auto& byte : row) byte = static_cast<std::uint8_t>(rng.bits());
    return row;
  }
  std::int64_t stride() const { return head_bytes + (std::int64_t(options_.row_bytes) + 63) / 64 * 64; }
  void keep(RowStore& store, std::uint64_t first, std::uint64_t last) const {
    for (std::uint64_t i = first; i < last; ++i) store.keep(key_of(i), row_of(i));
  }
  /// How many of the first `last` rows are there; a wrong one is a failure.
  std::int64_t count(RowStore& store, std::uint64_t last) const {
    std::int64_t found = 0;
    std::vector<std::uint8_t> row(options_.row_bytes);
    for (std::uint64_t i = 0; i < last; ++i) {
      const auto seen = store.view(key_of(i));
      EXPECT_TRUE(seen.empty() || std::ranges::equal(seen, row_of(i))) << i;
      if (!store.find(key_of(i), row)) continue;
      EXPECT_EQ(row, row_of(i)) << i;
      ++found;
    }
    return found;
  }
  RowStore open() const { return RowStore(folder_, options_); }
  static void write_bytes(const fs::path& path, std::span<const std::uint8_t> bytes) {
    // Not write_file(), which waits for the disk.
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  }
  /// The exit status of work() in a process of its own, or what killed it.
  static int status_in_child(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(work());
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status;
  }

  fs::path folder_;
  RowStoreOptions options_;
};

TEST_F(RowStoreTest, RowsAreFoundAgainByTheNextAndByOthers) {
  fs::path path;
  {
    RowStore store = open(), beside = open();
    EXPECT_FALSE(store.holds(key_of(0)));
    keep(store, 0, 20);
    EXPECT_EQ(count(store, 30), 20);
    EXPECT_EQ(count(beside, 30), 20);
    keep(beside, 10, 25);  // ten of them are there
    EXPECT_EQ(count(store, 30), 25);
    EXPECT_EQ(store.rows(), 25);
    EXPECT_EQ(store.note(), "");
    path = store.path();
  }
  EXPECT_EQ(std::int64_t(fs::file_size(path)), header_bytes + 25 * stride());
  const auto before = read_file(path);
  RowStore store = open();
  EXPECT_EQ(count(store, 30), 25);
  EXPECT_EQ(store.file_bytes(), header_bytes + 25 * stride());
  EXPECT_EQ(read_file(path), before);
}

TEST_F(RowStoreTest, OtherKindsAndSizesHaveFilesOfTheirOwn) {
  RowStore store = open();
  keep(store, 0, 3);
  options_.kind = key_of(7);
  EXPECT_EQ(count(*std::make_unique<RowStore>(open()), 3), 0);
  options_.row_bytes = 999;
  EXPECT_EQ(count(*std::make_unique<RowStore>(open()), 3), 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 3);
}

TEST_F(RowStoreTest, AKilledProcessLosesNoRowThatItHadKept) {
  options_.row_bytes = 50000;  // of several pages, so that some are cut short
  std::int64_t kept_before = 0;
  for (int kill = 0; kill < 20; ++kill) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      RowStore store = open();
      for (std::uint64_t i = 0;; ++i) {
        store.keep(key_of(i), row_of(i));
        if (store.note().empty() && ::write(ends[1], "x", 1) != 1) ::_exit(1);
      }
    }
    ::close(ends[1]);
    Rng rng(static_cast<std::uint64_t>(kill));
    std::int64_t told = 0;
    std::vector<char> ticks(1 + rng.below(50));
    if (kill % 2 == 0) told = ::read(ends[0], ticks.data(), ticks.size());
    ::usleep(static_cast<useconds_t>(rng.below(3000)));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    for (ssize_t more; (more = ::read(ends[0], ticks.data(), ticks.size())) > 0;) told += more;
    ::close(ends[0]);
    RowStore store = open();
    EXPECT_EQ(store.note(), "") << kill;
    const std::int64_t found = count(store, static_cast<std::uint64_t>(told + 5));
    EXPECT_GE(found, told) << kill;
    EXPECT_GE(store.rows(), kept_before) << kill;
    kept_before = store.rows();
  }
  EXPECT_GT(kept_before, 0);
}

TEST_F(RowStoreTest, ARowThatWasCutShortIsWrittenOverAtEachLength) {
  fs::path path;
  {
    RowStore store = open();
    keep(store, 0, 3);
    path = store.path();
  }
  const auto whole = read_file(path);
  for (std::int64_t length = 0; length <= std::ssize(whole); length += length < 200 ? 1 : 97) {
    write_bytes(path, std::span(whole).first(static_cast<std::size_t>(length)));
    RowStore store = open();
    EXPECT_EQ(count(store, 3), std::max<std::int64_t>(0, (length - header_bytes) / stride())) << length;
    keep(store, 0, 3);
    EXPECT_EQ(count(store, 3), 3) << length;
    EXPECT_EQ(read_file(path), whole) << length;
  }
}

TEST_F(RowStoreTest, DamagedBytesAreNeverBelievedAndMadeAnewInTheirPlace) {
  fs::path path;
  {
    RowStore store = open();
    keep(store, 0, 8);
    path = store.path();
  }
  const auto good = read_file(path);
  Rng rng(5);
  for (int trial = 0; trial < 200; ++trial) {
    auto bad = good;
    for (int flips = 0; flips < 1 + trial % 4; ++flips)
      bad[rng.below(trial % 2 ? bad.size() : 200)] ^= static_cast<std::uint8_t>(1u << rng.below(8));
    write_bytes(path, bad);
    {
      RowStore store = open();
      const std::int64_t found = count(store, 8);
      EXPECT_TRUE(found >= 4 || !store.note().empty()) << trial;
      keep(store, 0, 8);
      EXPECT_EQ(count(store, 8), 8) << trial;
    }
    RowStore store = open();
    EXPECT_EQ(count(store, 8), 8) << trial;
    EXPECT_EQ(store.note(), "") << trial;
    EXPECT_EQ(store.file_bytes(), std::ssize(good)) << trial;
  }
  write_bytes(path, std::vector<std::uint8_t>(100, 7));
  RowStore store = open();
  EXPECT_EQ(count(store, 8), 0);
  EXPECT_NE(store.note(), "");
}

TEST_F(RowStoreTest, AFileThatIsCutShortWhileItIsOpenIsNoCrash) {
  RowStore store = open();
  keep(store, 0, 8);
  fs::resize_file(store.path(), 500);
  EXPECT_EQ(count(store, 8), 0);
  keep(store, 0, 8);
  EXPECT_EQ(count(store, 8), 8);
}

TEST_F(RowStoreTest, AFullDiskIsANoteAndWhatFittedIsThere) {
  // A bound on the length of files stands for the disk.
  const auto limit_disk = [](rlim_t bytes) {
    const rlimit limit{bytes, bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);
  };
  for (const rlim_t bytes : {0, 30, 64, 700, 5000}) {
    fs::remove_all(folder_);
    const std::int64_t fits = std::max<std::int64_t>(0, (std::int64_t(bytes) - header_bytes) / stride());
    EXPECT_EQ(status_in_child([&] {
                limit_disk(bytes);
                RowStore store = open();
                keep(store, 0, 10);
                const bool told = store.note().find("cannot be written") != std::string::npos;
                return told && count(store, 10) == fits ? 0 : 1;
              }),
              0)
        << bytes;
    RowStore store = open();
    EXPECT_EQ(count(store, 10), fits) << bytes;
    keep(store, 0, 10);
    EXPECT_EQ(count(store, 10), 10) << bytes;
  }
}

TEST_F(RowStoreTest, ProcessesSideBySideDoNotHarmEachOther) {
  std::vector<pid_t> children;
  for (std::uint64_t child = 0; child < 4; ++child) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    RowStore store = open();
    keep(store, child * 20, child * 20 + 40);  // half of them are another's too
    ::_exit(store.note().empty() && count(store, child * 20 + 40) >= 40 ? 0 : 1);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  RowStore store = open();
  EXPECT_EQ(count(store, 200), 100);
  EXPECT_EQ(store.file_bytes(), header_bytes + 100 * stride());  // none twice
}

TEST_F(RowStoreTest, ThreadsMayFindAndKeepAtOnce) {
  RowStore store = open();
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      keep(store, thread * 10, thread * 10 + 30);
      count(store, 60);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count(store, 100), 60);
}

TEST_F(RowStoreTest, AStoppedProcessThatHoldsItDoesNotHoldUpOthers) {
  const pid_t child = ::fork();
  if (child == 0) {
    RowStore store = open();
    keep(store, 0, 5);
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, WUNTRACED), child);
  RowStore store = open();
  keep(store, 3, 8);
  EXPECT_EQ(count(store, 8), 8);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_F(RowStoreTest, RowsThatWereNotUsedForLongGo) {
  keep(*std::make_unique<RowStore>(open()), 0, 40);
  options_.today += 20;
  EXPECT_EQ(count(*std::make_unique<RowStore>(open()), 25), 25);
  options_.today += 20;
  RowStore store = open();
  EXPECT_EQ(store.rows(), 25);
  EXPECT_EQ(store.file_bytes(), header_bytes + 25 * stride());
  EXPECT_EQ(count(store, 40), 25);
  keep(store, 30, 32);
  EXPECT_EQ(count(store, 40), 27);
}

TEST_F(RowStoreTest, TheFileIsNotRewrittenWhileOthersUseIt) {
  RowStore user = open();
  keep(user, 0, 8);
  options_.today += 100;
  EXPECT_EQ(open().rows(), 8);
  EXPECT_EQ(count(user, 8), 8);
}

TEST_F(RowStoreTest, TheFileIsBoundedAndMakesRoomForWhatIsUsed) {
  options_.limit_bytes = header_bytes + 10 * stride() + 5;
  {
    RowStore store = open();
    keep(store, 0, 12);
    EXPECT_EQ(count(store, 12), 10);
    EXPECT_NE(store.note().find("full"), std::string::npos) << store.note();
  }
  // The same day: nothing is thrown away for rows that would not fit either.
  EXPECT_EQ(open().rows(), 10);
  options_.today += 1;
  EXPECT_EQ(count(*std::make_unique<RowStore>(open()), 4), 4);
  options_.today += 1;
  RowStore store = open();
  EXPECT_EQ(store.rows(), 4);
  keep(store, 20, 26);
  EXPECT_EQ(store.rows(), 10);
  EXPECT_LE(store.file_bytes(), options_.limit_bytes);
}

TEST_F(RowStoreTest, AFileInPlaceOfTheFolderIsAnError) {
  write_file(folder_, "x");
  EXPECT_THROW(open(), Error);
  fs::remove(folder_);
}

TEST(ContentHash, DiffersWhereContentLengthOrOrderDiffer) {
  std::vector<ContentKey> keys;
  std::vector<std::uint8_t> bytes(100);
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    ContentHash hash;
    hash.add(std::span<const std::uint8_t>(bytes).first(length));
    keys.push_back(hash.key());
  }
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    ContentHash hash;
    hash.add(std::span<const std::uint8_t>(bytes));
    keys.push_back(hash.key());
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
  }
  for (const auto& [first, second] : {std::pair{"ab", "c"}, {"a", "bc"}, {"c", "ab"}, {"abc", ""}}) {
    ContentHash hash;
    hash.add(std::string_view(first));
    hash.add(std::string_view(second));
    keys.push_back(hash.key());
  }
  for (const bool high : {true, false}) {
    std::vector<std::uint64_t> words;
    for (const ContentKey& key : keys) words.push_back(high ? key.high : key.low);
    std::ranges::sort(words);
    EXPECT_EQ(std::ranges::adjacent_find(words), words.end());
  }
  EXPECT_EQ(format_key({1, 0xAB}), "000000000000000100000000000000ab");
}

}  // namespace
}  // namespace enxerto
