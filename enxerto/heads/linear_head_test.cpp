#include "enxerto/heads/linear_head.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/heads/standardize.h"

namespace enxerto {
namespace {

struct Small {
  Tensor x{{.n = 4, .c = 3}};
  std::vector<std::int32_t> y{0, 1, 1, 0};
  Small() {
    const float values[] = {1, 2, 5, 3, -1, 5, 0, 4, 5, 8, 1, 5};  // the last column is constant
    std::copy(std::begin(values), std::end(values), x.data().begin());
  }
  Rows rows() const { return {x.view(), y, 2}; }
};

TEST(Rows, WhatDoesNotFitIsAnErrorThatSaysWhatToDo) {
  Small small;
  EXPECT_NO_THROW(check_rows(small.rows()));
  Rows rows = small.rows();
  rows.classes = 1;
  EXPECT_THROW(check_rows(rows), Error);
  small.y[0] = 2;
  EXPECT_THROW(check_rows(small.rows()), Error);
  small.y = {1, 1, 1, 1};
  EXPECT_THROW(check_rows(small.rows()), Error);
  small.y = {0, 1, 1};
  EXPECT_THROW(check_rows(small.rows()), Error);
  small.y = {0, 1, 1, 0};
  const std::vector<float> only_one_class{1, 0, 0, 1}, negative{1, 1, -1, 1};
  rows = small.rows();
  rows.weights = only_one_class;
  EXPECT_THROW(check_rows(rows), Error);
  rows.weights = negative;
  EXPECT_THROW(check_rows(rows), Error);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    small.x.data()[7] = bad;
    try {
      check_rows(small.rows());
      FAIL();
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("row 2, column 1"), std::string::npos) << error.what();
    }
  }
}

TEST(Rows, BalancedWeightsAreThoseOfScikitLearn) {
  Small small;
  small.y = {0, 1, 1, 1};
  EXPECT_EQ(weights_of_rows(small.rows(), {.balanced = true, .given = {}}),
            (std::vector<float>{2.0f, 2.0f / 3, 2.0f / 3, 2.0f / 3}));
  EXPECT_EQ(weights_of_rows(small.rows(), {.balanced = false, .given = {3, 0.5}}),
            (std::vector<float>{3.0f, 0.5f, 0.5f, 0.5f}));
}

TEST(Standardization, HasMeanAndDeviationAndLeavesConstantColumns) {
  const Small small;
  const Standardization by = standardization_of(small.x.view());
  EXPECT_EQ(by.mean, (std::vector<float>{3, 1.5, 5}));
  EXPECT_FLOAT_EQ(by.scale[0], std::sqrt(9.5f));
  EXPECT_EQ(by.scale[2], 1.0f);
}

TEST(Standardization, WeightZeroLeavesARowOut) {
  const Small small;
  const std::vector<float> weights{1, 1, 0, 1};
  const Standardization by = standardization_of(small.x.view(), weights);
  EXPECT_FLOAT_EQ(by.mean[0], 4.0f);
  EXPECT_FLOAT_EQ(by.mean[1], 2.0f / 3);
}

TEST(LinearHead, UnfoldedWeightsGiveTheScoresOfStandardisedRows) {
  const Small small;
  const Standardization by = standardization_of(small.x.view());
  LinearHead head(2, 3);
  const float w[] = {0.5f, -1, 2, 1, 3, -0.25f};
  std::copy(std::begin(w), std::end(w), head.w.data().begin());
  head.b.data()[1] = 0.75f;
  LinearHead raw = head.clone();
  unfold_standardization(by, raw);
  Tensor z({.n = 4, .c = 3});
  for (std::size_t i = 0; i < 4; ++i)
    standardize_row(by, small.x.data().subspan(i * 3, 3), z.data().subspan(i * 3, 3));
  const Tensor wanted = head.scores(z.view()), got = raw.scores(small.x.view());
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(wanted.data()[i], got.data()[i], 1e-5);
  fold_standardization(by, raw);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(head.w.data()[i], raw.w.data()[i], 1e-6);
}

TEST(LinearHead, GoesThroughNamedTensorsAndBack) {
  LinearHead head(2, 3);
  head.w.data()[4] = 7;
  head.b.data()[1] = -1;
  const LinearHead back = linear_head_from(tensors_of(head));
  EXPECT_EQ(back.w.data()[4], 7);
  EXPECT_EQ(back.b.data()[1], -1);
  NamedTensors broken = tensors_of(head);
  broken.pop_back();
  EXPECT_THROW(linear_head_from(broken), Error);
}

}  // namespace
}  // namespace enxerto
