#include "enxerto/data/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/image/resize.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

constexpr int max_input_side = 16384;
constexpr std::array fits{std::pair{Fit::crop, "crop"}, std::pair{Fit::pad, "pad"},
                          std::pair{Fit::squash, "squash"}};
constexpr std::array filters{std::pair{Filter::bilinear, "bilinear"}, std::pair{Filter::bicubic, "bicubic"},
                             std::pair{Filter::lanczos, "lanczos"}};
constexpr std::array decodes{std::pair{Decode::exact, "exact"}, std::pair{Decode::fast, "fast"}};
constexpr std::array orders{std::pair{ChannelOrder::rgb, "rgb"}, std::pair{ChannelOrder::bgr, "bgr"}};

struct Convention {
  Normalization normalization;
  std::string_view name;
  ChannelOrder order;
  double scale;
  std::array<double, 3> mean, std;
};
constexpr std::array<double, 3> ones = {1, 1, 1};
constexpr std::array<Convention, 6> conventions = {{
    {Normalization::half, "half", ChannelOrder::rgb, 1.0 / 255, {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}},
    {Normalization::imagenet,
     "imagenet",
     ChannelOrder::rgb,
     1.0 / 255,
     {0.485, 0.456, 0.406},
     {0.229, 0.224, 0.225}},
    {Normalization::mnist,
     "mnist",
     ChannelOrder::rgb,
     1.0 / 255,
     {0.1307, 0.1307, 0.1307},
     {0.3081, 0.3081, 0.3081}},
    {Normalization::caffe, "caffe", ChannelOrder::bgr, 1, {104, 117, 123}, ones},
    {Normalization::caffe_keras, "caffe_keras", ChannelOrder::bgr, 1, {103.939, 116.779, 123.68}, ones},
    {Normalization::unit, "unit", ChannelOrder::rgb, 1.0 / 255, {0, 0, 0}, ones},
}};

const Convention& convention_of(Normalization normalization) {
  const auto* found = std::ranges::find(conventions, normalization, &Convention::normalization);
  ensure(found != conventions.end(), "every normalization has a convention");
  return *found;
}

/// One number a channel; of one channel the average.
std::vector<double> for_channels(const std::array<double, 3>& values, int channels) {
  if (channels == 3) return {values.begin(), values.end()};
  const bool equal = values[0] == values[1] && values[1] == values[2];
  const double average = equal ? values[0] : (values[0] + values[1] + values[2]) / 3;
  return std::vector<double>(static_cast<std::size_t>(channels), average);
}

template <class Names, class Value>
const char* name_of(const Names& names, Value value) {
  for (const auto& [named, name] : names)
    if (named == value) return name;
  throw std::logic_error("an enumerator without a name");
}

template <class Names>
auto parse_name(const Names& names, const char* what, std::string_view name) {
  std::vector<std::string> known;
  for (const auto& [value, each] : names) {
    if (name == each) return value;
    known.emplace_back(each);
  }
  throw Error(ErrorKind::usage, text("there is no ", what, " \"", name, "\"; there are ", join(known, ", ")));
}

void require(bool kept, const std::string& wrong) {
  if (!kept) throw Error(ErrorKind::usage, wrong);
}

/// Reads fields with their types checked; what is left over is an error.
class Reader {
 public:
  Reader(const Json& json, const char* what, std::initializer_list<std::string_view> known)
      : json_(json), what_(what) {
    if (!json.is_object()) fail("is not an object");
    for (const auto& [key, value] : json.items())
      if (std::find(known.begin(), known.end(), key) == known.end())
        fail(text("has an unknown key, \"", key, "\""));
  }
  [[noreturn]] void fail(const std::string& wrong) const {
    throw Error(ErrorKind::corrupt, text(what_, ": ", wrong));
  }
  bool has(const char* key) const { return json_.contains(key); }
  const Json& at(const char* key) const {
    if (!has(key)) fail(text("has no key \"", key, "\""));
    return json_.at(key);
  }
  double number(const char* key) const {
    if (!at(key).is_number()) fail(text("\"", key, "\" is not a number"));
    return at(key).get<double>();
  }
  int integer(const char* key) const {
    const double value = number(key);
    if (!at(key).is_number_integer() || std::abs(value) > 1e6) fail(text("\"", key, "\" makes no sense"));
    return static_cast<int>(value);
  }
  std::vector<double> numbers(const char* key) const {
    const Json& list = at(key);
    if (!list.is_array() || list.size() > 4) fail(text("\"", key, "\" is not a list of numbers"));
    std::vector<double> out;
    for (const Json& value : list) {
      if (!value.is_number()) fail(text("\"", key, "\" is not a list of numbers"));
      out.push_back(value.get<double>());
    }
    return out;
  }
  template <class Names>
  auto choice(const char* key, const Names& names) const {
    for (const auto& [value, name] : names)
      if (at(key) == name) return value;
    fail(text("\"", key, "\" is ", at(key).dump(), ", which we do not know"));
  }
  /// The value's own check, as an error in a file.
  template <class Value>
  Value checked(Value value) const {
    try {
      value.check();
    } catch (const Error& error) {
      fail(error.what());
    }
    return value;
  }

