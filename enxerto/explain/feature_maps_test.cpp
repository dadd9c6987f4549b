#include "enxerto/explain/feature_maps.h"

#include <gtest/gtest.h>

#include "enxerto/core/error.h"
#include "enxerto/explain/networks_for_tests.h"
#include "enxerto/image/letters.h"
#include "enxerto/image/resize.h"

namespace enxerto {
namespace {

using namespace tests;

TEST(FeatureMaps, AreTheValuesOfAnyLayer) {
  const Graph graph = golden_graph();
  const Tensor image = golden_image();
  for (const char* layer : {"conv1", "bn1", "relu1", "sum", "pool2", "fc"}) {
    Graph alone = graph.clone();
    alone.set_side_outputs({alone.id_of(layer)});
    Executor executor(alone, {.batch = 1, .reference = true, .side_outputs = true});
    executor.forward(image.view());
    const ConstView wanted = executor.side_output(0);
    const std::vector<Heatmap> maps = feature_maps(graph, image.view(), layer);
    ASSERT_EQ(std::ssize(maps), wanted.shape.c) << layer;
    std::size_t i = 0;
    for (const Heatmap& map : maps) {
      EXPECT_EQ(map.height, wanted.shape.h);
      EXPECT_EQ(map.width, wanted.shape.w);
      for (const float x : map.values) EXPECT_NEAR(x, wanted.data[i++], 1e-5) << layer;
    }
    EXPECT_EQ(i, wanted.data.size());
  }
  EXPECT_THROW(feature_maps(graph, image.view(), "nonsense"), Error);
}

TEST(FeatureMaps, MostActiveComeFirst) {
  const std::vector<Heatmap> maps = {{1, 2, {1, -9}}, {1, 2, {3, 1}}, {1, 2, {-1, -1}}, {1, 2, {2, 2}}};
  EXPECT_EQ(most_active(maps, 3), (std::vector{1, 3, 0}));
  EXPECT_EQ(most_active(maps, 9), (std::vector{1, 3, 0, 2}));
}

TEST(FeatureMaps, ASheetShowsThePictureAndEachMapFromItsLowestToItsHighest) {
  const std::vector<Heatmap> maps = {{2, 2, {0, 1, 2, 4}}, {2, 2, {-1, 1, 0, 0}}, {2, 2, {5, 5, 5, 5}}};
  Image picture(4, 4, 3);
  std::ranges::fill(picture.pixels, std::uint8_t{90});
  const Image sheet = map_sheet(picture, maps, {0, 1, 2});
  const int side = 80, step = side + 2 + letter_height + 4;
  EXPECT_EQ(crop(sheet, 4, 4, side, side), resize(picture, side, side));
  EXPECT_EQ(crop(sheet, 4 + side + 4, 4, side, side), enlarged(heat_picture(maps[0], 0, 4), 40));
  EXPECT_EQ(crop(sheet, 4, 4 + step, side, side), enlarged(heat_picture(maps[1], -1, 1), 40));
  EXPECT_EQ(crop(sheet, 4 + side + 4, 4 + step, side, side), enlarged(heat_picture(maps[2], 0, 5), 40));
}

TEST(Filters, AreTheWeightsAroundGrey) {
  Graph graph;
  graph.add("conv", Conv2d{.out = 2, .kernel = 1}, {graph.input({1, 3, 4, 4})});
  std::ranges::copy(std::vector{0.5f, 0.0f, -0.25f, 0.0f, 0.0f, 0.0f},
                    graph.params()[0].value.data().begin());
  const Filters filters = first_filters(graph, ChannelOrder::rgb);
  EXPECT_EQ(filters.layer, "conv");
  ASSERT_EQ(filters.pictures.size(), 2u);
  EXPECT_EQ(filters.pictures[0].pixels, (std::vector<std::uint8_t>{255, 128, 64}));
  EXPECT_EQ(filters.pictures[1].pixels, (std::vector<std::uint8_t>{128, 128, 128}));
  EXPECT_EQ(first_filters(graph, ChannelOrder::bgr).pictures[0].pixels,
            (std::vector<std::uint8_t>{64, 128, 255}));
  EXPECT_EQ(filter_sheet(filters).width, 4 + 2 * (80 + 4));
}

TEST(Filters, DamagedWeightsAreGrey) {
  Graph graph;
  graph.add("conv", Conv2d{.out = 1, .kernel = 1}, {graph.input({1, 3, 4, 4})});
  std::ranges::copy(std::vector{INFINITY, NAN, 1.0f}, graph.params()[0].value.data().begin());
  EXPECT_EQ(first_filters(graph, ChannelOrder::rgb).pictures[0].pixels,
            (std::vector<std::uint8_t>{128, 128, 128}));
}

TEST(Filters, RefusesWhatHasNoColours) {
  Graph deep, none;
  deep.add("conv", Conv2d{.out = 2}, {deep.input({1, 4, 8, 8})});
  none.add("fc", Linear{.out = 2}, {none.add("flat", Flatten{}, {none.input({1, 1, 8, 8})})});
  EXPECT_THROW(first_filters(deep, ChannelOrder::rgb), Error);
  EXPECT_THROW(first_filters(none, ChannelOrder::rgb), Error);
}

}  // namespace
}  // namespace enxerto
