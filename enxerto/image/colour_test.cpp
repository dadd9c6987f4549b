// What colour.h and affine.h compute, against torchvision on Pillow: tools/make_augment_cases.py.
#include "enxerto/image/colour.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "enxerto/core/random.h"
#include "enxerto/core/system.h"
#include "enxerto/image/affine.h"
#include "enxerto/image/colour_loops.h"
#include "enxerto/image/decode.h"
#include "enxerto/image/resize.h"

namespace enxerto {
namespace {

constexpr int fill = 77;  // as the script has it

Image run(const std::string& operation, const Image& image, double value) {
  using Function = std::function<Image(const Image&, double)>;
  static const std::map<std::string, Function> functions = {
      {"brightness", adjust_brightness},
      {"contrast", adjust_contrast},
      {"saturation", adjust_saturation},
      {"sharpness", adjust_sharpness},
      {"hue", turn_hue},
      {"posterize", [](const Image& in, double bits) { return posterize(in, static_cast<int>(bits)); }},
      {"solarize", solarize},
      {"autocontrast", [](const Image& in, double) { return autocontrast(in); }},
      {"equalize", [](const Image& in, double) { return equalize(in); }},
      {"rotate", [](const Image& in, double degrees) { return rotate(in, degrees, fill); }},
      {"shear_x", [](const Image& in, double slope) { return shear_x(in, slope, fill); }},
      {"shear_y", [](const Image& in, double slope) { return shear_y(in, slope, fill); }},
      {"translate_x", [](const Image& in, double by) { return shift(in, -static_cast<int>(by), 0, fill); }},
      {"translate_y", [](const Image& in, double by) { return shift(in, 0, -static_cast<int>(by), fill); }},
  };
  return functions.at(operation)(image, value);
}

/// The slow, obvious twins of colour_loops.inl.
struct Hsv {
  int hue, saturation, value;
};

/// Hue and saturation in 255ths, cut off; Pillow's Convert.c, which follows Python's colorsys.
Hsv to_hsv(int red, int green, int blue) {
  const int most = std::max({red, green, blue}), least = std::min({red, green, blue});
  if (most == least) return {0, 0, most};
  const auto spread = static_cast<float>(most - least);
  const float r = static_cast<float>(most - red) / spread, g = static_cast<float>(most - green) / spread,
              b = static_cast<float>(most - blue) / spread;
  float sixths;
  if (red == most)
    sixths = b - g;
  else if (green == most)
    sixths = static_cast<float>(2.0 + r - b);
  else
    sixths = static_cast<float>(4.0 + g - r);
  double turn = sixths / 6.0 + 1.0;  // above 0, below 2
  if (turn >= 1.0) turn -= 1.0;
  return {static_cast<int>(static_cast<float>(turn) * 255.0),
          static_cast<int>(spread / static_cast<float>(most) * 255.0), most};
}

void to_rgb(const Hsv& hsv, std::uint8_t* rgb) {
  const auto value = static_cast<float>(hsv.value), saturation = static_cast<float>(hsv.saturation / 255.0);
  const auto sixths = static_cast<float>(hsv.hue * 6.0 / 255.0);
  const int sector = static_cast<int>(sixths);
  const float rest = sixths - static_cast<float>(sector);
  const auto rounded = [](double x) { return static_cast<std::uint8_t>(x + 0.5); };
  const auto v = static_cast<std::uint8_t>(hsv.value);
  const std::uint8_t low = rounded(value * (1.0 - saturation)),
                     falling = rounded(value * (1.0 - saturation * rest)),
                     rising = rounded(value * (1.0 - saturation * (1.0 - rest)));
  const std::uint8_t of_sector[6][3] = {{v, rising, low},  {falling, v, low}, {low, v, rising},
                                        {low, falling, v}, {rising, low, v},  {v, low, falling}};
  std::copy_n(of_sector[sector % 6], 3, rgb);
}

std::uint8_t blend(int from, int to, float factor) {
  const float value = static_cast<float>(from) + factor * static_cast<float>(to - from);
  return static_cast<std::uint8_t>(std::clamp(value, 0.0f, 255.0f));
}

/// "exact": equal bits. "near": within one level.
void check_cases(const std::string& name) {
  const Image input = load_image("tests/files/augment/" + name + ".png");
  const Image expected = load_image("tests/files/augment/" + name + "_expected.png");
  ASSERT_EQ(input.channels, name == "grey" ? 1 : 3);
  std::ifstream cases("tests/files/augment/cases.txt");
  std::string operation, close;
  double value = 0;
  int count = 0;
  for (; cases >> operation >> value >> close; ++count) {
    ASSERT_LE((count + 1) * input.height, expected.height);
    const Image wanted = crop(expected, 0, count * input.height, input.width, input.height);
    const Image got = run(operation, input, value);
    ASSERT_EQ(got.pixels.size(), wanted.pixels.size());
    int most = 0, off = 0;
    for (std::size_t i = 0; i < got.pixels.size(); ++i) {
      const int difference = std::abs(got.pixels[i] - wanted.pixels[i]);
      most = std::max(most, difference);
      off += difference > 0;
    }
    EXPECT_LE(most, close == "exact" ? 0 : 1)
        << name << " " << operation << " " << value << ": " << off << " of " << got.pixels.size();
  }
  EXPECT_EQ(count * input.height, expected.height);
}

TEST(Colour, AndGeometryAreTorchvisionsOnColourPictures) { check_cases("colour"); }
TEST(Colour, AndGeometryAreTorchvisionsOnGreyPictures) { check_cases("grey"); }

std::vector<const ColourLoops*> all_loops() {
  std::vector<const ColourLoops*> loops{&colour_loops_generic()};
  if (colour_loops_avx2() && chip_isa() != Isa::generic) loops.push_back(colour_loops_avx2());
  return loops;
}

/// Every sixth and ninth of all colours, in turns.
std::vector<std::uint8_t> many_colours() {
  std::vector<std::uint8_t> pixels;
  for (int r = 0; r < 256; r += 3)
    for (int g = 0; g < 256; g += 3)
      for (int b = (r + g) % 2; b < 256; b += 2)
        for (const int value : {r, g, b}) pixels.push_back(static_cast<std::uint8_t>(value));
  return pixels;
}

TEST(Colour, HueIsTurnedByEveryInstructionSetAsByTheSlowTwin) {
  const std::vector<std::uint8_t> colours = many_colours();
  for (const int shift : {0, 25, -1, 130}) {
    std::vector<std::uint8_t> wanted = colours;
    for (std::size_t i = 0; i < wanted.size(); i += 3) {
      Hsv hsv = to_hsv(wanted[i], wanted[i + 1], wanted[i + 2]);
      hsv.hue = (hsv.hue + shift) & 255;
      to_rgb(hsv, wanted.data() + i);
    }
    for (const ColourLoops* loops : all_loops()) {
      std::vector<std::uint8_t> got = colours;
      loops->turn_hue(got.data(), got.size() / 3, shift);
      EXPECT_EQ(got == wanted, true) << "shift " << shift;
    }
  }
}

TEST(Colour, SaturationAndBlendAreThoseOfTheSlowTwinForEveryInstructionSet) {
  const std::vector<std::uint8_t> colours = many_colours();
  for (const float factor : {0.0f, 0.3f, 0.9f, 1.0f, 1.7f, 9.0f})
    for (const ColourLoops* loops : all_loops()) {
      std::vector<std::uint8_t> got = colours, wanted = colours;
      loops->saturate(got.data(), got.size() / 3, factor);
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const std::uint8_t* rgb = colours.data() + i / 3 * 3;
        const unsigned luma = (19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 32768u) >> 16;
        wanted[i] = blend(static_cast<int>(luma), wanted[i], factor);
      }
      EXPECT_EQ(got == wanted, true) << factor;
    }
}

TEST(Colour, SmoothingRoundsAsTheSlowTwinForEveryInstructionSet) {
  Rng rng(4);
  std::vector<std::uint8_t> rows[3];
  for (auto& row : rows)
    for (int i = 0; i < 601; ++i) row.push_back(static_cast<std::uint8_t>(rng.bits()));
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}})
    for (const ColourLoops* loops : all_loops()) {
      std::vector<std::uint8_t> got(601, 7);
      loops->smooth(rows[0].data(), rows[1].data(), rows[2].data(), 601, static_cast<std::ptrdiff_t>(step),
                    got.data());
      for (std::size_t x = 0; x < 601; ++x) {
        double sum = 4 * rows[1][x];
        if (x >= step && x < 601 - step)
          for (const auto& row : rows) sum += row[x - step] + row[x] + row[x + step];
        const bool is_inside = x >= step && x < 601 - step;
        EXPECT_EQ(got[x], is_inside ? static_cast<int>(sum / 13 + 0.5) : 7);
      }
    }
}

}  // namespace
}  // namespace enxerto