 private:
  const Json& json_;
  const char* what_;
};

Image padded(const Image& image, int width, int height, int value) {
  Image out(height, width, image.channels);
  std::fill(out.pixels.begin(), out.pixels.end(), static_cast<std::uint8_t>(value));
  const int left = (width - image.width) / 2, top = (height - image.height) / 2;
  for (int y = 0; y < image.height; ++y)
    std::copy_n(image.row(y), image.row_bytes(),
                out.row(top + y) + static_cast<std::ptrdiff_t>(left) * image.channels);
  return out;
}

/// The sides of a picture resized so that it covers (or with `within` does not leave) width x height. The
/// side that decides is exact, the other rounded down as torchvision does it.
std::pair<std::int64_t, std::int64_t> keep_proportions(const Image& image, int width, int height,
                                                       bool within) {
  const std::int64_t w = image.width, h = image.height;
  const bool width_decides = (std::int64_t{width} * h >= std::int64_t{height} * w) != within;
  const auto bounded = [&](std::int64_t other, int limit) {
    return within ? std::clamp<std::int64_t>(other, 1, limit) : std::max<std::int64_t>(other, limit);
  };
  if (width_decides) return {width, bounded(h * width / w, height)};
  return {bounded(w * height / h, width), height};
}

/// Ten tries to find a part of random area and proportions that lies in the picture (Szegedy et al. 2015,
/// the numbers as in torchvision); else all of it.
Box random_part(const Image& image, double min_area, Rng& rng) {
  const double w = image.width, h = image.height;
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = w * h * (min_area + (1 - min_area) * rng.uniform());
    const double log_ratio = std::log(4.0 / 3.0) * (2.0 * rng.uniform() - 1.0);
    const double part_w = std::round(std::sqrt(area * std::exp(log_ratio)));
    const double part_h = std::round(std::sqrt(area * std::exp(-log_ratio)));
    if (part_w < 1 || part_h < 1 || part_w > w || part_h > h) continue;
    const auto left = static_cast<double>(rng.below(static_cast<std::uint64_t>(w - part_w) + 1));
    const auto top = static_cast<double>(rng.below(static_cast<std::uint64_t>(h - part_h) + 1));
    return {left, top, left + part_w, top + part_h};
  }
  return {0, 0, w, h};
}

/// Pixel (x, y) comes from (x + dx, y + dy); from outside comes `value`.
Image shifted(const Image& image, int dx, int dy, int value) {
  Image out(image.height, image.width, image.channels);
  std::fill(out.pixels.begin(), out.pixels.end(), static_cast<std::uint8_t>(value));
  const int first_x = std::max(0, -dx), last_x = std::min(image.width, image.width - dx);
  if (first_x >= last_x) return out;
  for (int y = std::max(0, -dy); y < std::min(image.height, image.height - dy); ++y)
    std::copy_n(image.row(y + dy) + static_cast<std::ptrdiff_t>(first_x + dx) * image.channels,
                (last_x - first_x) * image.channels,
                out.row(y) + static_cast<std::ptrdiff_t>(first_x) * image.channels);
  return out;
}

}  // namespace

void Augment::check() const {
  require(flip >= 0 && flip <= 1, text("flip has to lie in 0..1, not ", flip));
  require(shift_px >= 0 && shift_px <= max_input_side,
          text("shift_px has to lie in 0..", max_input_side, ", not ", shift_px));
  require(min_area > 0 && min_area <= 1, text("min_area has to be above 0 and at most 1, not ", min_area));
}

