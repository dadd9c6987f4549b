#include "enxerto/transfer/prefix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/graph/split.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto {
namespace {

Prefix prefix_of(const std::string& net, int size) {
  Graph graph = make_net(net, {.image = Shape{1, 3, size, size}, .classes = 4});
  graph.init({}, Rng(1));
  const auto cut = features_cut(graph);
  SplitGraph split = split_at(graph, graph.node(cut ? *cut : cut_points(graph).back()).name);
  return {.graph = std::move(split.prefix), .preprocess = Preprocess::imagenet(size, size), .batch = 16};
}

/// The picture's row where it stands at `place` of a batch with other pictures.
std::vector<float> row_at(PrefixRunner& runner, const Prefix& prefix, std::span<const float> picture,
                          int place) {
  Shape shape = prefix.preprocess.shape();
  shape.n = prefix.batch;
  Tensor images(shape);
  Rng rng(static_cast<std::uint64_t>(place) + 1);
  for (float& x : images.data()) x = rng.normal();
  std::ranges::copy(picture, images.data().begin() + place * std::ssize(picture));
  const ConstView rows = runner.run(images.view(), static_cast<std::size_t>(prefix.batch));
  const auto row = rows.data.subspan(static_cast<std::size_t>(place * prefix.row_size()),
                                     static_cast<std::size_t>(prefix.row_size()));
  return {row.begin(), row.end()};
}

TEST(Prefix, ARowDependsOnThePictureAlone) {
  for (const auto& [net, size] : {std::pair{"resnet18", 32},
                                  {"resnet50", 32},
                                  {"mobilenet_v2", 32},
                                  {"mobilenet_v3_small", 32},
                                  {"squeezenet1_1", 64},
                                  {"lenet5", 32}}) {
    const Prefix prefix = prefix_of(net, size);
    Tensor picture(prefix.preprocess.shape());
    Rng rng(5);
    for (float& x : picture.data()) x = rng.normal();
    for (const int threads : {1, 2}) {
      set_threads(threads);
      PrefixRunner runner(prefix);
      const std::vector<float> wanted = row_at(runner, prefix, picture.data(), 0);
      for (const int place : {1, 7, 15})
        EXPECT_EQ(row_at(runner, prefix, picture.data(), place), wanted)
            << net << " at " << place << " on " << threads << " threads";
    }
    set_threads(0);
  }
}

TEST(Prefix, AValueThatIsNotFiniteNamesItsLayer) {
  Graph graph;
  graph.add("conv", Conv2d{.out = 2}, {graph.input({1, 3, 4, 4})});
  graph.params()[0].value.data()[0] = std::numeric_limits<float>::infinity();
  Prefix prefix{.graph = std::move(graph), .preprocess = Preprocess::plain(4, 4, 3)};
  Shape shape = prefix.preprocess.shape();
  shape.n = prefix.batch;
  Tensor ones(shape);
  std::ranges::fill(ones.data(), 1.0f);
  try {
    PrefixRunner(prefix).run(ones.view(), 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::diverged);
    EXPECT_NE(std::string(error.what()).find("conv"), std::string::npos) << error.what();
  }
}

TEST(Prefix, TheKeyChangesWithAllThatDecidesARow) {
  const auto make = [] { return prefix_of("lenet5", 32); };
  const ContentKey key = make().key();
  EXPECT_EQ(make().key(), key);
  Prefix frozen = make();
  frozen.graph.freeze("");
  EXPECT_EQ(frozen.key(), key);
  Prefix weight = make();
  weight.graph.params()[0].value.data()[3] += 1e-7f;
  EXPECT_NE(weight.key(), key);
  Prefix preprocess = make();
  preprocess.preprocess.decode = Decode::fast;
  EXPECT_NE(preprocess.key(), key);
  Prefix batch = make();
  batch.batch = 8;
  EXPECT_NE(batch.key(), key);
  set_threads(3);
  EXPECT_NE(make().key(), key);
  set_threads(0);
  Prefix seed = make();
  seed.seed = 1;
  EXPECT_EQ(seed.key(), key);  // nothing is drawn
  seed.augment.flip = 0.5;
  Prefix other_seed = make();
  other_seed.augment.flip = 0.5;
  EXPECT_NE(seed.key(), key);
  EXPECT_NE(seed.key(), other_seed.key());
}

}  // namespace
}  // namespace enxerto
