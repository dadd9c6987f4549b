#include "enxerto/train/penalty.h"

#include <gtest/gtest.h>

#include "enxerto/core/random.h"
#include "enxerto/core/system.h"
#include "enxerto/train/golden_test.h"
#include "enxerto/train/optimizer.h"

namespace enxerto {
namespace {

TEST(Penalty, IsTheElasticNetOfWhatDecays) {
  tests::Parameters parameters;
  parameters.add({1, -2, 0}, {0, 0, 0});
  parameters.add({100}, {0}, false);
  const auto updates = parameters.updates();
  EXPECT_DOUBLE_EQ(penalty_of({.l1 = 0.5, .l2 = 0}, updates), 0.5 * 3);
  EXPECT_DOUBLE_EQ(penalty_of({.l1 = 0, .l2 = 0.5}, updates), 0.25 * 5);
  const Penalty net = elastic_net(2, 0.25);
  EXPECT_DOUBLE_EQ(penalty_of(net, updates), 0.5 * 3 + 1.5 / 2 * 5);
}

TEST(Penalty, EntersTheStepAndTheNormAsItsGradient) {
  tests::Parameters parameters;
  parameters.add({1, -2, 0}, {0.5f, 0.5f, 0.5f});
  parameters.add({100}, {0.5f}, false);
  const auto updates = parameters.updates();
  const Penalty penalty{.l1 = 0.25, .l2 = 0.5};
  // g + l1 sign(w) + l2 w: 1.25, -0.75, 0.5; and 0.5 alone.
  EXPECT_DOUBLE_EQ(gradient_norm(updates, penalty), std::sqrt(1.25 * 1.25 + 0.75 * 0.75 + 0.25 + 0.25));
  make_optimizer(Sgd{}, updates)->step(updates, 1, {penalty, 0.5});
  EXPECT_EQ(parameters.values[0], (std::vector<float>{1 - 0.625f, -2 + 0.375f, -0.25f}));
  EXPECT_EQ(parameters.values[1], (std::vector<float>{100 - 0.25f}));
  EXPECT_EQ(parameters.gradients[0], (std::vector<float>{0.5f, 0.5f, 0.5f}));
}

TEST(Clipping, IsThatOfPyTorch) {
  const auto& golden = tests::golden().at("clipping");
  for (const auto& one : golden.at("cases")) {
    tests::Parameters parameters;
    for (const auto& gradient : golden.at("gradients"))
      parameters.add(std::vector<float>(gradient.size()), gradient.get<std::vector<float>>());
    const auto updates = parameters.updates();
    const double norm = gradient_norm(updates);
    EXPECT_NEAR(norm, one.at("norm").get<double>(), 1e-6);
    make_optimizer(Sgd{}, updates)->step(updates, -1, {{}, clip_scale(norm, one.at("most").get<double>())});
    for (std::size_t i = 0; i < 2; ++i)
      tests::expect_near_all(one.at("clipped")[i].get<std::vector<double>>(), parameters.values[i], 1e-7,
                             1e-6, "clipped");
  }
  EXPECT_EQ(clip_scale(1e9, 0), 1);
}

TEST(Clipping, TheNormHasTheSameBitsForAnyNumberOfThreads) {
  tests::Parameters parameters;
  Rng rng(1);
  for (const std::size_t size : {100000, 3, 70001}) {
    std::vector<float> gradient(size);
    for (float& g : gradient) g = rng.normal();
    parameters.add(std::vector<float>(size, 0.5f), gradient);
  }
  const auto updates = parameters.updates();
  const int before = threads();
  set_threads(1);
  const double one = gradient_norm(updates, {.l1 = 0.1, .l2 = 0.1}), value = penalty_of({1, 1}, updates);
  set_threads(5);
  EXPECT_EQ(gradient_norm(updates, {.l1 = 0.1, .l2 = 0.1}), one);
  EXPECT_EQ(penalty_of({1, 1}, updates), value);
  set_threads(before);
}

}  // namespace
}  // namespace enxerto
