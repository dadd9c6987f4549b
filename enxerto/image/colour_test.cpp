// What colour.h and affine.h compute, against torchvision on Pillow: tools/make_augment_cases.py.
#include "enxerto/image/colour.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <string>

#include "enxerto/core/random.h"
#include "enxerto/image/affine.h"
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

}  // namespace
}  // namespace enxerto
