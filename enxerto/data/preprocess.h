/// Preprocess: from a picture to the floats that a network is given. Training, prediction and export run
/// this very program, and a model file keeps it.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "enxerto/core/random.h"
#include "enxerto/image/decode.h"
#include "enxerto/image/image.h"
#include "enxerto/image/resize.h"
#include "enxerto/tensor/shape.h"

namespace enxerto {

struct Augment;

/// How a picture of another shape is made to fit.
enum class Fit {
  crop,    ///< covers the input, keeping its proportions; the middle is cut out
  pad,     ///< lies within the input, keeping its proportions, in the middle of `pad_value`
  squash,  ///< is resized to the input's sides, whatever that does to its proportions
};
enum class ChannelOrder { rgb, bgr };
/// How picture files are decoded.
enum class Decode {
  exact,  ///< every pixel; what published accuracies were measured with
  fast,   ///< reduced by the decoder where the fitted picture is still smaller: other pixels, nearly the same
};

/// How the pixels of a picture become numbers: the conventions that weights were trained with.
enum class Normalization {
  half,         ///< RGB, x / 127.5 - 1: TensorFlow's MobileNets, torchvision's GoogLeNet
  imagenet,     ///< RGB, x / 255 less ImageNet's mean, by its standard deviation: torchvision
  mnist,        ///< x / 255 less MNIST's mean, by its standard deviation
  caffe,        ///< BGR in 0..255 less (104, 117, 123)
  caffe_keras,  ///< BGR in 0..255 less (103.939, 116.779, 123.68)
  unit,         ///< RGB, x / 255: Darknet
};
/// "half", "imagenet", ...; Error{usage} lists what there is.
Normalization parse_normalization(std::string_view name);
std::string_view normalization_name(Normalization normalization);
/// The names, for help texts.
std::vector<std::string> normalization_names();

/// By name: "crop", "pad", "squash"; "bilinear", "bicubic", "lanczos"; "exact", "fast". Error{usage} lists
/// what there is.
Fit parse_fit(std::string_view name);
Filter parse_filter(std::string_view name);
Decode parse_decode(std::string_view name);

/// Gives a picture as it is asked for, or all of it: load_image(), Dataset::get().
using PictureSource = std::function<Image(const DecodeOptions& options)>;
PictureSource source_of(std::filesystem::path path);

/// Steps: grey or colour as `channels` says; fitted to width x height; value = (pixel * scale - mean) / std
/// for each channel, in `order`.
struct Preprocess {
  int height = 224, width = 224;
  int channels = 3;  ///< 1 or 3
  Fit fit = Fit::crop;
  /// For Fit::crop: the part of each side that is cut out; 0.875 with 224 resizes the short side to 256.
  double crop_fraction = 1;
  int pad_value = 0;  ///< 0..255, of every channel
  Filter filter = Filter::bilinear;
  Decode decode = Decode::exact;
  ChannelOrder order = ChannelOrder::rgb;
  double scale = 1.0 / 255;
  std::vector<double> mean{0, 0, 0}, std{1, 1, 1};  ///< one for each channel, in `order`
  friend bool operator==(const Preprocess&, const Preprocess&) = default;

  /// Grey or RGB pixels scaled to -1..1.
  static Preprocess plain(int height, int width, int channels);
  /// RGB with the mean and standard deviation of ImageNet, as torchvision's networks want it.
  static Preprocess imagenet(int height, int width);
  /// By convention. Of grey pictures, where a convention has three means, their average counts.
  static Preprocess of(Normalization normalization, int height, int width, int channels = 3);

  Shape shape() const { return {.n = 1, .c = channels, .h = height, .w = width}; }
  /// The first steps: `channels`, width and height are right afterwards. A picture that has them passes
  /// as it is, unless crop_fraction says otherwise.
  Image fitted(const Image& image) const;
  /// The same with random changes; draws only what is switched on.
  Image fitted(const Image& image, const Augment& augment, Rng& rng) const;
  /// The same of a picture that is not read yet: no more of it is decoded than it takes, and as `decode`
  /// says. Exact: the bits of fitted() on the whole.
  Image fitted(const PictureSource& source) const;
  Image fitted(const PictureSource& source, const Augment& augment, Rng& rng) const;
  /// The last step: a fitted picture into {c,h,w} floats.
  void normalize(const Image& fitted, std::span<float> chw) const;
  /// All steps. `chw` has channels * height * width floats.
  void apply(const Image& image, std::span<float> chw) const { normalize(fitted(image), chw); }
  void apply(const PictureSource& source, std::span<float> chw) const { normalize(fitted(source), chw); }

  nlohmann::json to_json() const;
  /// Error{corrupt} where a key is missing or unknown, or a value absurd.
  static Preprocess from_json(const nlohmann::json& json);
  void check() const;  ///< throws Error{usage} where a value makes no sense
};

/// For people: "224x224 RGB, middle 87.5 %, x/255, mean 0.485 0.456 0.406, std 0.229 0.224 0.225".
std::string format_preprocess(const Preprocess& preprocess);

}  // namespace enxerto
