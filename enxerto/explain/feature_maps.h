/// What layers make of a picture, and what the first one looks for, as pictures.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "enxerto/data/preprocess.h"
#include "enxerto/explain/heatmap.h"
#include "enxerto/graph/graph.h"
#include "enxerto/image/contact_sheet.h"

namespace enxerto {

/// The layer's output for image {1, c, h, w}, a map for each channel. What a list of numbers is made of are
/// maps of one place. Error{not_found} where there is no such layer.
std::vector<Heatmap> feature_maps(const Graph& graph, ConstView image, std::string_view layer);

/// Channels by the sum of their maps' values above 0, most first; at most `count`.
std::vector<int> most_active(const std::vector<Heatmap>& maps, int count);

/// The picture, then the maps of these channels, each from its own lowest value (0 where that is above) to
/// its own highest, which its label tells. Small maps are enlarged, their places as squares.
Image map_sheet(const Image& picture, const std::vector<Heatmap>& maps, const std::vector<int>& channels);

/// The first convolution's filters as pictures of their weights: 0 is mid grey, the filter's largest weight
/// is black or white.
struct Filters {
  std::string layer;
  std::vector<Image> pictures;  ///< one for each output, a pixel a weight; RGB or grey
};
/// `order`: that of the network's input. Error{unsupported} where the first convolution does not look at 1 or
/// 3 channels, or there is none.
Filters first_filters(const Graph& graph, ChannelOrder order);

/// Labelled by their numbers, enlarged.
Image filter_sheet(const Filters& filters);

/// Every pixel as a square, `times` wide and high.
Image enlarged(const Image& image, int times);

}  // namespace enxerto
