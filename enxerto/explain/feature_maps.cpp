#include "enxerto/explain/feature_maps.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <variant>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/image/resize.h"

namespace enxerto {
namespace {

constexpr int least_side = 80;  // of a tile: thirteen letters

int times_for(int height, int width) {
  const int shorter = std::min(height, width);
  return (least_side + shorter - 1) / shorter;
}

std::string short_figure(float value) {
  return std::abs(value) < 10 ? fixed(value, 2) : std::abs(value) < 1000 ? fixed(value, 0) : text(value);
}

}  // namespace

Image enlarged(const Image& image, int times) {
  Image made(image.height * times, image.width * times, image.channels);
  for (int y = 0; y < made.height; ++y)
    for (int x = 0; x < made.width; ++x)
      std::copy_n(image.row(y / times) + x / times * image.channels, image.channels,
                  made.row(y) + x * image.channels);
  return made;
}

std::vector<Heatmap> feature_maps(const Graph& graph, ConstView image, std::string_view layer) {
  Graph part = graph.clone();
  part.cut_after(layer);
  Executor executor(part, {.batch = 1});
  const ConstView out = executor.forward(image);
  const auto places = static_cast<std::size_t>(out.shape.h * out.shape.w);
  std::vector<Heatmap> maps;
  for (std::size_t k = 0; k < static_cast<std::size_t>(out.shape.c); ++k) {
    const auto values = out.data.subspan(k * places, places);
    maps.push_back({.height = static_cast<int>(out.shape.h),
                    .width = static_cast<int>(out.shape.w),
                    .values = {values.begin(), values.end()}});
  }
  return maps;
}

std::vector<int> most_active(const std::vector<Heatmap>& maps, int count) {
  std::vector<double> sums;
  for (const Heatmap& map : maps)
    sums.push_back(std::accumulate(map.values.begin(), map.values.end(), 0.0,
                                   [](double sum, float x) { return sum + std::max(x, 0.0f); }));
  std::vector<int> order(maps.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater{}, [&](int k) { return sums[static_cast<std::size_t>(k)]; });
  order.resize(std::min(order.size(), static_cast<std::size_t>(count)));
  return order;
}

Image map_sheet(const Image& picture, const std::vector<Heatmap>& maps, const std::vector<int>& channels) {
  ensure(!channels.empty(), "a sheet shows something");
  const Heatmap& first = maps[static_cast<std::size_t>(channels[0])];
  const int times = times_for(first.height, first.width);
  std::vector<Labelled> tiles;
  tiles.push_back({resize(with_channels(picture, 3), first.width * times, first.height * times), "picture"});
  for (const int channel : channels) {
    const Heatmap& map = maps[static_cast<std::size_t>(channel)];
    const auto [low, high] = std::ranges::minmax(map.values);
    tiles.push_back({enlarged(heat_picture(map, std::min(low, 0.0f), high), times),
                     text("#", channel, " to ", short_figure(high))});
  }
  return labelled_sheet(tiles, sheet_columns(tiles.size(), tiles[0].picture.width, tiles[0].picture.height));
}

Filters first_filters(const Graph& graph, ChannelOrder order) {
  for (const Node& node : graph.nodes()) {
    if (!std::holds_alternative<Conv2d>(node.layer)) continue;
    const Tensor& weights = graph.params()[static_cast<std::size_t>(node.params[0])].value;
    const Shape& shape = weights.shape();
    if (shape.c != 1 && shape.c != 3)
      throw Error(ErrorKind::unsupported, text("the filters of the first convolution, \"", node.name,
                                               "\", have ", shape.c, " channels, which are no colours"));
    Filters made{.layer = node.name, .pictures = {}};
    const auto channels = static_cast<std::size_t>(shape.c),
               places = static_cast<std::size_t>(shape.h * shape.w);
    for (std::size_t k = 0; k < static_cast<std::size_t>(shape.n); ++k) {
      const auto filter = weights.data().subspan(k * channels * places, channels * places);
      float largest = 0;
      for (const float w : filter) largest = std::max(largest, std::abs(w));
      Image picture(static_cast<int>(shape.h), static_cast<int>(shape.w), static_cast<int>(channels));
      for (std::size_t c = 0; c < channels; ++c)
        for (std::size_t i = 0; i < places; ++i) {
          const std::size_t from = order == ChannelOrder::bgr ? channels - 1 - c : c;
          const float w = filter[from * places + i], share = largest > 0 ? w / largest : 0;
          picture.pixels[i * channels + c] =
              static_cast<std::uint8_t>(std::lround(127.5f + 127.5f * (std::isfinite(share) ? share : 0)));
        }
      made.pictures.push_back(std::move(picture));
    }
    return made;
  }
  throw Error(ErrorKind::unsupported, "the network has no convolution whose filters could be shown");
}

Image filter_sheet(const Filters& filters) {
  const int times = times_for(filters.pictures[0].height, filters.pictures[0].width);
  std::vector<Labelled> tiles;
  for (std::size_t k = 0; k < filters.pictures.size(); ++k)
    tiles.push_back({enlarged(filters.pictures[k], times), text(k)});
  return labelled_sheet(tiles, sheet_columns(tiles.size(), tiles[0].picture.width, tiles[0].picture.height));
}

}  // namespace enxerto
