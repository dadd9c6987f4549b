#include "enxerto/image/decode.h"

#include <gtest/gtest.h>
#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <string>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/core/text.h"
#include "enxerto/image/codecs.h"
#include "enxerto/image/encode.h"
#include "enxerto/image/jpeg_for_tests.h"
#include "enxerto/image/resize.h"

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

TEST(Decode, ArithmeticJpegEqualsBaseline) {
  const Image image = ramp(37, 51, 3);
  for (const bool progressive : {false, true}) {
    const Bytes jpeg = encode_jpeg_for_tests(image, {.progressive = progressive, .arithmetic = true});
    EXPECT_EQ(decode_image(jpeg), decode_image(encode_jpeg(image, 90)));
    for (std::size_t size = 0; size < jpeg.size(); ++size)
      EXPECT_THROW(decode_image(std::span(jpeg).first(size)), Error) << size << " of " << jpeg.size();
  }
}

TEST(Decode, OneColourInArithmeticJpegIsNoBomb) {
  // 12 megapixels in few bytes: less than a bit for a block, which Huffman's code cannot do.
  const Image image(3000, 4000, 3);
  const Bytes jpeg = encode_jpeg_for_tests(image, {.arithmetic = true});
  EXPECT_EQ(decode_image(jpeg), image);
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

TEST(Decode, ScalesSixteenBitsAsLibpngDoes) {
  Bytes row;
  for (unsigned value = 0; value < 65536; ++value) {
    row.push_back(static_cast<std::uint8_t>(value >> 8));
    row.push_back(static_cast<std::uint8_t>(value));
  }
  std::vector<Bytes> rows;
  for (std::size_t y = 0; y < 16; ++y)
    rows.emplace_back(row.begin() + static_cast<std::ptrdiff_t>(y * 8192),
                      row.begin() + static_cast<std::ptrdiff_t>(y * 8192 + 8192));
  const Image grey = decode_image(make_png(4096, 16, 16, PNG_COLOR_TYPE_GRAY, rows));
  for (unsigned value = 0; value < 65536; ++value) ASSERT_EQ(grey.pixels[value], eight_bits(value)) << value;
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

/// The JPEG file with this orientation in its EXIF.
Bytes with_orientation(Bytes jpeg, int orientation) {
  const Bytes tiff = exif(orientation);
  Bytes marker{0xFF, 0xE1, 0, static_cast<std::uint8_t>(8 + tiff.size()), 'E', 'x', 'i', 'f', 0, 0};
  marker.insert(marker.end(), tiff.begin(), tiff.end());
  jpeg.insert(jpeg.begin() + 2, marker.begin(), marker.end());
  return jpeg;
}

TEST(Decode, TurnsJpegUprightAsExifSays) {
  const Image image = ramp(24, 40, 3);
  const Image turned = decode_image(with_orientation(encode_jpeg(image, 95), 6));
  EXPECT_EQ(turned.height, 40);
  EXPECT_EQ(turned.width, 24);
  // A quarter to the right: what was below on the left is above on the left.
  EXPECT_NEAR(turned.row(0)[0], image.row(23)[0], 8);
  EXPECT_NEAR(turned.row(39)[0], image.row(23)[39 * 3], 8);
}

/// Waves of many lengths and some noise: what a fault of an edge would show in.
Image busy(int height, int width) {
  Image image(height, width, 3);
  Rng rng(3);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width * 3; ++x)
      image.row(y)[x] = static_cast<std::uint8_t>(
          127 + 80 * std::sin(0.02 * x * (1 + y % 7)) * std::cos(0.05 * y) + static_cast<int>(rng.below(40)));
  return image;
}

/// Files of every kind that has a way of its own through libjpeg, and a PNG.
std::vector<Bytes> files_of_all_kinds(const Image& image) {
  std::vector<Bytes> files{encode_png(image)};
  for (const JpegKind& kind : {JpegKind{}, JpegKind{.across = 1, .down = 1}, JpegKind{.across = 2, .down = 1},
                               JpegKind{.across = 1, .down = 2}, JpegKind{.across = 4, .down = 1},
                               JpegKind{.progressive = true}, JpegKind{.cmyk = true}, JpegKind{.grey = true}})
    files.push_back(encode_jpeg_for_tests(image, kind));
  return files;
}

Image decode_part(const Bytes& bytes, const Area& part) {
  DecodeOptions options;
  options.part = part;
  return decode_image(bytes, options);
}

TEST(Decode, APartHasTheBitsThatItHasInTheWhole) {
  Rng rng(17);
  for (const auto& [height, width] : {std::pair{193, 230}, std::pair{64, 321}, std::pair{300, 17}}) {
    int number = 0;
    for (const Bytes& upright : files_of_all_kinds(busy(height, width))) {
      for (int trial = 0; trial < 12; ++trial) {
        const bool turned = upright[0] == 0xFF && trial % 3 == 2;
        const Bytes bytes = turned ? with_orientation(upright, 1 + (trial / 3 + number) % 8) : upright;
        const Image whole = decode_image(bytes);
        const auto place = [&](int sides) {
          const int first = static_cast<int>(rng.below(static_cast<std::uint64_t>(sides)));
          return std::pair{first, 1 + static_cast<int>(rng.below(static_cast<std::uint64_t>(sides - first)))};
        };
        const auto [left, columns] = place(whole.width);
        const auto [top, rows] = place(whole.height);
        const Area part{left, top, columns, rows};
        ASSERT_EQ(decode_part(bytes, part), crop(whole, part))
            << "file " << number << ", trial " << trial << ": " << left << " " << top << " " << columns << " "
            << rows;
      }
      ++number;
    }
  }
}

TEST(Decode, ChoosesByTheSidesOfTheUprightPicture) {
  for (const Bytes& bytes :
       {with_orientation(encode_jpeg(ramp(24, 40, 3)), 6), encode_png(ramp(40, 24, 3))}) {
    int calls = 0;
    DecodeOptions options;
    options.choose = [&](int width, int height, DecodeOptions& chosen) {
      ++calls;
      EXPECT_EQ(width, 24);
      EXPECT_EQ(height, 40);
      chosen.part = {1, 30, 20, 10};
      chosen.channels = 1;  // comes too late, and changes nothing
    };
    const Image part = decode_image(bytes, options);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(part, crop(decode_image(bytes), {1, 30, 20, 10}));
  }
}

TEST(Decode, ComesReducedWithTheLeastSidesKept) {
  Image image(200, 328, 3);  // smooth: what a reduction keeps
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width * 3; ++x)
      image.row(y)[x] = static_cast<std::uint8_t>(127 + 100 * std::sin(0.01 * x) * std::cos(0.03 * y));
  for (const Bytes& upright : files_of_all_kinds(image))
    for (const int orientation : {1, 6}) {
      const bool is_jpeg = upright[0] == 0xFF;
      if (!is_jpeg && orientation != 1) continue;
      const Bytes bytes = is_jpeg ? with_orientation(upright, orientation) : upright;
      const Image whole = decode_image(bytes);
      for (const int eighths : {1, 2, 4, 8}) {
        const auto part = [&](int sides) { return (sides * eighths + 7) / 8; };
        DecodeOptions options;
        options.least_width = part(whole.width);
        options.least_height = part(whole.height) - (eighths == 2 ? 5 : 0);
        const Image reduced = decode_image(bytes, options);
        EXPECT_EQ(reduced.width, is_jpeg ? part(whole.width) : whole.width);
        EXPECT_EQ(reduced.height, is_jpeg ? part(whole.height) : whole.height);
        // Much the same as a reduction in the plane.
        const Image plane = resize(whole, reduced.width, reduced.height);
        double difference = 0;
        for (std::size_t i = 0; i < plane.pixels.size(); ++i)
          difference += std::abs(plane.pixels[i] - reduced.pixels[i]);
        EXPECT_LT(difference / static_cast<double>(plane.pixels.size()), 3) << eighths;
      }
    }
}

