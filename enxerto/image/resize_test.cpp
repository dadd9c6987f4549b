#include "enxerto/image/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/core/system.h"
#include "enxerto/image/pixel_loops.h"

namespace enxerto {
namespace {

Image noise(int height, int width, int channels, std::uint64_t seed) {
  Image image(height, width, channels);
  Rng rng(seed);
  for (auto& pixel : image.pixels) pixel = static_cast<std::uint8_t>(rng.bits());
  return image;
}

constexpr std::array filters{Filter::bilinear, Filter::bicubic, Filter::lanczos};

double kernel(Filter filter, double x) {
  x = std::abs(x);
  const auto sinc = [](double t) { return t == 0 ? 1 : std::sin(M_PI * t) / (M_PI * t); };
  if (filter == Filter::bilinear) return std::max(0.0, 1 - x);
  if (filter == Filter::lanczos) return x < 3 ? sinc(x) * sinc(x / 3) : 0;
  if (x < 1) return 1.5 * x * x * x - 2.5 * x * x + 1;
  return x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0;
}

/// The slow, obvious twin: for each output pixel the kernel over the whole line, in double. Rounds to 8 bits
/// between the passes as the fast one does.
std::vector<double> resize_line(const std::vector<double>& line, double from, double to, int out_size,
                                Filter filter) {
  const double scale = (to - from) / out_size, reach = std::max(scale, 1.0);
  std::vector<double> out;
  for (int i = 0; i < out_size; ++i) {
    const double centre = from + (i + 0.5) * scale;
    double sum = 0, weights = 0;
    for (std::size_t k = 0; k < line.size(); ++k) {
      const double weight = kernel(filter, (static_cast<double>(k) + 0.5 - centre) / reach);
      sum += weight * line[k];
      weights += weight;
    }
    out.push_back(std::clamp(std::floor(sum / weights + 0.5), 0.0, 255.0));
  }
  return out;
}

Image transposed(const Image& image) {
  Image out(image.width, image.height, image.channels);
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x)
      std::copy_n(image.row(x) + y * image.channels, image.channels, out.row(y) + x * image.channels);
  return out;
}

Image slow_rows(const Image& image, double from, double to, int width, Filter filter) {
  Image out(image.height, width, image.channels);
  for (int c = 0; c < image.channels; ++c)
    for (int y = 0; y < image.height; ++y) {
      std::vector<double> line;
      for (int x = 0; x < image.width; ++x) line.push_back(image.row(y)[x * image.channels + c]);
      const auto made = resize_line(line, from, to, width, filter);
      for (int x = 0; x < width; ++x)
        out.row(y)[x * image.channels + c] = static_cast<std::uint8_t>(made[static_cast<std::size_t>(x)]);
    }
  return out;
}

Image slow_resize(const Image& image, const Box& part, int width, int height, Filter filter) {
  const auto columns = [&](const Image& from) {
    return transposed(slow_rows(transposed(from), part.top, part.bottom, height, filter));
  };
  const bool columns_first = height < image.height && image.height - height > 2 * (image.width - width);
  if (columns_first) return slow_rows(columns(image), part.left, part.right, width, filter);
  return columns(slow_rows(image, part.left, part.right, width, filter));
}

TEST(Resize, AgreesWithTheSlowTwin) {
  Rng rng(11);
  for (int trial = 0; trial < 120; ++trial) {
    const auto side = [&] { return 1 + static_cast<int>(rng.below(40)); };
    const Image image = noise(side(), side(), trial % 2 ? 1 : 3, rng.bits());
    const int width = side(), height = side();
    Box part{0, 0, static_cast<double>(image.width), static_cast<double>(image.height)};
    if (trial % 3 == 0) {
      part.left = static_cast<double>(rng.below(static_cast<std::uint64_t>(image.width)));
      part.top = 0.25f * rng.uniform();
    }
    const Filter filter = filters[static_cast<std::size_t>(trial) % 3];
    const Image fast = resize(image, part, width, height, filter);
    const Image slow = slow_resize(image, part, width, height, filter);
    ASSERT_EQ(fast.pixels.size(), slow.pixels.size());
    // Halves may round to either side, and a step of the first pass be seen in the second.
    for (std::size_t i = 0; i < fast.pixels.size(); ++i)
      ASSERT_NEAR(fast.pixels[i], slow.pixels[i], 1) << "trial " << trial << ", byte " << i;
  }
}

Image pattern(const std::string& name, int width, int height, int channels) {
  Image image(height, width, channels);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int k = 0; k < channels; ++k)
        image.row(y)[x * channels + k] =
            name == "stripes"
                ? ((x / 3 + y / 2 + k) % 2 ? 255 : 0)
                : static_cast<std::uint8_t>(x * x * 3 + y * y * 5 + x * y * 7 + k * 97 + (x * 31 ^ y * 17));
  return image;
}

