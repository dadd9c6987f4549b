#include "enxerto/weights/hdf5.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/core/system.h"

namespace enxerto {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes sample(const char* name = "plain_keras2_weights.h5") {
  return read_file(std::filesystem::path("tests/files/keras") / name);
}

/// The kind and text of what is thrown; fails the test where nothing is.
std::pair<ErrorKind, std::string> refusal(const Bytes& bytes, Hdf5Fault fault = Hdf5Fault::none) {
  try {
    parse_hdf5(bytes, "some.h5", fault, 300);
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  }
  ADD_FAILURE() << "was taken";
  return {};
}

/// Whether this process has a child that it has not waited for.
bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

std::ptrdiff_t open_descriptors() {
  std::ptrdiff_t number = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr) ++number;
  ::closedir(folder);
  return number;
}

TEST(Hdf5, ReadsTextsAndArraysUnderTheirPaths) {
  // This one is compressed, shuffled and checked, and half of it is in double.
  const Hdf5Content content = parse_hdf5(sample(), "some.h5");
  const auto names = std::ranges::find_if(content.texts, [](const Hdf5Texts& texts) {
    return texts.object == "conv" && texts.name == "weight_names";
  });
  ASSERT_NE(names, content.texts.end());
  EXPECT_EQ(names->values, (std::vector<std::string>{"conv/kernel:0", "conv/bias:0"}));
  const NamedTensor* kernel = find_tensor(content.arrays, "conv/conv/kernel:0");
  ASSERT_NE(kernel, nullptr);
  EXPECT_EQ(kernel->dims, (std::vector<std::int64_t>{3, 3, 3, 6}));
  // The same numbers as where they were stored plainly.
  const Hdf5Content plain = parse_hdf5(sample("plain.h5"), "plain.h5");
  const NamedTensor* same = find_tensor(plain.arrays, "model_weights/conv/plain/conv/kernel");
  if (same == nullptr) same = find_tensor(plain.arrays, "model_weights/conv/conv/kernel");
  ASSERT_NE(same, nullptr);
  EXPECT_TRUE(std::ranges::equal(kernel->value.data(), same->value.data()));
}

TEST(Hdf5, ReadsEveryNumberFormatThatKerasWrites) {
  const Hdf5Content content = parse_hdf5(sample("../hdf5/numbers.h5"), "numbers.h5");
  const std::vector<std::string> names = {"f16", "f32", "f64", "i8",    "u8",  "i16",
                                          "i32", "i64", "u64", "brain", "big", "chunked"};
  for (const std::string& name : names) {
    const NamedTensor* found = find_tensor(content.arrays, name);
    ASSERT_NE(found, nullptr) << name;
    EXPECT_EQ(found->dims, (std::vector<std::int64_t>{2, 3})) << name;
    const std::vector<float> values(found->value.data().begin(), found->value.data().end());
    EXPECT_EQ(values, (std::vector<float>{0, 1, 2, 3, 4, 5})) << name;
  }
  EXPECT_EQ(find_tensor(content.arrays, "scalar")->dims.size(), 0u);
  EXPECT_EQ(find_tensor(content.arrays, "scalar")->value.data()[0], 7.0f);
  EXPECT_EQ(find_tensor(content.arrays, "empty")->dims, (std::vector<std::int64_t>{0, 3}));
  // Hard links: one object, one name.
  EXPECT_EQ(find_tensor(content.arrays, "group/again/f32"), nullptr);
}

TEST(Hdf5, OpensNothingButTheFileItself) {
  for (const char* name : {"external_link.h5", "soft_link.h5", "external_data.h5", "virtual.h5"}) {
    const auto [kind, what] = refusal(sample((std::string("../hdf5/") + name).c_str()));
    EXPECT_EQ(kind, ErrorKind::unsupported) << name << ": " << what;
  }
  EXPECT_EQ(refusal(sample("../hdf5/texts.h5")).first, ErrorKind::unsupported);
}

TEST(Hdf5, WhatIsNoHdf5IsSaidToBeNone) {
  EXPECT_FALSE(looks_like_hdf5({}));
  EXPECT_TRUE(looks_like_hdf5(sample()));
  EXPECT_EQ(refusal({1, 2, 3}).first, ErrorKind::corrupt);
}

