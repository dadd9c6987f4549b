#include "enxerto/transfer/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "enxerto/core/random.h"

namespace enxerto {
namespace {

struct Answers {
  Tensor logits;
  std::vector<std::int32_t> labels;
};

/// Labels drawn from softmax(logits / temperature).
Answers drawn(int n, double temperature) {
  Answers made{Tensor({.n = n, .c = 3}), {}};
  Rng rng(4);
  for (float& y : made.logits.data()) y = 4 * rng.normal();
  for (int i = 0; i < n; ++i) {
    const auto row = made.logits.data().subspan(static_cast<std::size_t>(3 * i), 3);
    double total = 0;
    for (const float y : row) total += std::exp(y / temperature);
    double at = rng.uniform() * total;
    std::int32_t label = 0;
    while (label < 2 && (at -= std::exp(row[static_cast<std::size_t>(label)] / temperature)) > 0) ++label;
    made.labels.push_back(label);
  }
  return made;
}

TEST(Calibration, FindsTheTemperatureThatTheLabelsWereDrawnAt) {
  for (const double temperature : {0.5, 1.0, 3.0}) {
    const Answers answers = drawn(20'000, temperature);
    const double found = fit_temperature(answers.logits.view(), answers.labels);
    EXPECT_NEAR(found / temperature, 1, 0.05);
    EXPECT_LT(calibration_error(answers.logits.view(), answers.labels, found), 0.02);
  }
  const Answers hot = drawn(20'000, 3);
  EXPECT_GT(calibration_error(hot.logits.view(), hot.labels), 0.1);
}

TEST(Calibration, TheErrorIsThatOfTheDefinition) {
  Tensor logits({.n = 4, .c = 2});
  // Confidence 0.75 (the logit of 3 to 1), of which half are right; and two answers of confidence 0.5.
  const float gap = std::log(3.0f);
  const std::vector<float> values{gap, 0, gap, 0, 0, 0, 0, 0};
  std::ranges::copy(values, logits.data().begin());
  EXPECT_NEAR(calibration_error(logits.view(), std::vector<std::int32_t>{0, 1, 0, 1}), 0.5 * 0.25 + 0.5 * 0,
              1e-6);
}

TEST(Calibration, OfNRightAnswersTheNextIsNotCertain) {
  for (const int n : {2, 12, 400})
    for (const int classes : {2, 5}) {
      Tensor logits({.n = n, .c = classes});
      std::vector<std::int32_t> labels;
      for (int i = 0; i < n; ++i) {
        labels.push_back(i % classes);
        logits.data()[static_cast<std::size_t>(i * classes + labels.back())] = 1;
      }
      const double temperature = fit_temperature(logits.view(), labels);
      const double confidence = 1 / (1 + (classes - 1) * std::exp(-1 / temperature));
      EXPECT_NEAR(confidence, (n + 1.0) / (n + 2.0), 1e-6);  // Laplace's rule of succession
    }
}

TEST(Calibration, TheTemperatureStaysInBounds) {
  Tensor logits({.n = 2, .c = 2});
  logits.data()[0] = logits.data()[3] = 0.01f;
  EXPECT_NEAR(fit_temperature(logits.view(), std::vector<std::int32_t>{0, 1}), 0.05, 1e-6);
  EXPECT_NEAR(fit_temperature(logits.view(), std::vector<std::int32_t>{1, 0}), 20, 1e-6);
  EXPECT_EQ(fit_temperature(ConstView{{.n = 0, .c = 2}, {}}, {}), 1);
}

}  // namespace
}  // namespace enxerto
