#include "enxerto/data/preprocess_view.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "enxerto/core/text.h"

namespace enxerto {
namespace {

TEST(PreprocessView, FloatsBecomeTheVeryPictureAgain) {
  for (const std::string& name : normalization_names())
    for (const int channels : {1, 3}) {
      const Preprocess p = Preprocess::of(parse_normalization(name), 16, 16, channels);
      Image image(16, 16, channels);  // every value in every channel
      for (std::size_t i = 0; i < image.pixels.size(); ++i)
        image.pixels[i] = static_cast<std::uint8_t>(i / static_cast<std::size_t>(channels) + 85 * i);
      std::vector<float> chw(image.pixels.size());
      p.normalize(image, chw);
      EXPECT_EQ(unnormalized(p, chw), image) << name << channels;
    }
}

TEST(PreprocessView, WhatLeavesTheRangeOfAByteIsCutOff) {
  const Preprocess p = Preprocess::of(Normalization::unit, 1, 2, 1);
  EXPECT_EQ(unnormalized(p, std::vector<float>{-0.5f, 7.0f}).pixels, (std::vector<std::uint8_t>{0, 255}));
}

TEST(PreprocessView, TellsTheStepsInTheirOrder) {
  Preprocess p = Preprocess::imagenet(224, 224);
  p.crop_fraction = 0.875;
  EXPECT_EQ(
      preprocess_steps(p),
      (std::vector<std::string>{
          "decoded: upright as EXIF says, 16 bits scaled to 8, CMYK to RGB, what is transparent over white",
          "RGB; grey becomes three equal channels",
          "resized (bilinear, antialiased) so that it just covers 256x256, its proportions kept",
          "the middle 224x224 cut out", "channels in the order R G B, each a plane of its own",
          "each value of 0..255 becomes (value / 255 - (0.485 0.456 0.406)) / (0.229 0.224 0.225) as "
          "float32"}));
  p = Preprocess::of(Normalization::caffe, 32, 48);
  p.fit = Fit::pad;
  p.decode = Decode::fast;
  p.filter = Filter::bicubic;
  const std::string all = join(preprocess_steps(p), "; ");
  for (const char* part : {"reduced size", "(bicubic, antialiased) so that it just lies within 48x32",
                           "filled up to 48x32 with 0", "B G R", "becomes value - (104 117 123) as float32"})
    EXPECT_NE(all.find(part), std::string::npos) << part << " is not in " << all;
}

}  // namespace
}  // namespace enxerto
