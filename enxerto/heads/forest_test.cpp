#include "enxerto/heads/forest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/heads/golden2_test.h"

namespace enxerto {
namespace {

using tests::golden2;
using tests::OwnRows;

double accuracy(const Tensor& probabilities, std::span<const std::int32_t> y) {
  const auto count = static_cast<std::size_t>(probabilities.shape().c);
  double right = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto row = probabilities.data().subspan(i * count, count);
    right += std::ranges::max_element(row) - row.begin() == y[i] ? 1 : 0;
  }
  return right / static_cast<double>(y.size());
}

TEST(Tree, SplitsAreThoseOfScikitLearn) {
  const OwnRows rows(golden2().at("tall")), queries(golden2().at("tall_queries"));
  const auto check = [&](const char* name, const Rows& on, const TreeConfig& config) {
    const auto& wanted = golden2().at("tree").at(name);
    const Tree tree = fit_tree(on, config);
    EXPECT_EQ(tree.feature[0], wanted.at("root").at("feature").get<int>()) << name;
    EXPECT_NEAR(tree.threshold[0], wanted.at("root").at("threshold").get<double>(), 1e-5) << name;
    if (std::string_view(name) == "full") {  // ties further down are broken otherwise there
      EXPECT_EQ(accuracy(tree.probabilities(rows.x.view()), rows.y), 1);
      EXPECT_NEAR(static_cast<double>(tree.feature.size()), wanted.at("nodes").get<double>(), 4) << name;
      return;
    }
    EXPECT_EQ(tree.feature.size(), wanted.at("nodes").get<std::size_t>()) << name;
    EXPECT_EQ(tree.depth(), wanted.at("depth").get<int>()) << name;
    tests::expect_near_all(wanted.at("probabilities"), tree.probabilities(queries.x.view()).data(), 1e-5, 0,
                           name);
  };
  check("full", rows.rows(), {});
  check("shallow", rows.rows(), {.max_depth = 2});
  check("leaves", rows.rows(), {.min_leaf = 9});
  const Rows some{{{.n = 60, .c = 6}, rows.x.data().first(360)}, std::span(rows.y).first(60), 3};
  check("balanced", some, {.max_depth = 2, .min_leaf = 6, .class_weights = {.balanced = true, .given = {}}});
}

/// The purity of the best of all splits, one by one: the slow twin.
double best_purity(const OwnRows& rows) {
  double best = 0;
  for (std::int64_t j = 0; j < rows.x.shape().c; ++j)
    for (std::int64_t border = 0; border < rows.x.shape().n; ++border) {
      const auto value = [&](std::int64_t i) {
        return rows.x.data()[static_cast<std::size_t>(i * rows.x.shape().c + j)];
      };
      std::vector<double> sides[2]{std::vector<double>(3), std::vector<double>(3)};
      for (std::int64_t i = 0; i < rows.x.shape().n; ++i)
        ++sides[value(i) <= value(border) ? 0 : 1]
               [static_cast<std::size_t>(rows.y[static_cast<std::size_t>(i)])];
      double purity = 0;
      for (const auto& side : sides)
        if (const double sum = std::accumulate(side.begin(), side.end(), 0.0); sum > 0)
          purity += std::inner_product(side.begin(), side.end(), side.begin(), 0.0) / sum;
      best = std::max(best, purity);
    }
  return best;
}

TEST(Tree, ASplitIsTheBestThereIs) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const OwnRows rows = tests::made_up_rows(120, 4, 3, seed);
    const Tree tree = fit_tree(rows.rows(), {.max_depth = 1});
    OwnRows stump = tests::made_up_rows(120, 1, 3, 0);  // one column: which side a row is on
    for (std::size_t i = 0; i < 120; ++i)
      stump.x.data()[i] =
          rows.x.data()[i * 4 + static_cast<std::size_t>(tree.feature[0])] <= tree.threshold[0] ? 0 : 1;
    EXPECT_DOUBLE_EQ(best_purity(stump), best_purity(rows)) << seed;
  }
}

