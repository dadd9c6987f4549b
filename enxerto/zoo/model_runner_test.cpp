#include "enxerto/zoo/model_runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

Graph features() {
  Graph graph;
  NodeId x = graph.add("conv", Conv2d{.out = 4, .kernel = 3}, {graph.input({.c = 1, .h = 6, .w = 6})});
  x = graph.add("relu", Activate{.function = Activation::relu}, {x});
  graph.add("pool", GlobalAvgPool{}, {x});
  return graph;
}

Graph network() {
  Graph graph = features();
  graph.add("fc", Linear{.out = 3}, {graph.last()});
  graph.init({}, Rng(1));
  return graph;
}

Tensor noise(Shape shape, std::uint64_t seed) {
  Tensor made(shape);
  Rng rng(seed);
  for (float& each : made.data()) each = rng.normal();
  return made;
}

const Shape images_shape{.n = 8, .c = 1, .h = 6, .w = 6};

/// What the graph gives for the images.
Tensor run_alone(const Graph& graph, const Tensor& images) {
  Executor executor(graph, {.batch = 8});
  const ConstView given = executor.forward(images.view());
  Tensor made({.n = 8, .c = given.shape.c});
  std::ranges::copy(given.data, made.data().begin());
  return made;
}

struct Fitted {
  Graph whole = network(), trunk;
  Tensor images = noise(images_shape, 2);
  Tensor rows;
  std::shared_ptr<const FittedHead> head;
  std::shared_ptr<const Novelty> novelty;

  Fitted() {
    trunk = whole.clone();
    trunk.cut_after("pool");
    rows = run_alone(trunk, images);
    const std::vector<std::int32_t> y{0, 1, 2, 0, 1, 2, 0, 1};
    const Rows with{rows.view(), y, 3};
    HeadConfig config;
    config.kind = "knn";
    config.k = 2;
    head = std::make_shared<FittedHead>(fit_head(with, {"a", "b", "c"}, config).head);
    novelty = std::make_shared<Novelty>(*fit_novelty(with));
  }
};

TEST(ModelRunner, OfALayerGivesWhatTheGraphGives) {
  const Fitted fitted;
  const Tensor wanted = run_alone(fitted.whole, fitted.images);
  for (const bool with : {false, true}) {
    ModelRunner runner(fitted.whole.clone(), 8, nullptr, with ? fitted.novelty : nullptr);
    const ConstView got = runner.run(fitted.images.view(), 8);
    for (std::size_t i = 0; i < wanted.data().size(); ++i) EXPECT_NEAR(got.data[i], wanted.data()[i], 1e-6);
    ASSERT_EQ(runner.distances().size(), with ? 8u : 0u);
    const auto far = fitted.novelty->distances(fitted.rows.view());
    for (std::size_t i = 0; i < runner.distances().size(); ++i)
      EXPECT_NEAR(runner.distances()[i], far[i], 1e-4);
  }
}

TEST(ModelRunner, OfAHeadThatIsNoLayerGivesTheHeadsOutputs) {
  const Fitted fitted;
  ModelRunner runner(fitted.trunk.clone(), 8, fitted.head, fitted.novelty);
  const Tensor wanted = fitted.head->outputs(fitted.rows.view());
  const ConstView got = runner.run(fitted.images.view(), 5);  // the others are padding
  EXPECT_EQ(got.shape, (Shape{.n = 8, .c = 3}));
  EXPECT_TRUE(std::ranges::equal(got.data.first(15), wanted.data().first(15)));
  EXPECT_EQ(runner.distances().size(), 5u);
}

TEST(ModelRunner, FeaturesThatAreNotFiniteAreAnErrorThatNamesTheLayer) {
  Fitted fitted;
  fitted.trunk.params()[0].value.data()[0] = std::numeric_limits<float>::infinity();
  ModelRunner runner(fitted.trunk.clone(), 8, fitted.head);
  try {
    runner.run(fitted.images.view(), 8);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::diverged);
    EXPECT_NE(std::string_view(error.what()).find("\"conv"), std::string_view::npos) << error.what();
  }
}

}  // namespace
}  // namespace enxerto