TEST(Hdf5, AChildThatGoesWrongIsAnErrorThatNamesTheFile) {
  const std::ptrdiff_t before = open_descriptors();
  const std::vector<std::pair<Hdf5Fault, const char*>> faults = {{Hdf5Fault::crash, "signal 11"},
                                                                 {Hdf5Fault::hang, "said nothing"},
                                                                 {Hdf5Fault::nonsense, "nonsense"},
                                                                 {Hdf5Fault::silent_exit, "stopped"}};
  for (const auto& [fault, words] : faults) {
    const auto [kind, what] = refusal(sample(), fault);
    EXPECT_EQ(kind, ErrorKind::corrupt);
    EXPECT_TRUE(what.starts_with("some.h5: ")) << what;
    EXPECT_NE(what.find(words), std::string::npos) << what;
  }
  EXPECT_FALSE(has_children());
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Hdf5, SeveralThreadsReadAtOnce) {
#ifdef __SANITIZE_ADDRESS__
  // The C library puts the locks of its malloc in order at fork(); the sanitizer's allocator (gcc 12) does
  // not, and a child made while another thread allocates may wait for ever. Its parent's patience ends that.
  GTEST_SKIP() << "AddressSanitizer's allocator does not survive fork() beside other threads";
#endif
  const Bytes bytes = sample();
  const std::size_t arrays = parse_hdf5(bytes, "some.h5").arrays.size();
  std::vector<std::thread> threads;
  std::vector<std::size_t> counts(4, 0);
  for (std::size_t& count : counts)
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) count += parse_hdf5(bytes, "some.h5").arrays.size();
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counts, std::vector<std::size_t>(4, 5 * arrays));
  EXPECT_FALSE(has_children());
}

/// Reads it or throws Error: never anything else.
void expect_no_harm(const Bytes& bytes) {
  try {
    parse_hdf5(bytes, "hostile.h5", Hdf5Fault::none, 10'000);
  } catch (const Error& error) {
    EXPECT_TRUE(std::string_view(error.what()).starts_with("hostile.h5: ")) << error.what();
  }
}

TEST(Hdf5, AFileOnWhichLibhdf5LoopsWithoutEndIsAnError) {
  // Found by the fuzzer with libhdf5 1.10.8; other versions see that it is damaged.
  EXPECT_EQ(refusal(sample("../hdf5/endless.h5")).first, ErrorKind::corrupt);
}

TEST(Hdf5, TruncationIsSeen) {
  const Bytes whole = sample("plain.weights.h5");
  // At each byte takes a minute; these steps meet every part of the file.
  for (std::size_t size = 0; size < whole.size(); size += size < 600 ? 8 : 331)
    EXPECT_EQ(refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}).first,
              ErrorKind::corrupt)
        << size;
}

TEST(Hdf5, FlippedBitsDoNoHarmWithinBoundedMemory) {
  const std::int64_t before = peak_memory_bytes();
  for (const char* name : {"plain_keras2_weights.h5", "plain.weights.h5", "../hdf5/numbers.h5"}) {
    const Bytes whole = sample(name);
    Rng rng(7);
    for (int round = 0; round < 150; ++round) {
      Bytes damaged = whole;
      const std::uint64_t flips = 1 + rng.below(4);
      for (std::uint64_t i = 0; i < flips; ++i)
        damaged[rng.below(damaged.size())] ^= static_cast<std::uint8_t>(1u << rng.below(8));
      expect_no_harm(damaged);
    }
  }
  EXPECT_LT(peak_memory_bytes() - before, std::int64_t{1} << 30);
}

TEST(Hdf5, AbsurdSizesTakeNoMemory) {
  const std::int64_t before = peak_memory_bytes();
  for (const char* name : {"never_written.h5", "huge_chunks.h5"})
    EXPECT_EQ(refusal(sample((std::string("../hdf5/") + name).c_str())).first, ErrorKind::corrupt) << name;
  const auto [kind, what] = refusal(sample("../hdf5/deep.h5"));
  EXPECT_EQ(kind, ErrorKind::corrupt);
  EXPECT_NE(what.find("deep"), std::string::npos) << what;
  EXPECT_LT(peak_memory_bytes() - before, std::int64_t{100} << 20);
}

}  // namespace
}  // namespace enxerto
