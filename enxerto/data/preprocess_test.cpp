#include "enxerto/data/preprocess.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/data/augment.h"
#include "enxerto/image/decode.h"
#include "enxerto/image/encode.h"
#include "enxerto/image/resize.h"

namespace enxerto {
namespace {

Image noise(int height, int width, int channels) {
  Image image(height, width, channels);
  Rng rng(7);
  for (auto& pixel : image.pixels) pixel = static_cast<std::uint8_t>(rng.bits());
  return image;
}

Preprocess small(Fit fit, int channels = 3) {
  Preprocess p = Preprocess::plain(8, 12, channels);
  p.fit = fit;
  return p;
}

template <class Call>
std::string text_of(Call call, ErrorKind kind) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind));
    return error.what();
  }
  return "(no error)";
}

TEST(Preprocess, ScalesThenSubtractsThenDividesPlaneByPlane) {
  Preprocess p = Preprocess::imagenet(1, 2);
  Image image(1, 2, 3);
  image.pixels = {0, 51, 102, 153, 204, 255};
  std::vector<float> out(6);
  p.apply(image, out);
  const double wanted[] = {(0 - 0.485) / 0.229,   (0.6 - 0.485) / 0.229, (0.2 - 0.456) / 0.224,
                           (0.8 - 0.456) / 0.224, (0.4 - 0.406) / 0.225, (1 - 0.406) / 0.225};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_FLOAT_EQ(out[i], static_cast<float>(wanted[i])) << i;
}

TEST(Preprocess, GivesBlueFirstWithItsOwnMean) {
  Preprocess p;
  p.height = p.width = 1;
  p.order = ChannelOrder::bgr;
  p.scale = 1;
  p.mean = {104, 117, 123};
  Image image(1, 1, 3);
  image.pixels = {1, 2, 3};
  std::vector<float> out(3);
  p.apply(image, out);
  EXPECT_EQ(out, (std::vector<float>{3 - 104, 2 - 117, 1 - 123}));
}

/// What becomes of the pixel (r, g, b).
std::vector<float> normalized(Normalization normalization, std::array<std::uint8_t, 3> rgb) {
  Image image(1, 1, 3);
  image.pixels = {rgb[0], rgb[1], rgb[2]};
  std::vector<float> out(3);
  Preprocess::of(normalization, 1, 1).apply(image, out);
  return out;
}

TEST(Preprocess, NormalizesAsEachConventionSays) {
  const auto near = [](Normalization normalization, std::array<std::uint8_t, 3> rgb,
                       std::array<double, 3> wanted) {
    const std::vector<float> got = normalized(normalization, rgb);
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_NEAR(got[i], wanted[i], 1e-5) << normalization_name(normalization) << " " << i;
  };
  near(Normalization::half, {0, 51, 255}, {-1, -0.6, 1});
  near(Normalization::imagenet, {0, 51, 255}, {-0.485 / 0.229, (0.2 - 0.456) / 0.224, (1 - 0.406) / 0.225});
  near(Normalization::mnist, {0, 51, 255},
       {-0.1307 / 0.3081, (0.2 - 0.1307) / 0.3081, (1 - 0.1307) / 0.3081});
  near(Normalization::caffe, {0, 51, 255}, {255 - 104, 51 - 117, -123});
  near(Normalization::caffe_keras, {0, 51, 255}, {255 - 103.939, 51 - 116.779, -123.68});
  near(Normalization::unit, {0, 51, 255}, {0, 0.2, 1});
}

TEST(Preprocess, GreyTakesTheAverageOfThreeMeans) {
  const Preprocess p = Preprocess::of(Normalization::caffe, 4, 5, 1);
  EXPECT_EQ(p.channels, 1);
  EXPECT_EQ(p.mean, (std::vector<double>{344.0 / 3}));
  EXPECT_EQ(p.std, (std::vector<double>{1}));
  EXPECT_EQ(Preprocess::of(Normalization::mnist, 4, 5, 1).mean, (std::vector<double>{0.1307}));
}

TEST(Preprocess, NormalizationsGoByName) {
  for (const std::string& name : normalization_names())
    EXPECT_EQ(normalization_name(parse_normalization(name)), name);
  const std::string wrong = text_of([] { parse_normalization("torch"); }, ErrorKind::usage);
  EXPECT_NE(wrong.find("\"torch\"; there are half, imagenet, mnist, caffe, caffe_keras, unit"),
            std::string::npos);
}