/// Pillow's own output, made by tools/make_resize_cases.py.
TEST(Resize, EqualsPillowBitForBit) {
  const auto json = nlohmann::json::parse(read_text_file("tests/files/resize/cases.json"));
  const auto expected = read_file("tests/files/resize/expected.bin");
  std::size_t at = 0;
  for (const auto& each : json.at("cases")) {
    const Image image = pattern(each.at("pattern"), each.at("width"), each.at("height"), each.at("channels"));
    const auto& part = each.at("part");
    const std::string filter = each.at("filter");
    const Image out =
        resize(image, {part[0], part[1], part[2], part[3]}, each.at("out")[0], each.at("out")[1],
               filter == "bilinear"  ? Filter::bilinear
               : filter == "bicubic" ? Filter::bicubic
                                     : Filter::lanczos);
    ASSERT_LE(at + out.pixels.size(), expected.size());
    EXPECT_TRUE(
        std::equal(out.pixels.begin(), out.pixels.end(), expected.begin() + static_cast<std::ptrdiff_t>(at)))
        << each.dump();
    at += out.pixels.size();
  }
  EXPECT_EQ(at, expected.size());
}

/// What the loops of `loops` make of both passes.
Image run(const PixelLoops& loops, const Image& image, int width, int height, Filter filter) {
  const auto view = [](const Taps& taps) {
    return TapsView{taps.runs.data(), taps.weights.data(), taps.stride, static_cast<int>(taps.runs.size())};
  };
  const auto rows = [](const Image& from) {
    return Rows{from.pixels.data(), from.row_bytes(), from.pixels.data() + from.pixels.size()};
  };
  const Taps across = make_taps({image.width, 0, image.width * 1.0, width, 0, width}, filter, 0);
  const Taps down = make_taps({image.height, 0, image.height * 1.0, height, 0, height}, filter, 0);
  Image wide(image.height, width, image.channels), out(height, width, image.channels);
  loops.across(rows(image), image.height, image.channels, view(across), wide.pixels.data());
  loops.down(rows(wide), wide.row_bytes(), view(down), out.pixels.data());
  return out;
}

/// Those that this chip can run, without the slow twin.
std::vector<const PixelLoops*> fast_loops() {
  std::vector<const PixelLoops*> found;
  if (chip_isa() != Isa::generic) found.push_back(pixel_loops_avx2());
  if (chip_isa() == Isa::avx512) found.push_back(pixel_loops_avx512());
  return found;
}

TEST(PixelLoops, ResizeAsTheSlowTwinDoes) {
  Rng rng(5);
  for (int trial = 0; trial < 150; ++trial) {
    const auto side = [&](std::uint64_t most) { return 1 + static_cast<int>(rng.below(most)); };
    const Image image = trial % 5 == 0 ? pattern("stripes", side(90), side(90), trial % 2 ? 1 : 3)
                                       : noise(side(90), side(90), trial % 2 ? 1 : 3, rng.bits());
    const int width = side(trial % 7 == 0 ? 300 : 90), height = side(60);
    for (const Filter filter : filters) {
      const Image slow = run(pixel_loops_reference(), image, width, height, filter);
      for (const PixelLoops* loops : fast_loops())
        ASSERT_EQ(run(*loops, image, width, height, filter), slow)
            << loops->name << ", trial " << trial << ": " << image.width << "x" << image.height << "x"
            << image.channels << " to " << width << "x" << height;
    }
  }
}