TEST(Tree, ManyValuesInFewStepsLoseNextToNothing) {
  // 5000 different values in each column, and labels that one border tells apart: it is found to 1 in 256.
  OwnRows rows({.n = 5000, .c = 2}, 2);
  Rng rng(5);
  for (float& each : rows.x.data()) each = rng.normal();
  for (std::size_t i = 0; i < 5000; ++i) rows.y[i] = rows.x.data()[i * 2 + 1] > 0.3f ? 1 : 0;
  EXPECT_GT(accuracy(fit_tree(rows.rows(), {.max_depth = 1}).probabilities(rows.x.view()), rows.y), 0.995);
  // What 256 steps cannot tell apart at the root they cannot tell apart below either.
  EXPECT_GT(accuracy(fit_tree(rows.rows(), {}).probabilities(rows.x.view()), rows.y), 0.999);
}

TEST(Tree, LearnsWhatNoSingleSplitHelpsWith) {
  OwnRows rows({.n = 40, .c = 2}, 2);
  for (std::size_t i = 0; i < 40; ++i) {
    rows.x.data()[2 * i] = static_cast<float>(i & 1);
    rows.x.data()[2 * i + 1] = static_cast<float>(i >> 1 & 1);
    rows.y[i] = static_cast<std::int32_t>((i & 1) ^ (i >> 1 & 1));
  }
  EXPECT_EQ(accuracy(fit_tree(rows.rows(), {}).probabilities(rows.x.view()), rows.y), 1);
}

TEST(Tree, EqualRowsOfDifferentClassesEndInOneLeaf) {
  OwnRows rows({.n = 4, .c = 3}, 2);
  rows.y = {0, 1, 1, 1};
  const Tree tree = fit_tree(rows.rows(), {});
  EXPECT_EQ(tree.feature, (std::vector<std::int32_t>{-1}));
  EXPECT_EQ(tree.leaves, (std::vector<float>{0.25f, 0.75f}));
}

TEST(Tree, EnormousNumbersAreSplitBetween) {
  OwnRows rows({.n = 4, .c = 1}, 2);
  const float most = std::numeric_limits<float>::max(), least = std::numeric_limits<float>::denorm_min();
  for (const auto& values : {std::vector<float>{-most, -most, most, most},
                             {0, 0, least, least},
                             {0, -0.0f, 1, 1},
                             {std::nextafter(most, 0.0f), std::nextafter(most, 0.0f), most, most}}) {
    std::ranges::copy(values, rows.x.data().begin());
    rows.y = {0, 0, 1, 1};
    EXPECT_EQ(accuracy(fit_tree(rows.rows(), {}).probabilities(rows.x.view()), rows.y), 1);
  }
}

TEST(Tree, GoesThroughNamedTensorsAndWhatIsBrokenIsRefused) {
  const OwnRows rows = tests::made_up_rows(60, 5, 3, 2);
  const Tree tree = fit_tree(rows.rows(), {});
  NamedTensors tensors;
  append_tree(tree, "t.", tensors);
  const Tree back = tree_from(tensors, "t.", 3, 5);
  EXPECT_EQ(back.feature, tree.feature);
  EXPECT_EQ(back.next, tree.next);
  EXPECT_EQ(back.threshold, tree.threshold);
  EXPECT_EQ(back.leaves, tree.leaves);
  EXPECT_THROW(tree_from(tensors, "other.", 3, 5), Error);
  EXPECT_THROW(tree_from(tensors, "t.", 2, 5), Error);
  const auto broken = [&](std::size_t tensor, std::size_t at, float value) {
    NamedTensors made;
    append_tree(tree, "t.", made);
    made[tensor].value.data()[at] = value;
    EXPECT_THROW(tree_from(made, "t.", 3, 5), Error) << made[tensor].name << " " << value;
  };
  for (const float value : {5.0f, -2.0f, 0.5f, std::nanf(""), 3e9f}) broken(0, 0, value);
  // A child that is its parent would be a way without an end.
  for (const float value : {0.0f, -1.0f, 1e6f, static_cast<float>(tree.feature.size() - 1)})
    broken(1, 0, value);
  const auto leaf = static_cast<std::size_t>(std::ranges::find(tree.feature, -1) - tree.feature.begin());
  broken(1, leaf, static_cast<float>(tree.leaves.size() / 3));
}

