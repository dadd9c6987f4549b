#include "enxerto/doctor/taken.h"

#include <gtest/gtest.h>

#include <vector>

namespace enxerto {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// A JPEG file's start with a maker, a model and a time, in either order of bytes.
Bytes exif_for_tests(const std::string& time, bool little) {
  Bytes tiff;
  const auto put = [&](std::uint32_t value, int size) {
    for (int i = 0; i < size; ++i)
      tiff.push_back(static_cast<std::uint8_t>(value >> 8 * (little ? i : size - 1 - i)));
  };
  const auto entry = [&](std::uint32_t tag, std::uint32_t type, std::uint32_t count, std::uint32_t value) {
    put(tag, 2), put(type, 2), put(count, 4), put(value, 4);
  };
  for (const char c : std::string(little ? "II" : "MM")) tiff.push_back(static_cast<std::uint8_t>(c));
  put(42, 2), put(8, 4);
  put(3, 2);
  entry(0x010F, 2, 6, 68);  // maker
  entry(0x0110, 2, 6, 74);  // model
  entry(0x8769, 4, 1, 50);  // where the EXIF directory lies
  put(0, 4);                // at 46: no more directories
  put(1, 2);                // at 50
  entry(0x9003, 2, 20, 80);
  put(0, 4);
  for (const char c : std::string("Maker\0Model\0", 12) + time + std::string(1, '\0'))
    tiff.push_back(static_cast<std::uint8_t>(c));
  Bytes file{0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xE1};
  const std::size_t size = 2 + 6 + tiff.size();
  file.push_back(static_cast<std::uint8_t>(size >> 8));
  file.push_back(static_cast<std::uint8_t>(size));
  for (const char c : std::string("Exif\0\0", 6)) file.push_back(static_cast<std::uint8_t>(c));
  file.insert(file.end(), tiff.begin(), tiff.end());
  return file;
}

TEST(Taken, ReadsTimeAndCameraInBothOrdersOfBytes) {
  for (const bool little : {false, true}) {
    const auto taken = find_taken(exif_for_tests("2019:05:04 10:20:30", little));
    ASSERT_TRUE(taken) << little;
    EXPECT_EQ(taken->camera, "Maker Model");
    EXPECT_EQ(taken->second, 1556965230);
  }
}

TEST(Taken, TimesThatMakeNoSenseAreNone) {
  EXPECT_EQ(parse_exif_time("1970:01:01 00:00:01"), 1);
  for (const char* text : {"", "0000:00:00 00:00:00", "2019:13:04 10:20:30", "2019:05:04 25:20:30",
                           "2019-05-04 10:20:30", "2019:05:04 10:20:3x", "    :  :     :  :  "})
    EXPECT_FALSE(parse_exif_time(text)) << text;
}

TEST(Taken, DamagedBytesNeverDoHarm) {
  const Bytes whole = exif_for_tests("2019:05:04 10:20:30", true);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(find_taken(cut)) << size;
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes damaged = whole;
    damaged[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    find_taken(damaged);
  }
}

}  // namespace
}  // namespace enxerto
