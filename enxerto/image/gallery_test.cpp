// The files of tests/files/gallery, which tools/make_gallery.py makes: each gives the pixels or the error
// that its list says, and cut short it gives an error.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <set>
#include <sstream>
#include <string>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/image/decode.h"
#include "enxerto/image/format.h"

namespace enxerto {
namespace {

const std::filesystem::path folder = "tests/files/gallery";

struct Exhibit {
  std::string file, outcome;  ///< pixels, corrupt or unsupported
  std::string expected;       ///< the picture with the pixels
  int largest = 0;            ///< difference of a value
};

std::vector<Exhibit> exhibits() {
  std::vector<Exhibit> all;
  for (const std::string& line : split(read_text_file(folder / "list.txt"), '\n')) {
    std::istringstream words(line);
    Exhibit one;
    if (!(words >> one.file >> one.outcome)) continue;
    if (one.outcome == "pixels") words >> one.expected >> one.largest;
    all.push_back(one);
  }
  return all;
}

/// Whether the file's format is one that this build has no library for.
bool is_left_out(const Exhibit& exhibit) {
  const auto format = picture_format(read_file(folder / exhibit.file));
  return format && !can_read(*format);
}

std::string_view name_of(ErrorKind kind) {
  return kind == ErrorKind::corrupt ? "corrupt" : kind == ErrorKind::unsupported ? "unsupported" : "another";
}

void check_pixels_of(const Exhibit& exhibit) {
  const Image found = load_image(folder / exhibit.file), expected = load_image(folder / exhibit.expected);
  ASSERT_EQ(found.width, expected.width);
  ASSERT_EQ(found.height, expected.height);
  ASSERT_EQ(found.channels, expected.channels);
  int largest = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < found.pixels.size(); ++i) {
    const int difference = std::abs(int{found.pixels[i]} - int{expected.pixels[i]});
    if (difference > largest) where = i;
    largest = std::max(largest, difference);
  }
  EXPECT_LE(largest, exhibit.largest) << "at value " << where << ": wanted " << int{expected.pixels[where]}
                                      << ", got " << int{found.pixels[where]};
}

TEST(Gallery, EachFileGivesThePixelsOrTheErrorOfItsList) {
  int left_out = 0;
  for (const Exhibit& exhibit : exhibits()) {
    SCOPED_TRACE(exhibit.file);
    const bool is_out = is_left_out(exhibit);
    left_out += is_out;
    try {
      if (exhibit.outcome == "pixels" && !is_out) {
        check_pixels_of(exhibit);
      } else {
        load_image(folder / exhibit.file);
        ADD_FAILURE() << "was decoded";
      }
    } catch (const Error& error) {
      EXPECT_EQ(name_of(error.kind()), is_out ? "unsupported" : exhibit.outcome) << error.what();
      EXPECT_EQ(std::string(error.what()).rfind((folder / exhibit.file).string() + ": ", 0), 0u);
    }
  }
  if (left_out > 0) std::cout << "SKIPPED: the pixels of " << left_out << " files, for lack of libheif\n";
}

TEST(Gallery, HasEveryFormatAndEachOfItsFilesInTheList) {
  std::set<std::string> listed{"list.txt"};
  std::set<PictureFormat> formats;
  for (const Exhibit& exhibit : exhibits()) {
    listed.insert(exhibit.file);
    listed.insert(exhibit.expected);
    const auto format = picture_format(read_file(folder / exhibit.file));
    if (format && exhibit.outcome == "pixels") formats.insert(*format);
  }
  EXPECT_EQ(formats.size(), picture_formats.size());
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    EXPECT_TRUE(listed.contains(entry.path().filename().string())) << entry.path();
}

TEST(Gallery, AFileCutShortIsAnErrorAndNeverHalfAPicture) {
  constexpr std::size_t places = 20;
  for (const Exhibit& exhibit : exhibits()) {
    if (exhibit.outcome != "pixels" || is_left_out(exhibit)) continue;
    const auto whole = read_file(folder / exhibit.file);
    const Image picture = decode_image(whole);
    for (std::size_t place = 0; place < places; ++place) {
      // The first is the empty file, the last lacks one byte.
      const std::size_t size = place + 1 == places ? whole.size() - 1 : whole.size() * place / (places - 1);
      try {
        // What is cut off may be of no account: bytes that fill up, the place of a next page, later pages.
        EXPECT_EQ(decode_image(std::span(whole).first(size)), picture)
            << exhibit.file << ", " << size << " bytes of " << whole.size();
      } catch (const Error&) {
      }
    }
  }
}

/// The largest resident size so far, in bytes.
std::int64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

TEST(Gallery, AHeaderThatPromisesMillionsOfPixelsTakesNoMemoryForThem) {
  int count = 0;
  const std::int64_t before = peak_bytes();
  for (const Exhibit& exhibit : exhibits()) {
    if (exhibit.file.find("200_megapixels") == std::string::npos &&
        exhibit.file.find("_size") == std::string::npos)
      continue;
    EXPECT_THROW(load_image(folder / exhibit.file), Error) << exhibit.file;
    ++count;
  }
  EXPECT_GE(count, 10);
  EXPECT_LT(peak_bytes() - before, std::int64_t{16} << 20);
}

}  // namespace
}  // namespace enxerto
