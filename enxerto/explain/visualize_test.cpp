#include "enxerto/explain/visualize.h"

#include <gtest/gtest.h>

#include "enxerto/core/error.h"
#include "enxerto/explain/networks_for_tests.h"
#include "enxerto/graph/rebuild.h"

namespace enxerto {
namespace {

using namespace tests;

/// Channel 2 answers to red, where the network is given red first; the others to nothing.
Graph detectors() {
  Graph graph;
  const NodeId conv = graph.add("conv", Conv2d{.out = 4, .kernel = 4}, {graph.input({1, 3, 40, 40})});
  const NodeId relu = graph.add("relu", Activate{}, {conv});
  graph.add("fc", Linear{.out = 2}, {graph.add("flat", Flatten{}, {relu})});
  const std::span<float> weights = graph.params()[0].value.data();
  for (std::size_t c = 0; c < 3; ++c)
    std::fill_n(weights.begin() + static_cast<std::ptrdiff_t>((2 * 3 + c) * 16), 16, c == 0 ? 1.0f : -1.0f);
  return as_evaluated(graph);
}

/// Channel 0 answers to edges that lie, channel 1 to those that stand.
Graph energies() {
  Graph graph;
  NodeId x = graph.input({1, 3, 40, 40});
  x = graph.add("conv", Conv2d{.out = 2, .kernel = 4}, {x});
  x = graph.add("relu", Activate{}, {x});
  x = graph.add("pool", AvgPool2d{.kernel = 2, .stride = 2}, {x});
  graph.add("fc", Linear{.out = 2}, {graph.add("flat", Flatten{}, {x})});
  const std::span<float> weights = graph.params()[0].value.data();
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t y = 0; y < 4; ++y)
      for (std::size_t column = 0; column < 4; ++column) {
        weights[((0 * 3 + c) * 4 + y) * 4 + column] = y / 2 ? 0.2f : -0.2f;
        weights[((1 * 3 + c) * 4 + y) * 4 + column] = column / 2 ? 0.2f : -0.2f;
      }
  return as_evaluated(graph);
}

const Preprocess unit = Preprocess::of(Normalization::unit, 40, 40);

/// The means of the layer's maps for a picture of any size.
std::vector<double> answers(const Graph& graph, std::string_view layer, Preprocess preprocess,
                            const Image& image) {
  preprocess.height = image.height;
  preprocess.width = image.width;
  Tensor input(preprocess.shape());
  preprocess.apply(image, input.data());
  Graph part = graph.clone();
  part.cut_after(layer);
  Executor executor(rebuilt(part, {.image = preprocess.shape()}), {.batch = 1});
  const ConstView out = executor.forward(input.view());
  std::vector<double> means(static_cast<std::size_t>(out.shape.c), 0.0);
  const std::size_t places = out.data.size() / means.size();
  for (std::size_t i = 0; i < out.data.size(); ++i)
    means[i / places] += out.data[i] / static_cast<double>(places);
  return means;
}

Image noise(int side, std::uint64_t seed) {
  Image made(side, side, 3);
  Rng rng(seed);
  for (std::uint8_t& pixel : made.pixels) pixel = static_cast<std::uint8_t>(rng.below(256));
  return made;
}

TEST(Visualize, FindsWhatAChannelAnswersTo) {
  const std::vector<int> channels = {0, 1};
  const Graph graph = energies();
  const std::vector<Image> made = visualize(graph, "pool", channels, unit, {.size = 48, .steps = 150});
  ASSERT_EQ(made.size(), 2u);
  EXPECT_EQ(made[0].width, 48);  // no linear layer stands before
  const auto first = answers(graph, "pool", unit, made[0]), second = answers(graph, "pool", unit, made[1]);
  EXPECT_GT(first[0], 2 * second[0]);
  EXPECT_GT(second[1], 2 * first[1]);
  EXPECT_GT(first[0], 3 * answers(graph, "pool", unit, noise(48, 1))[0]);
}

TEST(Visualize, FindsColoursWhateverTheOrderAndTheLevels) {
  const std::vector<int> red = {2};
  for (const Normalization normalization :
       {Normalization::unit, Normalization::caffe, Normalization::imagenet}) {
    const Preprocess preprocess = Preprocess::of(normalization, 40, 40);
    const Image made = visualize(detectors(), "relu", red, preprocess, {.size = 32, .steps = 200})[0];
    double sums[3] = {0, 0, 0};
    for (std::size_t i = 0; i < made.pixels.size(); ++i) sums[i % 3] += made.pixels[i];
    // The network's first channel is blue where its pictures are BGR.
    const int wanted = preprocess.order == ChannelOrder::bgr ? 2 : 0;
    EXPECT_GT(sums[wanted], 1.5 * sums[1]);
    EXPECT_GT(sums[wanted], 1.5 * sums[2 - wanted]);
  }
}

TEST(Visualize, ClimbsHigherThanNoiseInAWholeNetwork) {
  const Graph graph = as_evaluated(golden_graph());
  const std::vector<int> channels = {1, 3};
  const Preprocess preprocess = Preprocess::of(Normalization::imagenet, 10, 12);
  // A linear layer after global pooling works at any size.
  const std::vector<Image> made = visualize(graph, "fc", channels, preprocess, {.size = 32, .steps = 100});
  for (std::size_t i = 0; i < 2; ++i) {
    const auto channel = static_cast<std::size_t>(channels[i]);
    double best = -1e9;
    for (std::uint64_t seed = 0; seed < 50; ++seed)
      best = std::max(best, answers(graph, "fc", preprocess, noise(32, seed))[channel]);
    EXPECT_GT(answers(graph, "fc", preprocess, made[i])[channel], best) << i;
  }
}

TEST(Visualize, IsAFunctionOfItsSeedWhateverElseIsPainted) {
  const std::vector<int> both = {0, 1}, second = {1};
  const auto made = [&](const std::vector<int>& channels, std::uint64_t seed) {
    return visualize(energies(), "conv", channels, unit, {.size = 24, .steps = 5, .seed = seed});
  };
  EXPECT_EQ(made(both, 1), made(both, 1));
  EXPECT_NE(made(both, 1), made(both, 2));
  EXPECT_EQ(made(both, 1)[1], made(second, 1)[0]);
}

TEST(Visualize, StirsWhatASilentChannelHasNoSlopeFor) {
  Graph graph = energies();
  // Not before there are strong edges.
  for (Param& param : graph.params())
    if (param.name == "conv.bias") std::ranges::fill(param.value.data(), -0.3f);
  const std::vector<int> channels = {0};
  const auto answer = [&](int steps) {
    const Image made = visualize(graph, "pool", channels, unit, {.size = 48, .steps = steps})[0];
    return answers(graph, "pool", unit, made)[0];
  };
  EXPECT_EQ(answer(1), 0);
  EXPECT_GT(answer(100), 0.1);
}

TEST(Visualize, TakesTheNetworksOwnSizeBehindALinearLayer) {
  const std::vector<int> channels = {1};
  const Image made = visualize(energies(), "fc", channels, unit, {.size = 48, .steps = 2})[0];
  EXPECT_EQ(made.width, 40);
}

TEST(Visualize, RefusesWhatCannotBe) {
  const std::vector<int> channels = {0}, beyond = {2};
  EXPECT_THROW(visualize(energies(), "nonsense", channels, unit), Error);
  EXPECT_THROW(visualize(energies(), "input", channels, unit), Error);
  EXPECT_THROW(visualize(energies(), "conv", beyond, unit), Error);
  EXPECT_THROW(visualize(energies(), "conv", channels, unit, {.size = 15}), Error);
  EXPECT_THROW(visualize(energies(), "conv", channels, unit, {.steps = 0}), Error);
  Graph damaged = energies();
  damaged.params()[0].value.data()[5] = std::nanf("");
  EXPECT_THROW(visualize(damaged, "conv", channels, unit), Error);
}

}  // namespace
}  // namespace enxerto
