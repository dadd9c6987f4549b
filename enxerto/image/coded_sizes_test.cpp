#include "enxerto/image/coded_sizes.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/random.h"

namespace enxerto {
namespace {

const std::filesystem::path folder = "tests/files/gallery";
using Sides = std::vector<std::pair<std::int64_t, std::int64_t>>;

Sides sizes_in(std::span<const std::uint8_t> file) {
  Sides all;
  check_coded_sizes(file, [&](std::int64_t width, std::int64_t height) { all.emplace_back(width, height); });
  return all;
}

TEST(CodedSizes, AreThoseOfTheSequenceHeaders) {
  // HEVC has whole blocks; the alpha plane is a picture of its own.
  EXPECT_EQ(sizes_in(read_file(folder / "heif_444.heic")), (Sides{{64, 64}}));
  EXPECT_EQ(sizes_in(read_file(folder / "heif_alpha.heic")), (Sides{{64, 64}, {64, 64}}));
  // AV1 says it twice: in a box, and before the data.
  for (const auto& sides : sizes_in(read_file(folder / "avif_444.avif")))
    EXPECT_EQ(sides, (std::pair<std::int64_t, std::int64_t>{44, 29}));
  EXPECT_FALSE(sizes_in(read_file(folder / "avif_444.avif")).empty());
}

TEST(CodedSizes, AreFoundInBoxesAndInData) {
  EXPECT_EQ(sizes_in(read_file(folder / "found_corrupt_hevc_size.heic")), (Sides{{8192, 8192}}));
  EXPECT_EQ(sizes_in(read_file(folder / "found_corrupt_hevc_size_in_data.heic")),
            (Sides{{64, 64}, {16384, 16384}}));
  EXPECT_EQ(sizes_in(read_file(folder / "found_corrupt_av1_size.avif")).back(),
            (std::pair<std::int64_t, std::int64_t>{16384, 16384}));
}

TEST(CodedSizes, AnyBytesAreTakenWithoutACrash) {
  Rng rng(7);
  for (const char* name : {"heif_alpha.heic", "avif_alpha.avif"}) {
    const auto whole = read_file(folder / name);
    for (std::size_t size = 0; size < whole.size(); ++size) sizes_in(std::span(whole).first(size));
    for (int trial = 0; trial < 2000; ++trial) {
      auto damaged = whole;
      for (int i = 0; i < 4; ++i) damaged[rng.below(600)] = static_cast<std::uint8_t>(rng.bits());
      try {
        sizes_in(damaged);
      } catch (const Error&) {
      }
    }
  }
}

}  // namespace
}  // namespace enxerto