TEST(Decode, AReductionRoundsUp) {
  DecodeOptions options;
  options.least_width = options.least_height = 25;
  const Image reduced = decode_image(encode_jpeg(busy(201, 330)), options);
  EXPECT_EQ(reduced.width, 42);
  EXPECT_EQ(reduced.height, 26);
  options.least_height = 27;
  EXPECT_EQ(decode_image(encode_jpeg(busy(201, 330)), options).height, 51);
}

TEST(Decode, DamageBesideThePartIsFoundToo) {
  for (const JpegKind& kind : {JpegKind{}, JpegKind{.progressive = true}}) {
    const Bytes whole = encode_jpeg_for_tests(busy(193, 230), kind);
    for (std::size_t size = 700; size < whole.size(); size += 97) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THROW(decode_part(cut, {3, 3, 20, 10}), Error) << size;
    }
  }
}

TEST(Decode, RandomDamageOfAPartGivesAPictureOrAnError) {
  Rng rng(6);
  for (const Bytes& whole : files_of_all_kinds(busy(100, 120)))
    for (int trial = 0; trial < 60; ++trial) {
      Bytes damaged = whole;
      for (int i = 0; i < 6; ++i) damaged[rng.below(damaged.size())] = static_cast<std::uint8_t>(rng.bits());
      DecodeOptions options;
      options.choose = [&](int width, int height, DecodeOptions& chosen) {
        if (trial % 2)
          chosen.part = {width / 3, height / 3, (width + 2) / 3, (height + 2) / 3};
        else
          chosen.least_width = chosen.least_height = 20;
      };
      try {
        decode_image(damaged, options);
      } catch (const Error&) {
      }
    }
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

TEST(Decode, PartsOfRealPhotographsHaveTheBitsOfTheWhole) {
  const std::filesystem::path folder = "../shared/data/photos/imagenet_check";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "SKIPPED: " << folder << " is missing";
  int number = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const Image whole = load_image(entry.path());
    for (int trial = 0; trial < 2; ++trial, ++number) {
      const int left = (number * 37) % (whole.width / 2), top = (number * 53) % (whole.height / 2);
      DecodeOptions options;
      options.part = {left, top, whole.width / 2, whole.height / 2};
      ASSERT_EQ(load_image(entry.path(), options), crop(whole, options.part)) << entry.path();
    }
  }
}

}  // namespace
}  // namespace enxerto