TEST(Preprocess, PassesAPictureOfTheRightSizeAsItIs) {
  for (const Fit fit : {Fit::crop, Fit::pad, Fit::squash}) {
    const Image image = noise(8, 12, 3);
    EXPECT_EQ(small(fit).fitted(image), image);
  }
}

TEST(Preprocess, CropCutsTheMiddleOfThePictureThatCovers) {
  const Image wide = noise(16, 50, 3);
  EXPECT_EQ(small(Fit::crop).fitted(wide), crop_centre(resize(wide, 25, 8), 12, 8));
  const Image tall = noise(50, 6, 3);
  EXPECT_EQ(small(Fit::crop).fitted(tall), crop_centre(resize(tall, 12, 100), 12, 8));
}

TEST(Preprocess, CropFractionIsTheUsualResize256Crop224) {
  Preprocess p = Preprocess::imagenet(224, 224);
  p.crop_fraction = 0.875;
  const Image image = noise(300, 400, 3);
  EXPECT_EQ(p.fitted(image), crop_centre(resize(image, 341, 256), 224, 224));
}

TEST(Preprocess, PadKeepsAllOfThePicture) {
  Preprocess p = small(Fit::pad, 1);
  p.pad_value = 9;
  const Image image = noise(20, 10, 1);
  const Image out = p.fitted(image);
  EXPECT_EQ(crop(out, 4, 0, 4, 8), resize(image, 4, 8));
  for (const int x : {0, 3, 8, 11}) EXPECT_EQ(out.row(5)[x], 9) << x;
}

TEST(Preprocess, TakesVeryThinPictures) {
  for (const Fit fit : {Fit::crop, Fit::pad, Fit::squash})
    for (const Image& image : {noise(1, 60000, 3), noise(60000, 1, 3), noise(1, 1, 1)}) {
      const Image out = small(fit).fitted(image);
      EXPECT_EQ(out.height, 8);
      EXPECT_EQ(out.width, 12);
      EXPECT_EQ(out.channels, 3);
    }
}

TEST(Preprocess, ComesBackFromJsonEqual) {
  Preprocess p = Preprocess::imagenet(227, 320);
  p.fit = Fit::pad;
  p.order = ChannelOrder::bgr;
  p.crop_fraction = 0.875;
  p.pad_value = 114;
  p.scale = 1 / 127.5;
  EXPECT_EQ(Preprocess::from_json(nlohmann::json::parse(p.to_json().dump())), p);
}

TEST(Preprocess, RefusesWhatMakesNoSenseInAFile) {
  const auto said = [](const char* key, const nlohmann::json& value) {
    auto json = Preprocess::imagenet(224, 224).to_json();
    json[key] = value;
    return text_of([&] { Preprocess::from_json(json); }, ErrorKind::corrupt);
  };
  EXPECT_EQ(said("colour", 1), "preprocessing: has an unknown key, \"colour\"");
  EXPECT_EQ(said("fit", "stretch"), "preprocessing: \"fit\" is \"stretch\", which we do not know");
  EXPECT_EQ(said("width", 1e5), "preprocessing: \"width\" makes no sense");
  EXPECT_EQ(said("width", 99999),
            "preprocessing: the input has to be 1..16384 pixels a side, not 99999 x 224");
  EXPECT_EQ(said("height", "tall"), "preprocessing: \"height\" is not a number");
  EXPECT_EQ(said("std", {0.2, 0.0, 0.2}), "preprocessing: std has to be above 0");
  EXPECT_EQ(said("mean", {0.5}), "preprocessing: mean and std need one number for each of 3 channels");
  EXPECT_EQ(said("channels", 4), "preprocessing: a picture has 1 or 3 channels, not 4");
  auto without = Preprocess().to_json();
  without.erase("scale");
  EXPECT_EQ(text_of([&] { Preprocess::from_json(without); }, ErrorKind::corrupt),
            "preprocessing: has no key \"scale\"");
  EXPECT_EQ(text_of([] { Preprocess::from_json(nlohmann::json::array()); }, ErrorKind::corrupt),
            "preprocessing: is not an object");
}

TEST(Preprocess, PrintsAsText) {
  Preprocess p = Preprocess::imagenet(224, 224);
  p.crop_fraction = 0.875;
  EXPECT_EQ(format_preprocess(p),
            "224x224 RGB, middle 87.5 %, x/255, mean 0.485 0.456 0.406, std 0.229 0.224 0.225");
}