nlohmann::json Augment::to_json() const {
  return {{"flip", flip}, {"shift_px", shift_px}, {"min_area", min_area}};
}

Augment Augment::from_json(const nlohmann::json& json) {
  const Reader in(json, "augmentation", {"flip", "shift_px", "min_area"});
  Augment out;
  if (in.has("flip")) out.flip = in.number("flip");
  if (in.has("shift_px")) out.shift_px = in.integer("shift_px");
  if (in.has("min_area")) out.min_area = in.number("min_area");
  return in.checked(out);
}

Normalization parse_normalization(std::string_view name) {
  for (const Convention& each : conventions)
    if (each.name == name) return each.normalization;
  throw Error(ErrorKind::usage, text("there is no normalization \"", name, "\"; there are ",
                                     join(normalization_names(), ", ")));
}

Fit parse_fit(std::string_view name) { return parse_name(fits, "fit", name); }
Filter parse_filter(std::string_view name) { return parse_name(filters, "filter", name); }
Decode parse_decode(std::string_view name) { return parse_name(decodes, "way to decode", name); }

std::string_view normalization_name(Normalization normalization) { return convention_of(normalization).name; }

std::vector<std::string> normalization_names() {
  std::vector<std::string> names;
  for (const Convention& each : conventions) names.emplace_back(each.name);
  return names;
}

Preprocess Preprocess::of(Normalization normalization, int height, int width, int channels) {
  const Convention& convention = convention_of(normalization);
  Preprocess out;
  out.height = height;
  out.width = width;
  out.channels = channels;
  out.order = convention.order;
  out.scale = convention.scale;
  out.mean = for_channels(convention.mean, channels);
  out.std = for_channels(convention.std, channels);
  return out;
}

Preprocess Preprocess::plain(int height, int width, int channels) {
  return of(Normalization::half, height, width, channels);
}

Preprocess Preprocess::imagenet(int height, int width) { return of(Normalization::imagenet, height, width); }

void Preprocess::check() const {
  require(height >= 1 && height <= max_input_side && width >= 1 && width <= max_input_side,
          text("the input has to be 1..", max_input_side, " pixels a side, not ", width, " x ", height));
  require(channels == 1 || channels == 3, text("a picture has 1 or 3 channels, not ", channels));
  require(crop_fraction >= 0.01 && crop_fraction <= 1,
          text("crop_fraction has to lie in 0.01..1, not ", crop_fraction));
  require(pad_value >= 0 && pad_value <= 255, text("pad_value has to lie in 0..255, not ", pad_value));
  require(std::isfinite(scale) && scale > 0, text("scale has to be above 0, not ", scale));
  require(mean.size() == static_cast<std::size_t>(channels) && std.size() == mean.size(),
          text("mean and std need one number for each of ", channels, " channels"));
  for (const double value : mean) require(std::isfinite(value), "mean has to be finite");
  for (const double value : std) require(std::isfinite(value) && value > 0, "std has to be above 0");
}

nlohmann::json Preprocess::to_json() const {
  return {{"height", height},
          {"width", width},
          {"channels", channels},
          {"fit", name_of(fits, fit)},
          {"crop_fraction", crop_fraction},
          {"pad_value", pad_value},
          {"filter", name_of(filters, filter)},
          {"decode", name_of(decodes, decode)},
          {"order", name_of(orders, order)},
          {"scale", scale},
          {"mean", mean},
          {"std", std}};
}

Preprocess Preprocess::from_json(const nlohmann::json& json) {
  const Reader in(json, "preprocessing",
                  {"height", "width", "channels", "fit", "crop_fraction", "pad_value", "filter", "decode",
                   "order", "scale", "mean", "std"});
  Preprocess out;
  out.height = in.integer("height");
  out.width = in.integer("width");
  out.channels = in.integer("channels");
  out.fit = in.choice("fit", fits);
  out.crop_fraction = in.number("crop_fraction");
  out.pad_value = in.integer("pad_value");
  // Models of before there was a choice have neither.
  if (in.has("filter")) out.filter = in.choice("filter", filters);
  if (in.has("decode")) out.decode = in.choice("decode", decodes);
  out.order = in.choice("order", orders);
  out.scale = in.number("scale");
  out.mean = in.numbers("mean");
  out.std = in.numbers("std");
  return in.checked(std::move(out));
}

