#include "enxerto/data/preprocess_view.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

const char* name_of(Filter filter) {
  switch (filter) {
    case Filter::bilinear:
      return "bilinear";
    case Filter::bicubic:
      return "bicubic";
    case Filter::lanczos:
      return "Lanczos";
  }
  return "";
}

void add_fit(const Preprocess& p, std::vector<std::string>& steps) {
  const auto sides = [](long width, long height) { return text(width, "x", height); };
  const std::string filter = text("(", name_of(p.filter), ", antialiased)");
  switch (p.fit) {
    case Fit::crop: {
      const std::string covered =
          sides(std::lround(p.width / p.crop_fraction), std::lround(p.height / p.crop_fraction));
      steps.push_back(
          text("resized ", filter, " so that it just covers ", covered, ", its proportions kept"));
      steps.push_back(text("the middle ", sides(p.width, p.height), " cut out"));
      break;
    }
    case Fit::pad:
      steps.push_back(text("resized ", filter, " so that it just lies within ", sides(p.width, p.height),
                           ", its proportions kept"));
      steps.push_back(text("filled up to ", sides(p.width, p.height), " with ", p.pad_value,
                           ", the picture in the middle"));
      break;
    case Fit::squash:
      steps.push_back(
          text("resized ", filter, " to ", sides(p.width, p.height), ", whatever its proportions"));
      break;
  }
}

}  // namespace

std::vector<std::string> preprocess_steps(const Preprocess& p) {
  std::vector<std::string> steps;
  steps.push_back(
      text("decoded", p.decode == Decode::fast ? ", JPEG at a reduced size where that is enough" : "",
           ": upright as EXIF says, 16 bits scaled to 8, CMYK to RGB, what is transparent over white"));
  steps.emplace_back(p.channels == 1 ? "colour turned to grey, 0.299 R + 0.587 G + 0.114 B"
                                     : "RGB; grey becomes three equal channels");
  add_fit(p, steps);
  const auto list = [](const std::vector<double>& values) {
    std::vector<std::string> parts;
    for (const double value : values) parts.push_back(text(value));
    return parts.size() == 1 ? parts.front() : text("(", join(parts, " "), ")");
  };
  if (p.channels == 3)
    steps.push_back(text("channels in the order ", p.order == ChannelOrder::rgb ? "R G B" : "B G R",
                         ", each a plane of its own"));
  const std::string scaled = p.scale == 1           ? "value"
                             : p.scale == 1.0 / 255 ? "value / 255"
                                                    : text("value * ", p.scale);
  const auto all_are = [](const std::vector<double>& values, double wanted) {
    return std::all_of(values.begin(), values.end(), [&](double value) { return value == wanted; });
  };
  std::string formula = scaled;
  if (!all_are(p.mean, 0)) formula = text(formula, " - ", list(p.mean));
  if (!all_are(p.std, 1)) formula = text("(", formula, ") / ", list(p.std));
  steps.push_back(text("each value of 0..255 becomes ", formula, " as float32"));
  return steps;
}

Image unnormalized(const Preprocess& p, std::span<const float> chw) {
  Image out(p.height, p.width, p.channels);
  ensure(chw.size() == out.pixels.size(), "a normalized picture has its program's size");
  const auto depth = static_cast<std::size_t>(p.channels);
  const std::size_t count = out.pixels.size() / depth;
  for (std::size_t c = 0; c < depth; ++c) {
    const float* from = chw.data() + c * count;
    std::uint8_t* to = out.pixels.data() + (p.order == ChannelOrder::bgr ? depth - 1 - c : c);
    for (std::size_t i = 0; i < count; ++i) {
      const double value = (static_cast<double>(from[i]) * p.std[c] + p.mean[c]) / p.scale;
      to[i * depth] = static_cast<std::uint8_t>(std::clamp(std::nearbyint(value), 0.0, 255.0));
    }
  }
  return out;
}

}  // namespace enxerto