TEST(PixelLoops, FillPlanesAsTheSlowTwinDoes) {
  std::array<PixelTable, 3> tables;
  for (std::size_t c = 0; c < 3; ++c) {
    tables[c].factor = 1.0 / (57.0 + static_cast<double>(c));
    tables[c].offset = -1.9 - static_cast<double>(c);
    for (int p = 0; p < 256; ++p)
      tables[c].value[p] = static_cast<float>(std::fma(p, tables[c].factor, tables[c].offset));
  }
  const int sources[] = {2, 1, 0};
  for (const int channels : {1, 3})
    for (const bool is_affine : {true, false})
      for (const std::size_t count : {1u, 15u, 16u, 17u, 111u}) {
        const Image image = noise(1, static_cast<int>(count), channels, count);
        for (auto& table : tables) table.is_affine = is_affine;
        const int* source = channels == 3 ? sources : sources + 2;
        const auto floats = [&](const PixelLoops& loops) {
          std::vector<float> out(count * static_cast<std::size_t>(channels));
          loops.planes(image.pixels.data(), count, channels, source, tables.data(), out.data());
          return out;
        };
        for (const PixelLoops* loops : fast_loops())
          EXPECT_EQ(floats(*loops), floats(pixel_loops_reference())) << loops->name << " " << count;
      }
}

TEST(Resize, NeedsOnlyTheAreaThatItSays) {
  Rng rng(21);
  for (int trial = 0; trial < 60; ++trial) {
    const Image image = noise(20 + trial % 17, 31 + trial % 13, trial % 2 ? 1 : 3, rng.bits());
    const Filter filter = filters[static_cast<std::size_t>(trial) % 3];
    ResizePlan plan = ResizePlan::middle(image.width, image.height, 30 + trial, 40, 11, 9, filter);
    if (trial % 4 == 0)
      plan = ResizePlan::middle(image.width, image.height, image.width, image.height, 8, 7, filter);
    if (trial % 4 == 1) {
      plan = ResizePlan::whole(image.width, image.height, 9, 14, filter);
      plan.box = {3.5, 4, 17, 12.25};
    }
    const Area need = plan.needs();
    EXPECT_EQ(plan.run(crop(image, need), need), plan.run(image)) << trial;
    // And all of it.
    Image other = noise(image.height, image.width, image.channels, 77);
    for (int y = 0; y < need.height; ++y)
      std::copy_n(image.row(need.top + y) + need.left * image.channels, need.width * image.channels,
                  other.row(need.top + y) + need.left * image.channels);
    EXPECT_EQ(plan.run(other), plan.run(image)) << trial;
  }
}

TEST(Resize, TheMiddleEqualsTheMiddleOfTheWhole) {
  const Image image = noise(30, 23, 3, 4);
  for (const auto& [w, h, cut_w, cut_h] : {std::array{50, 60, 20, 21}, std::array{11, 17, 6, 5},
                                           std::array{23, 40, 7, 40}, std::array{23, 30, 8, 9}})
    for (const Filter filter : filters)
      EXPECT_EQ(resize_middle(image, w, h, cut_w, cut_h, filter),
                crop_centre(resize(image, w, h, filter), cut_w, cut_h));
  EXPECT_EQ(resize_middle(noise(1, 60000, 3, 5), 224 * std::int64_t{60000}, 224, 224, 224).pixels.size(),
            224u * 224 * 3);
}

TEST(Resize, TheSameSizeIsTheSamePicture) {
  const Image image = noise(9, 14, 3, 1);
  EXPECT_EQ(resize(image, 14, 9), image);
}

TEST(Resize, OnePaperColourStays) {
  Image image(31, 17, 3);
  std::fill(image.pixels.begin(), image.pixels.end(), std::uint8_t{255});
  for (const Filter filter : filters)
    for (const std::uint8_t pixel : resize(image, 5, 50, filter).pixels) ASSERT_EQ(pixel, 255);
}

TEST(Crop, CutsWhatWasAskedFor) {
  Image image(3, 4, 1);
  for (std::size_t i = 0; i < 12; ++i) image.pixels[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(crop(image, 1, 1, 2, 2).pixels, (std::vector<std::uint8_t>{5, 6, 9, 10}));
  EXPECT_EQ(crop_centre(image, 2, 1).pixels, (std::vector<std::uint8_t>{5, 6}));
  // Half a pixel is left over: to the even side, 0.5 -> 0 and 1.5 -> 2.
  EXPECT_EQ(crop_centre(image, 3, 3).pixels.front(), 0);
  EXPECT_EQ(crop_centre(image, 1, 3).pixels.front(), 2);
  EXPECT_EQ(flip_horizontal(crop(image, 0, 0, 4, 1)).pixels, (std::vector<std::uint8_t>{3, 2, 1, 0}));
}

}  // namespace
}  // namespace enxerto