/// A photograph-like picture as a JPEG file of these sides.
std::vector<std::uint8_t> jpeg(int height, int width) {
  Image image(height, width, 3);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        image.row(y)[3 * x + c] = static_cast<std::uint8_t>((x * (c + 1) / 2 + y * 3 + (x * y >> 5)) & 255);
  return encode_jpeg(image, 92);
}

TEST(Preprocess, OfAFileItDecodesNoMoreThanItNeedsAndTheBitsAreThoseOfTheWhole) {
  const auto bytes = jpeg(300, 400);
  for (const Fit fit : {Fit::crop, Fit::pad, Fit::squash})
    for (const Filter filter : {Filter::bilinear, Filter::bicubic, Filter::lanczos})
      for (const int channels : {1, 3}) {
        Preprocess p = Preprocess::plain(40, 33, channels);
        p.fit = fit;
        p.filter = filter;
        if (fit == Fit::crop) p.crop_fraction = 0.7;
        std::size_t decoded = 0;
        const PictureSource source = [&](const DecodeOptions& options) {
          const Image image = decode_image(bytes, options);
          decoded = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
          return image;
        };
        EXPECT_EQ(p.fitted(source), p.fitted(decode_image(bytes)));
        EXPECT_EQ(decoded < 300u * 400, fit == Fit::crop);
        const Augment augment{.flip = 0.5, .shift_px = 3, .min_area = 0.2};
        for (std::uint64_t seed = 0; seed < 5; ++seed) {
          Rng one(seed), other(seed);
          EXPECT_EQ(p.fitted(source, augment, one), p.fitted(decode_image(bytes), augment, other));
          EXPECT_EQ(one.bits(), other.bits());
        }
      }
}

TEST(Preprocess, FastDecodesReducedAndGivesNearlyTheSame) {
  const auto bytes = jpeg(600, 800);
  for (const Fit fit : {Fit::crop, Fit::pad, Fit::squash}) {
    Preprocess p = Preprocess::plain(96, 96, 3);
    p.fit = fit;
    const Image exact = p.fitted(decode_image(bytes));
    p.decode = Decode::fast;
    int decoded_width = 0;
    const Image fast = p.fitted([&](const DecodeOptions& options) {
      const Image image = decode_image(bytes, options);
      decoded_width = image.width;
      return image;
    });
    EXPECT_EQ(decoded_width, fit == Fit::pad ? 100 : 200);
    ASSERT_EQ(fast.pixels.size(), exact.pixels.size());
    double difference = 0;
    for (std::size_t i = 0; i < fast.pixels.size(); ++i)
      difference += std::abs(fast.pixels[i] - exact.pixels[i]);
    EXPECT_LT(difference / static_cast<double>(fast.pixels.size()), 8);
    EXPECT_NE(fast, exact);
  }
  // The smaller the part of the picture, the less is there to reduce.
  Preprocess p = Preprocess::plain(96, 96, 3);
  p.decode = Decode::fast;
  int widest = 0, narrowest = 800;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Rng rng(seed);
    p.fitted(
        [&](const DecodeOptions& options) {
          const Image image = decode_image(bytes, options);
          widest = std::max(widest, image.width);
          narrowest = std::min(narrowest, image.width);
          return image;
        },
        Augment{.min_area = 0.01}, rng);
  }
  EXPECT_EQ(narrowest, 200);
  EXPECT_EQ(widest, 400);
}

TEST(Preprocess, ModelsOfBeforeThereWasAChoiceAreReadAsTheyWere) {
  auto json = Preprocess::imagenet(8, 8).to_json();
  EXPECT_EQ(json.at("filter"), "bilinear");
  EXPECT_EQ(json.at("decode"), "exact");
  json.erase("filter");
  json.erase("decode");
  EXPECT_EQ(Preprocess::from_json(json), Preprocess::imagenet(8, 8));
  json["filter"] = "lanczos";
  json["decode"] = "fast";
  const Preprocess p = Preprocess::from_json(json);
  EXPECT_EQ(p.filter, Filter::lanczos);
  EXPECT_EQ(p.decode, Decode::fast);
  EXPECT_EQ(format_preprocess(p),
            "8x8 RGB, middle, lanczos, decoded fast, x/255, mean 0.485 0.456 0.406, std 0.229 0.224 0.225");
  json["filter"] = "nearest";
  EXPECT_THROW(Preprocess::from_json(json), Error);
  EXPECT_THROW(parse_filter("nearest"), Error);
  EXPECT_EQ(parse_fit("squash"), Fit::squash);
}

}  // namespace
}  // namespace enxerto
