#include "enxerto/image/format.h"

#include <gtest/gtest.h>

#include <string>

namespace enxerto {
namespace {

std::optional<PictureFormat> format_of(const std::string& start) {
  return picture_format({reinterpret_cast<const std::uint8_t*>(start.data()), start.size()});
}

TEST(Format, IsToldByTheFirstBytes) {
  using namespace std::string_literals;
  using enum PictureFormat;
  EXPECT_EQ(format_of("\xFF\xD8\xFF\xE0"), jpeg);
  EXPECT_EQ(format_of("\x89PNG\r\n\x1A\n"), png);
  EXPECT_EQ(format_of("RIFF\x10\0\0\0WEBPVP8 "s), webp);
  EXPECT_EQ(format_of("GIF87a"), gif);
  EXPECT_EQ(format_of("GIF89a"), gif);
  EXPECT_EQ(format_of("II*\0\x08\0\0\0"s), tiff);
  EXPECT_EQ(format_of("MM\0*"s), tiff);
  EXPECT_EQ(format_of("MM\0+\0\x08\0\0"s), tiff);
  EXPECT_EQ(format_of("BM" + std::string(12, 'x') + "\x28\0\0\0"s), bmp);
  EXPECT_EQ(format_of("\0\0\0\x1C"s + "ftypheic\0\0\0\0mif1heic"s), heif);
  EXPECT_EQ(format_of("\0\0\0\x1C"s + "ftypavif\0\0\0\0mif1avif"s), avif);
}

TEST(Format, OfAnIsoFileIsToldByAllItsBrands) {
  using namespace std::string_literals;
  EXPECT_EQ(format_of("\0\0\0\x1C"s + "ftypmif1\0\0\0\0mif1avif"s), PictureFormat::avif);
  EXPECT_EQ(format_of("\0\0\0\x1C"s + "ftypmif1\0\0\0\0mif1heic"s), PictureFormat::heif);
  // The box ends before the bytes that look like a brand.
  EXPECT_EQ(format_of("\0\0\0\x14"s + "ftypmif1\0\0\0\0mif1avif"s), PictureFormat::heif);
  EXPECT_EQ(format_of("\0\0\0\x18"s + "ftypmp42\0\0\0\0isommp42"s), std::nullopt);
}

TEST(Format, OfOtherBytesIsNone) {
  for (const char* start : {"", "B", "BM", "BMW is a maker of cars, not of pictures", "RIFF....WAVE", "GIF",
                            "text", "PK\x03\x04", "%PDF-1.7"})
    EXPECT_EQ(format_of(start), std::nullopt) << start;
}

TEST(Format, OfAnEndingIsKnownInAnyCase) {
  EXPECT_EQ(format_of_ending(".JPG"), PictureFormat::jpeg);
  EXPECT_EQ(format_of_ending("jpeg"), PictureFormat::jpeg);
  EXPECT_EQ(format_of_ending(".Tif"), PictureFormat::tiff);
  EXPECT_EQ(format_of_ending(".heic"), PictureFormat::heif);
  EXPECT_EQ(format_of_ending(".avif"), PictureFormat::avif);
  EXPECT_EQ(format_of_ending(""), std::nullopt);
  EXPECT_EQ(format_of_ending("."), std::nullopt);
  EXPECT_EQ(format_of_ending(".txt"), std::nullopt);
}

TEST(Format, EachHasANameThatIsItsEndingToo) {
  for (const PictureFormat format : picture_formats)
    EXPECT_EQ(format_of_ending(format_name(format)), format) << format_name(format);
}

TEST(Format, WhatEveryBuildHasCanBeRead) {
  EXPECT_TRUE(can_read(PictureFormat::jpeg));
  EXPECT_TRUE(can_read(PictureFormat::png));
}

}  // namespace
}  // namespace enxerto
