#include "enxerto/explain/occlusion.h"

#include <gtest/gtest.h>

#include "enxerto/core/error.h"
#include "enxerto/explain/networks_for_tests.h"

namespace enxerto {
namespace {

using namespace tests;

/// Two outputs: 0, and the picture's mean times 4.
Graph brightness() {
  Graph graph;
  const NodeId pool = graph.add("pool", GlobalAvgPool{}, {graph.input({1, 1, 4, 6})});
  graph.add("fc", Linear{.out = 2}, {pool});
  for (Param& param : graph.params())
    if (param.name == "fc.weight") param.value.data()[1] = 4;
  return graph;
}

TEST(Occlusion, IsTheFallOfTheProbability) {
  Tensor image({1, 1, 4, 6});
  image.data()[0] = 24;  // mean 1
  const double whole = 1 / (1 + std::exp(-4.0));
  // Covered, the bright pixel is 1 too: the mean is 1 / 24, and that of what covers dark pixels.
  const auto told = [&](double sum) { return 1 / (1 + std::exp(-4.0 * sum / 24)); };
  for (const int batch : {1, 4, 16}) {
    const Heatmap map =
        occlusion_map(brightness(), image.view(), 1, {.patch = 2, .stride = 2, .batch = batch});
    EXPECT_EQ(map.height, 2);
    EXPECT_EQ(map.width, 3);
    EXPECT_NEAR(map.at(0, 0), whole - told(4), 1e-6);
    for (const auto& [y, x] : {std::pair{0, 1}, {0, 2}, {1, 0}, {1, 2}})
      EXPECT_NEAR(map.at(y, x), whole - told(28), 1e-6);
    // Of the other output the opposite.
    EXPECT_NEAR(occlusion_map(brightness(), image.view(), 0, {.patch = 2, .stride = 2}).at(0, 0),
                told(4) - whole, 1e-6);
  }
  // Where labels are questions of their own, output 0 is always one half.
  const Heatmap own =
      occlusion_map(brightness(), image.view(), 0, {.patch = 2, .stride = 2, .multi_label = true});
  EXPECT_EQ(std::ranges::count(own.values, 0.0f), 6);
}

TEST(Occlusion, CoversEveryPlaceWhateverTheStride) {
  Tensor image({1, 1, 4, 6});
  for (float& x : image.data()) x = 1;
  for (const int patch : {1, 2, 3, 4})
    for (int stride = 1; stride <= patch; ++stride) {
      const Heatmap map = occlusion_map(brightness(), image.view(), 1, {.patch = patch, .stride = stride});
      EXPECT_EQ(map.height, (4 + stride - 1) / stride);
      EXPECT_EQ(map.width, (6 + stride - 1) / stride);
      for (const float x : map.values) EXPECT_NEAR(x, 0, 1e-6);  // its own mean covers it
    }
}

TEST(Occlusion, FindsThePatchThatDecidesTheClass) {
  const Graph graph = as_evaluated(trained_on_planted());
  constexpr int pictures = 20;
  int found = 0;
  for (std::uint64_t i = 0; i < pictures; ++i) {
    const Planted picture = planted(Rng(2).child(i));
    const Heatmap map = occlusion_map(graph, picture.image.view(), picture.label, {.patch = 8, .stride = 2});
    found += lies_in_patch(highest(map, 32, 32), picture);
  }
  EXPECT_GE(found, 19) << "of " << pictures;
}

TEST(Occlusion, RefusesAPatchThatDoesNotFit) {
  const Shape image{1, 3, 224, 160};
  EXPECT_EQ(filled_in({}, image).patch, 22);
  EXPECT_EQ(filled_in({}, image).stride, 11);
  EXPECT_EQ(filled_in({}, {1, 1, 3, 3}).patch, 1);
  EXPECT_THROW(filled_in({.patch = 161}, image), Error);
  EXPECT_THROW(filled_in({.patch = -1}, image), Error);
  EXPECT_THROW(filled_in({.patch = 8, .stride = 9}, image), Error);
  EXPECT_THROW(filled_in({.patch = 8, .stride = -1}, image), Error);
}

}  // namespace
}  // namespace enxerto
