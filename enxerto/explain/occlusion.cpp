#include "enxerto/explain/occlusion.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/train/metrics.h"

namespace enxerto {
namespace {

/// Upper or left edges of the patch along a side: each `stride`, and one at the end.
std::vector<int> places_along(std::int64_t side, const OcclusionConfig& config) {
  std::vector<int> places;
  const int last = static_cast<int>(side) - config.patch;
  for (int at = 0; at < last; at += config.stride) places.push_back(at);
  places.push_back(last);
  return places;
}

double probability_of(std::span<const float> outputs, int output, bool multi_label) {
  const auto k = static_cast<std::size_t>(output);
  return multi_label ? 1 / (1 + std::exp(-static_cast<double>(outputs[k])))
                     : enxerto::probability_of(outputs, k);
}

/// The image with the patch at these places, one after the other.
class Cover {
 public:
  Cover(ConstView image, int patch) : image_(image), patch_(patch) {
    const auto size = static_cast<std::size_t>(image.shape.h * image.shape.w);
    for (std::size_t c = 0; c < static_cast<std::size_t>(image.shape.c); ++c) {
      const auto plane = image.data.subspan(c * size, size);
      colour_.push_back(
          static_cast<float>(std::accumulate(plane.begin(), plane.end(), 0.0) / static_cast<double>(size)));
    }
  }
  void write(int top, int left, std::span<float> to) const {
    std::ranges::copy(image_.data, to.begin());
    const std::int64_t height = image_.shape.h, width = image_.shape.w;
    for (std::size_t c = 0; c < colour_.size(); ++c)
      for (int y = top; y < top + patch_; ++y)
        std::fill_n(to.begin() + (static_cast<std::int64_t>(c) * height + y) * width + left, patch_,
                    colour_[c]);
  }

 private:
  ConstView image_;
  int patch_;
  std::vector<float> colour_;
};

}  // namespace

OcclusionConfig filled_in(OcclusionConfig config, const Shape& image) {
  const int shorter = static_cast<int>(std::min(image.h, image.w));
  if (config.patch == 0) config.patch = std::max(1, shorter / 7);
  if (config.patch < 1 || config.patch > shorter)
    throw Error(ErrorKind::usage, text("a patch of ", config.patch, " pixels does not lie in a picture of ",
                                       image.w, "x", image.h));
  if (config.stride == 0) config.stride = std::max(1, config.patch / 2);
  if (config.stride < 1 || config.stride > config.patch)
    throw Error(ErrorKind::usage,
                text("a stride of ", config.stride, " pixels: from 1 to the patch's ", config.patch));
  return config;
}

Heatmap occlusion_map(const Graph& graph, ConstView image, int output, const OcclusionConfig& asked) {
  const OcclusionConfig config = filled_in(asked, image.shape);
  const std::vector<int> tops = places_along(image.shape.h, config),
                         lefts = places_along(image.shape.w, config);
  const std::size_t places = tops.size() * lefts.size();
  const auto outputs = static_cast<std::size_t>(graph.output_shape().size());
  ensure(output >= 0 && static_cast<std::size_t>(output) < outputs, "the network has this output");
  const Cover cover(image, config.patch);
  Executor executor(graph, {.batch = config.batch});
  Shape shape = image.shape;
  shape.n = config.batch;
  Tensor covered(shape);
  const std::size_t size = image.data.size();

  // The picture as it is stands before the places.
  std::vector<double> probabilities;
  while (probabilities.size() < places + 1) {
    const std::size_t begin = probabilities.size();
    const std::size_t count = std::min(places + 1 - begin, static_cast<std::size_t>(config.batch));
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = covered.data().subspan(i * size, size);
      if (begin + i == 0)
        std::ranges::copy(image.data, row.begin());
      else
        cover.write(tops[(begin + i - 1) / lefts.size()], lefts[(begin + i - 1) % lefts.size()], row);
    }
    const ConstView answers = executor.forward(covered.view());
    for (std::size_t i = 0; i < count; ++i)
      probabilities.push_back(
          probability_of(answers.data.subspan(i * outputs, outputs), output, config.multi_label));
  }

  const auto squares = [&](std::int64_t side) {
    return static_cast<int>((side + config.stride - 1) / config.stride);
  };
  Heatmap made{.height = squares(image.shape.h), .width = squares(image.shape.w), .values = {}};
  // The last square may be cut off: its middle is that of what is left.
  const auto middle = [&](int square, std::int64_t side) {
    const double begin = static_cast<double>(square) * config.stride;
    return (begin + std::min(begin + config.stride, static_cast<double>(side))) / 2;
  };
  const auto covers = [&](int place, double point) { return place <= point && point < place + config.patch; };
  for (int y = 0; y < made.height; ++y)
    for (int x = 0; x < made.width; ++x) {
      double fall = 0;
      int count = 0;
      for (std::size_t i = 0; i < places; ++i)
        if (covers(tops[i / lefts.size()], middle(y, image.shape.h)) &&
            covers(lefts[i % lefts.size()], middle(x, image.shape.w)))
          fall += probabilities[0] - probabilities[i + 1], ++count;
      made.values.push_back(static_cast<float>(fall / count));
    }
  return made;
}

}  // namespace enxerto
