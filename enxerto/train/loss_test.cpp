#include "enxerto/train/loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/core/random.h"
#include "enxerto/train/fields_json.h"
#include "enxerto/train/golden_test.h"

namespace enxerto {
namespace {

Tensor tensor_of(const Json& rows, std::int64_t padding = 0) {
  const auto columns = static_cast<std::int64_t>(rows[0].size());
  Tensor made({.n = static_cast<std::int64_t>(rows.size()) + padding, .c = columns});
  std::size_t i = 0;
  for (const Json& row : rows)
    for (const Json& value : row) made.data()[i++] = value.get<float>();
  return made;
}

TEST(Loss, IsThatOfPyTorchWithItsGradientAndPaddingDoesNotCount) {
  const Json& golden = tests::golden().at("losses");
  const auto labels = golden.at("labels").get<std::vector<std::int32_t>>();
  const Tensor targets = tensor_of(golden.at("targets")), shares = tensor_of(golden.at("shares"));
  for (const Json& one : golden.at("cases")) {
    const std::string where = one.at("config").dump();
    const auto config = variant_from_json<LossConfig>(one.at("config"), where);
    Tensor outputs = tensor_of(golden.at("logits"), 2), gradient({.n = 6, .c = 6});
    for (float& value : outputs.data().subspan(24)) value = 1e30f;
    std::ranges::fill(gradient.data(), std::numeric_limits<float>::quiet_NaN());
    double loss = 0;
    if (one.at("targets") == "labels")
      loss = loss_of(config, outputs.view(), labels, gradient.view());
    else
      loss = loss_of(config, outputs.view(), (one.at("targets") == "shares" ? shares : targets).view(),
                     gradient.view());
    EXPECT_NEAR(loss, one.at("loss").get<double>(), 1e-6) << where;
    for (std::size_t i = 0; i < 24; ++i)
      EXPECT_NEAR(gradient.data()[i], one.at("gradient")[i / 6][i % 6].get<double>(), 1e-7) << where;
    for (std::size_t i = 24; i < 36; ++i) EXPECT_EQ(gradient.data()[i], 0) << where;
  }
}

TEST(Loss, GradientsAgreeWithDifferences) {
  const std::vector<std::int32_t> labels{1, 0, 2};
  const std::vector<LossConfig> configs{CrossEntropy{},
                                        CrossEntropy{.label_smoothing = 0.2, .class_weights = {0.5, 2, 1}},
                                        MeanSquaredError{}, BinaryCrossEntropy{.positive_weight = 3}};
  for (const LossConfig& config : configs) {
    Tensor outputs({.n = 3, .c = 3}), gradient({.n = 3, .c = 3});
    Rng rng(4);
    for (float& y : outputs.data()) y = rng.normal();
    loss_of(config, outputs.view(), labels, gradient.view());
    for (std::size_t i = 0; i < 9; ++i) {
      constexpr float h = 0x1p-8f;  // y + h is exact enough: the losses are sums in double
      const float y = outputs.data()[i];
      const float above_y = y + h, below_y = y - h;
      outputs.data()[i] = above_y;
      const double above = loss_of(config, outputs.view(), labels);
      outputs.data()[i] = below_y;
      const double below = loss_of(config, outputs.view(), labels);
      outputs.data()[i] = y;
      EXPECT_NEAR(gradient.data()[i], (above - below) / (static_cast<double>(above_y) - below_y), 1e-5);
    }
  }
}

TEST(Loss, OfSharesOfZeroAndOneIsThatOfLabels) {
  const std::vector<std::int32_t> labels{1, 0, 2};
  Tensor outputs({.n = 4, .c = 3}), hard({.n = 4, .c = 3}), soft({.n = 4, .c = 3}), targets({.n = 3, .c = 3});
  Rng rng(8);
  for (float& y : outputs.data()) y = rng.normal();
  for (std::size_t i = 0; i < 3; ++i) targets.data()[3 * i + static_cast<std::size_t>(labels[i])] = 1;
  const CrossEntropy config{.label_smoothing = 0.2, .class_weights = {}};
  EXPECT_NEAR(cross_entropy(config, outputs.view(), labels, hard.view()),
              cross_entropy(config, outputs.view(), targets.view(), soft.view()), 1e-12);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_NEAR(hard.data()[i], soft.data()[i], 1e-7);
}

TEST(Loss, StaysFiniteForLargeOutputsAndSaysWhenTheyAreNot) {
  const std::vector<std::int32_t> labels{1};
  Tensor outputs({.n = 1, .c = 2}), gradient({.n = 1, .c = 2});
  outputs.data()[0] = 1e30f, outputs.data()[1] = -1e30f;
  for (const char* name : {"cross_entropy", "bce"}) {
    EXPECT_TRUE(std::isfinite(loss_of(parse_loss(name), outputs.view(), labels, gradient.view()))) << name;
    EXPECT_TRUE(std::isfinite(gradient.data()[0]) && std::isfinite(gradient.data()[1])) << name;
  }
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    outputs.data()[0] = bad;
    for (const char* name : {"cross_entropy", "bce", "mse"})
      EXPECT_FALSE(std::isfinite(loss_of(parse_loss(name), outputs.view(), labels))) << name;
  }
}

TEST(Loss, BadSettingsAreRefused) {
  EXPECT_THROW(parse_loss("hinge"), Error);
  EXPECT_THROW(check_loss(CrossEntropy{.label_smoothing = 1}, 3), Error);
  EXPECT_THROW(check_loss(CrossEntropy{.class_weights = {1, 2}}, 3), Error);
  EXPECT_THROW(check_loss(CrossEntropy{.class_weights = {0, 0, 0}}, 3), Error);
  EXPECT_THROW(check_loss(BinaryCrossEntropy{.positive_weight = 0}, 3), Error);
  EXPECT_NO_THROW(check_loss(CrossEntropy{.label_smoothing = 0.1, .class_weights = {1, 0, 2}}, 3));
}

}  // namespace
}  // namespace enxerto
