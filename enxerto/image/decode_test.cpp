#include "enxerto/image/decode.h"

#include <gtest/gtest.h>
#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/core/text.h"
#include "enxerto/image/encode.h"
#include "enxerto/image/jpeg_for_tests.h"

namespace enxerto {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// Smooth, so that JPEG keeps it nearly; no two corners are alike.
Image ramp(int height, int width, int channels) {
  Image image(height, width, channels);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < channels; ++c)
        image.row(y)[x * channels + c] =
            static_cast<std::uint8_t>(20 + 150 * x / width + 60 * y / height + 10 * c);
  return image;
}

int largest_difference(const Image& a, const Image& b) {
  EXPECT_EQ(a.height, b.height);
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.channels, b.channels);
  if (a.pixels.size() != b.pixels.size()) return 256;
  int largest = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    largest = std::max(largest, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  return largest;
}

void append_number(Bytes& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(value >> shift));
}

void append_chunk(Bytes& png, const std::string& type, const Bytes& data) {
  append_number(png, static_cast<std::uint32_t>(data.size()));
  Bytes body(type.begin(), type.end());
  body.insert(body.end(), data.begin(), data.end());
  png.insert(png.end(), body.begin(), body.end());
  append_number(png, static_cast<std::uint32_t>(crc32(0, body.data(), static_cast<uInt>(body.size()))));
}

/// A PNG written by hand: `rows` are the bytes of its rows, `extra` adds chunks before the data.
Bytes make_png(std::uint32_t width, std::uint32_t height, int depth, int colour_type,
               const std::vector<Bytes>& rows, const std::function<void(Bytes&)>& extra = {}) {
  Bytes png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'}, header;
  append_number(header, width);
  append_number(header, height);
  for (const int byte : {depth, colour_type, 0, 0, 0}) header.push_back(static_cast<std::uint8_t>(byte));
  append_chunk(png, "IHDR", header);
  if (extra) extra(png);
  Bytes raw;
  for (const Bytes& row : rows) {
    raw.push_back(0);  // no filter
    raw.insert(raw.end(), row.begin(), row.end());
  }
  uLongf size = compressBound(static_cast<uLong>(raw.size()));
  Bytes packed(size);
  compress(packed.data(), &size, raw.data(), static_cast<uLong>(raw.size()));
  packed.resize(size);
  append_chunk(png, "IDAT", packed);
  append_chunk(png, "IEND", {});
  return png;
}

