// Objectives and weights against scikit-learn's (tools/make_heads_golden.py). The tests run in the
// repository's root.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "enxerto/core/file.h"
#include "enxerto/heads/path.h"

namespace enxerto {
namespace {

using nlohmann::json;

const json& golden() {
  static const json once = json::parse(read_text_file("enxerto/heads/golden.json"));
  return once;
}

struct Data {
  Data(const std::string& name, std::int64_t first) {
    const json& set = golden()["data"][name];
    const auto all = static_cast<std::int64_t>(set["y"].size());
    const auto columns = static_cast<std::int64_t>(set["x"][0].size());
    x = Tensor({.n = all - first, .c = columns});
    auto to = x.data().begin();
    for (std::int64_t i = first; i < all; ++i) {
      y.push_back(set["y"][static_cast<std::size_t>(i)]);
      for (const json& each : set["x"][static_cast<std::size_t>(i)]) *to++ = each;
    }
    classes = *std::max_element(y.begin(), y.end()) + 1;
  }
  Rows rows() const { return {x.view(), y, classes}; }
  Tensor x;
  std::vector<std::int32_t> y;
  int classes = 0;
};

/// scikit-learn has one row of weights for two classes: the difference of ours.
double weight_of(const LinearHead& head, std::size_t wanted_rows, std::size_t k, std::size_t j,
                 bool sum_of_two) {
  const auto columns = static_cast<std::size_t>(head.w.shape().c);
  if (wanted_rows > 1) return static_cast<double>(head.w.data()[k * columns + j]);
  const auto second = static_cast<double>(head.w.data()[columns + j]);
  return sum_of_two ? second - static_cast<double>(head.w.data()[j]) : second;
}

void compare(const json& wanted, const LinearFit& fit, double measured, bool sum_of_two,
             const std::string& where) {
  const double objective = wanted["objective"];
  EXPECT_TRUE(fit.converged) << where;
  EXPECT_LE(fit.objective, objective * (1 + 2e-5)) << where;
  EXPECT_NEAR(measured / fit.objective, 1, 5e-4) << where;
  if (!wanted["done"]) return;  // scikit-learn gave up
  // Margins are sums of floats, and a large C makes their rounding large.
  EXPECT_GE(fit.objective, objective * (1 - (wanted["c"] >= 100.0 ? 5e-4 : 2e-5))) << where;
  if (wanted.value("l1_ratio", 0.0) == 1) return;  // moving all classes' weights alike may cost nothing
  double largest = 0, error = 0;
  for (std::size_t k = 0; k < wanted["weight"].size(); ++k)
    for (std::size_t j = 0; j < wanted["weight"][k].size(); ++j) {
      const double w = wanted["weight"][k][j];
      largest = std::max(largest, std::abs(w));
      error = std::max(error, std::abs(w - weight_of(fit.head, wanted["weight"].size(), k, j, sum_of_two)));
    }
  // What is strongly convex is known to the root of what its value is known to.
  EXPECT_LE(error, 0.002 * largest + std::sqrt(2 * 1e-5 * objective)) << where;
}

TEST(HeadsGolden, ObjectivesAndWeightsAreThoseOfScikitLearn) {
  ASSERT_GT(golden()["cases"].size(), 30u);
  for (const json& wanted : golden()["cases"]) {
    const Data data(wanted["data"], wanted["first"]);
    const std::string kind = wanted["kind"];
    // More rows than columns, a large C, and no smooth loss: a thousand epochs and more (decision 0011).
    if (kind == "crammer_singer" && wanted["data"] == "tall" && wanted["c"] == 100.0) continue;
    const ClassWeights weights{wanted["balanced"], wanted["given"].get<std::vector<double>>()};
    const std::string where = kind + " " + std::string(wanted["data"]) + " C " + wanted["c"].dump() + " L1 " +
                              wanted.value("l1_ratio", json(0)).dump() +
                              (weights.balanced ? " balanced" : "");
    if (kind == "logistic") {
      LogisticConfig config;
      config.strength = wanted["c"];
      config.l1_ratio = wanted["l1_ratio"];
      config.standardize = false;
      config.class_weights = weights;
      config.tolerance = 1e-6;
      config.max_iterations = 5000;
      const LinearFit fit = fit_logistic(data.rows(), config);
      compare(wanted, fit, logistic_objective(data.rows(), config, fit.head), true, where);
    } else {
      SvmConfig config;
      config.strength = wanted["c"];
      config.multi_class = kind == "svm" ? MultiClass::one_vs_rest : MultiClass::crammer_singer;
      config.standardize = false;
      config.class_weights = weights;
      config.tolerance = 1e-6;
      config.max_iterations = 50000;
      const LinearFit fit = fit_svm(data.rows(), config);
      compare(wanted, fit, svm_objective(data.rows(), config, fit.head), false, where);
    }
  }
}

}  // namespace
}  // namespace enxerto