Image Preprocess::fitted(const Image& image) const {
  if (image.channels != channels) return fitted(with_channels(image, channels));
  const int cover_w = static_cast<int>(std::lround(width / crop_fraction));
  const int cover_h = static_cast<int>(std::lround(height / crop_fraction));
  switch (fit) {
    case Fit::crop: {
      const auto [w, h] = keep_proportions(image, cover_w, cover_h, false);
      return resize_middle(image, w, h, width, height);
    }
    case Fit::pad: {
      const auto [w, h] = keep_proportions(image, width, height, true);
      return padded(resize(image, static_cast<int>(w), static_cast<int>(h)), width, height, pad_value);
    }
    case Fit::squash:
      break;
  }
  return resize(image, width, height);
}

Image Preprocess::fitted(const Image& image, const Augment& augment, Rng& rng) const {
  if (augment.min_area < 1) {
    const Box part = random_part(image, augment.min_area, rng);
    return augment_fitted(with_channels(resize(image, part, width, height), channels), augment, pad_value,
                          rng);
  }
  return augment_fitted(fitted(image), augment, pad_value, rng);
}

Image augment_fitted(Image image, const Augment& augment, int pad_value, Rng& rng) {
  if (augment.shift_px > 0) {
    const auto draw = [&] {
      return static_cast<int>(rng.below(2 * static_cast<std::uint64_t>(augment.shift_px) + 1)) -
             augment.shift_px;
    };
    const int dx = draw(), dy = draw();
    image = shifted(image, dx, dy, pad_value);
  }
  if (augment.flip > 0 && rng.uniform() < augment.flip) image = flip_horizontal(image);
  return image;
}

void Preprocess::normalize(const Image& fitted_image, std::span<float> chw) const {
  const std::size_t count = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  const auto depth = static_cast<std::size_t>(channels);
  ensure(fitted_image.height == height && fitted_image.width == width && fitted_image.channels == channels,
         "a picture fits before it is normalized");
  ensure(chw.size() == count * depth, "there is room for a normalized picture");
  for (std::size_t c = 0; c < depth; ++c) {
    std::array<float, 256> value;
    for (int pixel = 0; pixel < 256; ++pixel)
      value[static_cast<std::size_t>(pixel)] = static_cast<float>((pixel * scale - mean[c]) / std[c]);
    const std::uint8_t* from = fitted_image.pixels.data() + (order == ChannelOrder::bgr ? depth - 1 - c : c);
    float* to = chw.data() + c * count;
    for (std::size_t i = 0; i < count; ++i) to[i] = value[from[i * depth]];
  }
}

std::string format_preprocess(const Preprocess& p) {
  std::string fit;
  switch (p.fit) {
    case Fit::crop:
      fit = p.crop_fraction < 1 ? text("middle ", 100 * p.crop_fraction, " %") : "middle";
      break;
    case Fit::pad:
      fit = text("padded with ", p.pad_value);
      break;
    case Fit::squash:
      fit = "squashed";
      break;
  }
  const auto list = [](const std::vector<double>& values) {
    std::vector<std::string> parts;
    for (const double value : values) parts.push_back(text(value));
    return join(parts, " ");
  };
  const char* colours = p.channels == 1 ? "grey" : p.order == ChannelOrder::rgb ? "RGB" : "BGR";
  const std::string scale = p.scale == 1 ? "x" : p.scale == 1.0 / 255 ? "x/255" : text("x*", p.scale);
  if (p.filter != Filter::bilinear) fit += text(", ", name_of(filters, p.filter));
  if (p.decode == Decode::fast) fit += ", decoded fast";
  return text(p.width, "x", p.height, " ", colours, ", ", fit, ", ", scale, ", mean ", list(p.mean), ", std ",
              list(p.std));
}

std::string format_augment(const Augment& augment) {
  std::vector<std::string> parts;
  if (augment.flip > 0) parts.push_back(text("flip ", augment.flip));
  if (augment.shift_px > 0) parts.push_back(text("shift ", augment.shift_px, " px"));
  if (augment.min_area < 1) parts.push_back(text("area from ", augment.min_area));
  return parts.empty() ? "none" : join(parts, ", ");
}

}  // namespace enxerto