TEST(Forest, AccuraciesAreThoseOfScikitLearn) {
  const OwnRows many(golden2().at("many"));
  const Rows train{{{.n = 120, .c = 8}, many.x.data().first(960)}, std::span(many.y).first(120), 4};
  const ConstView test{{.n = 120, .c = 8}, many.x.data().subspan(960)};
  double ours = 0, out_of_bag = 0, theirs = 0, their_out_of_bag = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const ForestFit fit = fit_forest(train, {.seed = seed});
    ours += accuracy(fit.forest.probabilities(test), std::span(many.y).subspan(120)) / 10;
    out_of_bag += fit.out_of_bag_accuracy / 10;
    EXPECT_EQ(fit.out_of_bag_rows, 120);
    theirs += golden2().at("forest").at("accuracy").at(seed).get<double>() / 10;
    their_out_of_bag += golden2().at("forest").at("out_of_bag").at(seed).get<double>() / 10;
  }
  // Four standard errors of a mean over ten seeds that differ by 0.022.
  EXPECT_NEAR(ours, theirs, 0.03);
  EXPECT_NEAR(out_of_bag, their_out_of_bag, 0.03);
}

TEST(Forest, TheNumberOfThreadsChangesNoBit) {
  const OwnRows rows = tests::made_up_rows(150, 40, 3, 4);
  const int before = threads();
  std::vector<ForestFit> fits;
  for (const int count : {1, 2, 5}) {
    set_threads(count);
    fits.push_back(fit_forest(rows.rows(), {.trees = 12, .seed = 9}));
  }
  set_threads(before);
  for (const ForestFit& fit : fits) {
    EXPECT_EQ(fit.out_of_bag_accuracy, fits[0].out_of_bag_accuracy);
    for (std::size_t t = 0; t < 12; ++t) {
      EXPECT_EQ(fit.forest.trees[t].feature, fits[0].forest.trees[t].feature);
      EXPECT_EQ(fit.forest.trees[t].threshold, fits[0].forest.trees[t].threshold);
    }
  }
}

TEST(Forest, RowsOfAGroupAreLeftOutTogether) {
  // Labels that mean nothing, and each row eight times: who has seen one has seen them all.
  const OwnRows once = tests::made_up_rows(60, 10, 2, 5);
  Tensor x({.n = 480, .c = 10});
  std::vector<std::int32_t> y, group;
  for (std::int32_t i = 0; i < 480; ++i) {
    std::ranges::copy(once.x.data().subspan(static_cast<std::size_t>(i % 60) * 10, 10),
                      x.data().begin() + static_cast<std::ptrdiff_t>(i) * 10);
    y.push_back(i % 60 * 7919 % 13 % 2);
    group.push_back(i % 60);
  }
  const Rows rows{.x = x.view(), .y = y, .classes = 2};
  EXPECT_EQ(fit_forest(rows, {.trees = 50}).out_of_bag_accuracy, 1);
  const ForestFit honest = fit_forest(rows, {.trees = 50, .group_of_row = group});
  EXPECT_LT(honest.out_of_bag_accuracy, 0.75);
  EXPECT_EQ(honest.out_of_bag_rows, 480);
  EXPECT_THROW(fit_forest(rows, {.trees = 1, .group_of_row = {0}}), Error);
}

TEST(Forest, RowsOfWeightZeroAreNotThere) {
  OwnRows rows = tests::made_up_rows(60, 4, 2, 7, 3);
  std::vector<float> weights(60, 1.0f);
  for (std::size_t i = 40; i < 60; ++i) weights[i] = 0, rows.y[i] = 1 - rows.y[i];
  Rows some = rows.rows();
  some.weights = weights;
  const ForestFit fit = fit_forest(some, {.trees = 30});
  EXPECT_EQ(fit.out_of_bag_rows, 40);
  EXPECT_EQ(accuracy(fit.forest.probabilities({{.n = 40, .c = 4}, rows.x.data().first(160)}),
                     std::span(rows.y).first(40)),
            1);
}

TEST(Forest, WhatMakesNoSenseIsAnError) {
  const OwnRows rows = tests::made_up_rows(10, 4, 2, 6);
  EXPECT_THROW(fit_forest(rows.rows(), {.trees = 0}), Error);
  EXPECT_THROW(fit_forest(rows.rows(), {.max_depth = -1}), Error);
  EXPECT_THROW(fit_forest(rows.rows(), {.min_leaf = 0}), Error);
}

}  // namespace
}  // namespace enxerto