ErrorKind kind_of(const Bytes& bytes) {
  try {
    decode_image(bytes);
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "was decoded";
  return ErrorKind::io;
}

std::string text_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(Decode, PngGivesBackWhatWasEncoded) {
  for (const int channels : {1, 3}) {
    const Image image = ramp(13, 29, channels);
    EXPECT_EQ(decode_image(encode_png(image)), image);
  }
}

TEST(Decode, JpegGivesBackNearlyWhatWasEncoded) {
  for (const int channels : {1, 3}) {
    const Image image = ramp(37, 51, channels);
    EXPECT_LE(largest_difference(decode_image(encode_jpeg(image, 95)), image), 8);
  }
}

TEST(Decode, ProgressiveJpegEqualsBaseline) {
  const Image image = ramp(37, 51, 3);
  EXPECT_EQ(decode_image(encode_jpeg_for_tests(image, {.progressive = true})),
            decode_image(encode_jpeg(image, 90)));
}

TEST(Decode, ReadsCmykJpegAsRgb) {
  // Adobe's way: ink is stored inverted, so that 255 is none.
  Image white(16, 16, 3), out;
  std::fill(white.pixels.begin(), white.pixels.end(), std::uint8_t{255});
  out = decode_image(encode_jpeg_for_tests(white, {.cmyk = true}));
  EXPECT_LE(largest_difference(out, white), 2);
}

TEST(Decode, ConvertsBetweenGreyAndColour) {
  Image red(1, 2, 3);
  red.pixels = {255, 0, 0, 255, 255, 255};
  EXPECT_EQ(decode_image(encode_png(red), 1).pixels, (Bytes{76, 255}));
  Image grey(1, 2, 1);
  grey.pixels = {7, 200};
  EXPECT_EQ(decode_image(encode_png(grey), 3).pixels, (Bytes{7, 7, 7, 200, 200, 200}));
  EXPECT_EQ(decode_image(encode_png(grey)).channels, 1);
}

TEST(Decode, ReadsPalettesAndSmallDepths) {
  const auto palette = [](Bytes& png) { append_chunk(png, "PLTE", {10, 20, 30, 200, 100, 0}); };
  const Image colours = decode_image(make_png(4, 1, 1, PNG_COLOR_TYPE_PALETTE, {{0b01100000}}, palette));
  EXPECT_EQ(colours.pixels, (Bytes{10, 20, 30, 200, 100, 0, 200, 100, 0, 10, 20, 30}));
  const Image grey = decode_image(make_png(4, 1, 2, PNG_COLOR_TYPE_GRAY, {{0b00011011}}));
  EXPECT_EQ(grey.channels, 1);
  EXPECT_EQ(grey.pixels, (Bytes{0, 85, 170, 255}));
}

TEST(Decode, ScalesSixteenBitsToEight) {
  // 0x8000 / 257 is 127.5 and a little.
  const Image grey = decode_image(make_png(3, 1, 16, PNG_COLOR_TYPE_GRAY, {{0, 0, 0xFF, 0xFF, 0x80, 0x00}}));
  EXPECT_EQ(grey.pixels, (Bytes{0, 255, 128}));
}

TEST(Decode, LaysTransparencyOverWhite) {
  const Image colour = decode_image(
      make_png(3, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, {{9, 8, 7, 255, 9, 8, 7, 0, 100, 0, 200, 51}}));
  EXPECT_EQ(colour.pixels, (Bytes{9, 8, 7, 255, 255, 255, 224, 204, 244}));
  const Image grey = decode_image(make_png(2, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, {{40, 255, 40, 0}}));
  EXPECT_EQ(grey.pixels, (Bytes{40, 255}));
}

/// TIFF with one entry, the orientation.
Bytes exif(int orientation) {
  return {'M',  'M',  0, 42, 0, 0, 0, 8, 0, 1,
          0x01, 0x12, 0, 3,  0, 0, 0, 1, 0, static_cast<std::uint8_t>(orientation),
          0,    0,    0, 0,  0, 0};
}

TEST(Decode, TurnsUprightAsExifSays) {
  // The picture      1 2 3     as each orientation shows it.
  //                  4 5 6
  const Bytes shown[] = {{1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1}, {4, 5, 6, 1, 2, 3},
                         {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3}, {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto add = [&](Bytes& png) { append_chunk(png, "eXIf", exif(orientation)); };
    const Image image = decode_image(make_png(3, 2, 8, PNG_COLOR_TYPE_GRAY, {{1, 2, 3}, {4, 5, 6}}, add));
    EXPECT_EQ(image.height, orientation < 5 ? 2 : 3) << orientation;
    EXPECT_EQ(image.width, orientation < 5 ? 3 : 2) << orientation;
    EXPECT_EQ(image.pixels, shown[orientation - 1]) << orientation;
  }
}

TEST(Decode, TurnsJpegUprightAsExifSays) {
  const Image image = ramp(24, 40, 3);
  Bytes jpeg = encode_jpeg(image, 95);
  const Bytes tiff = exif(6);
  Bytes marker{0xFF, 0xE1, 0, static_cast<std::uint8_t>(8 + tiff.size()), 'E', 'x', 'i', 'f', 0, 0};
  marker.insert(marker.end(), tiff.begin(), tiff.end());
  jpeg.insert(jpeg.begin() + 2, marker.begin(), marker.end());
  const Image turned = decode_image(jpeg);
  EXPECT_EQ(turned.height, 40);
  EXPECT_EQ(turned.width, 24);
  // A quarter to the right: what was below on the left is above on the left.
  EXPECT_NEAR(turned.row(0)[0], image.row(23)[0], 8);
  EXPECT_NEAR(turned.row(39)[0], image.row(23)[39 * 3], 8);
}

TEST(Decode, SaysWhatAFileIsInstead) {
  const auto said = [](const std::string& content) {
    return text_of([&] {
      decode_image({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()});
    });
  };
  EXPECT_EQ(said(""), "is empty, a picture was expected");
  EXPECT_EQ(said("dear diary,\n"), "is text, not a picture");
  EXPECT_EQ(said("PK\3\4...."), "is a zip archive, not a picture");
  EXPECT_EQ(said("8BPS...."), "is a Photoshop picture, which is not read; convert it to PNG or JPEG");
  EXPECT_EQ(said(std::string("\x01\x02\x00\x03", 4)), "is no picture of a kind that we know");
}

TEST(Decode, RefusesAbsurdSizesBeforeTakingMemory) {
  const auto png_of = [](std::uint32_t width, std::uint32_t height) {
    return make_png(width, height, 8, PNG_COLOR_TYPE_RGB, {{1, 2, 3}});
  };
  EXPECT_EQ(kind_of(png_of(100000, 100000)), ErrorKind::unsupported);
  EXPECT_EQ(kind_of(png_of(0x7FFFFFFF, 0x7FFFFFFF)), ErrorKind::unsupported);
  EXPECT_EQ(kind_of(png_of(16000, 16000)), ErrorKind::corrupt);
  EXPECT_EQ(
      text_of([&] { decode_image(png_of(16000, 16000)); }),
      "is damaged or cut short: it says that it has 16000 x 16000 pixels, more than so few bytes can hold");
  Bytes jpeg = encode_jpeg(ramp(16, 16, 3));
  const Bytes frame{0xFF, 0xC0};
  const auto at = std::search(jpeg.begin(), jpeg.end(), frame.begin(), frame.end());
  std::fill_n(at + 5, 4, std::uint8_t{0xFF});
  EXPECT_EQ(kind_of(jpeg), ErrorKind::unsupported);
  std::fill_n(at + 5, 4, std::uint8_t{0x3F});
  EXPECT_EQ(kind_of(jpeg), ErrorKind::corrupt);
}

TEST(Decode, TruncationAtEachByteIsAnError) {
  const Image image = ramp(19, 23, 3);
  for (const Bytes& whole :
       {encode_png(image), encode_jpeg(image), encode_jpeg_for_tests(image, {.progressive = true})})
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_THROW(decode_image(std::span(whole).first(size)), Error) << size << " of " << whole.size();
}

TEST(Decode, FlippedBitsGiveAPictureOrAnError) {
  const Image image = ramp(19, 23, 3);
  for (const Bytes& whole :
       {encode_png(image), encode_jpeg(image), encode_jpeg_for_tests(image, {.progressive = true})}) {
    std::int64_t errors = 0;
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      Bytes damaged = whole;
      damaged[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
      try {
        const Image out = decode_image(damaged);
        EXPECT_EQ(out.pixels.size(), out.row_bytes() * static_cast<std::size_t>(out.height));
      } catch (const Error&) {
        ++errors;
      }
    }
    EXPECT_GT(errors, 0);
  }
}

TEST(Decode, RandomDamageGivesAPictureOrAnError) {
  const Bytes whole = encode_jpeg(ramp(40, 40, 3));
  Rng rng(5);
  for (int trial = 0; trial < 2000; ++trial) {
    Bytes damaged = whole;
    for (int i = 0; i < 8; ++i) damaged[rng.below(damaged.size())] = static_cast<std::uint8_t>(rng.bits());
    try {
      decode_image(damaged);
    } catch (const Error&) {
    }
  }
}

TEST(Decode, AnErrorOfAFileNamesIt) {
  const auto path = std::filesystem::temp_directory_path() / "enxerto_decode_test.jpg";
  write_file(path, "this is text");
  EXPECT_EQ(text_of([&] { load_image(path); }), path.string() + ": is text, not a picture");
  std::filesystem::remove(path);
  EXPECT_EQ(text_of([&] { load_image(path); }).rfind(path.string() + ": cannot be opened", 0), 0u);
}

TEST(Decode, ReadsRealPhotographs) {
  const std::filesystem::path folder = "../shared/data/photos/imagenet_check";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "SKIPPED: " << folder << " is missing";
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const Image image = load_image(entry.path(), 3);
    EXPECT_GT(image.height, 50) << entry.path();
    EXPECT_GT(image.width, 50) << entry.path();
    ++count;
  }
  EXPECT_EQ(count, 50);
}

}  // namespace
}  // namespace enxerto
