#include "enxerto/data/preprocess.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/data/augment.h"
#include "enxerto/data/json_fields.h"
#include "enxerto/image/pixel_loops.h"
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

template <class Names>
auto parse_name(const Names& names, const char* what, std::string_view name) {
  std::vector<std::string> known;
  for (const auto& [value, each] : names) {
    if (name == each) return value;
    known.emplace_back(each);
  }
  throw Error(ErrorKind::usage, text("there is no ", what, " \"", name, "\"; there are ", join(known, ", ")));
}

Image padded(Image image, int width, int height, int value) {
  if (image.width == width && image.height == height) return image;
  Image out(height, width, image.channels);
  std::fill(out.pixels.begin(), out.pixels.end(), static_cast<std::uint8_t>(value));
  const int left = (width - image.width) / 2, top = (height - image.height) / 2;
  for (int y = 0; y < image.height; ++y)
    std::copy_n(image.row(y), image.row_bytes(),
                out.row(top + y) + static_cast<std::ptrdiff_t>(left) * image.channels);
  return out;
}

/// The sides of a picture of w x h resized so that it covers (or with `within` does not leave) width x
/// height. The side that decides is exact, the other rounded down as torchvision does it.
std::pair<std::int64_t, std::int64_t> keep_proportions(std::int64_t w, std::int64_t h, int width, int height,
                                                       bool within) {
  const bool width_decides = (std::int64_t{width} * h >= std::int64_t{height} * w) != within;
  const auto bounded = [&](std::int64_t other, int limit) {
    return within ? std::clamp<std::int64_t>(other, 1, limit) : std::max<std::int64_t>(other, limit);
  };
  if (width_decides) return {width, bounded(h * width / w, height)};
  return {bounded(w * height / h, width), height};
}

/// How a picture of these sides is made to fit; Fit::pad still has to be padded.
ResizePlan plan_of(const Preprocess& p, int source_width, int source_height) {
  switch (p.fit) {
    case Fit::crop: {
      const auto [w, h] = keep_proportions(source_width, source_height,
                                           static_cast<int>(std::lround(p.width / p.crop_fraction)),
                                           static_cast<int>(std::lround(p.height / p.crop_fraction)), false);
      return ResizePlan::middle(source_width, source_height, w, h, p.width, p.height, p.filter);
    }
    case Fit::pad: {
      const auto [w, h] = keep_proportions(source_width, source_height, p.width, p.height, true);
      return ResizePlan::whole(source_width, source_height, static_cast<int>(w), static_cast<int>(h),
                               p.filter);
    }
    case Fit::squash:
      break;
  }
  return ResizePlan::whole(source_width, source_height, p.width, p.height, p.filter);
}

/// The least whole picture that the plan still reduces: what the decoder may reduce to.
void allow_reduced(const ResizePlan& plan, DecodeOptions& options) {
  const auto least = [](int sides, double from, double to, std::int64_t out) {
    const double wanted = std::ceil(sides * static_cast<double>(out) / (to - from));
    return static_cast<int>(std::min<double>(wanted, sides));
  };
  options.least_width = least(plan.source_width, plan.box.left, plan.box.right, plan.width);
  options.least_height = least(plan.source_height, plan.box.top, plan.box.bottom, plan.height);
}

/// Runs the plan for a picture of the sides that turn up, on as little of the picture as will do.
template <class Plan>
Image read_resized(const PictureSource& source, Decode decode, bool grey, const Plan& plan_for) {
  std::optional<ResizePlan> plan;
  DecodeOptions options;
  options.channels = grey ? 1 : 0;
  Area have;
  options.choose = [&](int width, int height, DecodeOptions& chosen) {
    plan = plan_for(width, height);
    if (decode == Decode::exact)
      have = chosen.part = plan->needs();
    else
      allow_reduced(*plan, chosen);
  };
  Image image = source(options);
  if (!plan) plan = plan_for(image.width, image.height);  // it came whole
  if (have.width == 0) {
    have = {0, 0, image.width, image.height};
    plan = plan->on(image.width, image.height);
  }
  if (grey) image = with_channels(std::move(image), 1);
  return plan->run(image, have);
}

/// As the formula says, in double; the short cut only where it gives the same floats.
PixelTable table_of(double scale, double mean, double deviation) {
  PixelTable table;
  table.factor = scale / deviation;
  table.offset = -mean / deviation;
  table.is_affine = true;
  for (int pixel = 0; pixel < 256; ++pixel) {
    const auto value = static_cast<float>((pixel * scale - mean) / deviation);
    table.value[pixel] = value;
    const auto affine = static_cast<float>(std::fma(pixel, table.factor, table.offset));
    table.is_affine =
        table.is_affine && std::bit_cast<std::uint32_t>(affine) == std::bit_cast<std::uint32_t>(value);
  }
  return table;
}

}  // namespace

PictureSource source_of(std::filesystem::path path) {
  return [path = std::move(path)](const DecodeOptions& options) { return load_image(path, options); };
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
  const JsonFields in(json, "preprocessing",
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
  return fitted([&](const DecodeOptions&) { return image; });
}

Image Preprocess::fitted(const Image& image, const Augment& augment, Rng& rng) const {
  return fitted([&](const DecodeOptions&) { return image; }, augment, rng);
}

Image Preprocess::fitted(const PictureSource& source) const {
  Rng unused(0);
  return fitted(source, Augment{}, unused);
}

Image Preprocess::fitted(const PictureSource& source, const Augment& augment, Rng& rng) const {
  const auto plan = [&](int source_width, int source_height) {
    if (!augment.needs_whole_picture()) return plan_of(*this, source_width, source_height);
    ResizePlan part = ResizePlan::whole(source_width, source_height, width, height, filter);
    part.box = random_part(source_width, source_height, augment.min_area, rng);
    return part;
  };
  // Colour becomes grey before the resize, but behind that of a random part; grey becomes colour where it is
  // less work, which changes no bit.
  const bool grey_first = channels == 1 && !augment.needs_whole_picture();
  Image image = with_channels(read_resized(source, decode, grey_first, plan), channels);
  if (fit == Fit::pad && !augment.needs_whole_picture())
    image = padded(std::move(image), width, height, pad_value);
  return augment_fitted(std::move(image), augment, pad_value, rng);
}

void Preprocess::normalize(const Image& fitted_image, std::span<float> chw) const {
  const std::size_t count = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  const auto depth = static_cast<std::size_t>(channels);
  ensure(fitted_image.height == height && fitted_image.width == width && fitted_image.channels == channels,
         "a picture fits before it is normalized");
  ensure(chw.size() == count * depth, "there is room for a normalized picture");
  std::array<PixelTable, 3> tables;
  std::array<int, 3> from{};
  for (int c = 0; c < channels; ++c) {
    const auto i = static_cast<std::size_t>(c);
    tables[i] = table_of(scale, mean[i], std[i]);
    from[i] = order == ChannelOrder::bgr ? channels - 1 - c : c;
  }
  pixel_loops().planes(fitted_image.pixels.data(), count, channels, from.data(), tables.data(), chw.data());
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

}  // namespace enxerto
