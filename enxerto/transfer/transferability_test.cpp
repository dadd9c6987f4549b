#include "enxerto/transfer/transferability.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "enxerto/core/random.h"

namespace enxerto {
namespace {

struct Task {
  Tensor rows;
  std::vector<std::int32_t> labels;
};

/// Labels take turns; the first column leans by `signal` with the label.
Task task_of(int n, int c, float signal) {
  Task made{Tensor({.n = n, .c = c}), {}};
  Rng rng(5);
  for (float& x : made.rows.data()) x = rng.normal();
  for (int i = 0; i < n; ++i) {
    made.labels.push_back(i % 2);
    made.rows.data()[static_cast<std::size_t>(i * c)] += i % 2 ? signal : -signal;
  }
  return made;
}

/// log N(y; 0, I / beta + F F^T / alpha), by the Cholesky decomposition of the covariance.
double log_density(const Task& task, std::int32_t k, double alpha, double beta) {
  const auto n = static_cast<std::size_t>(task.rows.shape().n),
             c = static_cast<std::size_t>(task.rows.shape().c);
  const auto f = [&](std::size_t i, std::size_t j) {
    return static_cast<double>(task.rows.data()[i * c + j]);
  };
  std::vector<double> lower(n * n), z(n);
  double log_determinant = 0, squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = i == j ? 1 / beta : 0;
      for (std::size_t m = 0; m < c; ++m) sum += f(i, m) * f(j, m) / alpha;
      for (std::size_t m = 0; m < j; ++m) sum -= lower[i * n + m] * lower[j * n + m];
      lower[i * n + j] = i == j ? std::sqrt(sum) : sum / lower[j * n + j];
    }
    double sum = task.labels[i] == k;
    for (std::size_t m = 0; m < i; ++m) sum -= lower[i * n + m] * z[m];
    z[i] = sum / lower[i * n + i];
    squares += z[i] * z[i];
    log_determinant += 2 * std::log(lower[i * n + i]);
  }
  return -(squares + log_determinant + static_cast<double>(n) * std::log(2 * std::numbers::pi)) / 2;
}

/// The largest over both precisions, by looking around ever closer.
double largest(const Task& task, std::int32_t k) {
  double a = 0, b = 0, best = log_density(task, k, 1, 1);
  for (double step = 4; step > 1e-4; step /= 2)
    for (bool moved = true; moved;) {
      moved = false;
      for (const auto& [da, db] : {std::pair{step, 0.0}, {-step, 0.0}, {0.0, step}, {0.0, -step}})
        if (std::abs(a + da) < 30 && std::abs(b + db) < 30)
          if (const double found = log_density(task, k, std::exp(a + da), std::exp(b + db));
              found > best + 1e-12) {
            best = found;
            a += da;
            b += db;
            moved = true;
          }
    }
  return best;
}

TEST(Transferability, LogmeIsTheLargestEvidence) {
  for (const auto& [n, c] : {std::pair{24, 5}, {16, 40}, {20, 20}}) {
    const Task task = task_of(n, c, 1.5f);
    double wanted = 0;
    for (const std::int32_t k : {0, 1}) wanted += largest(task, k) / n / 2;
    EXPECT_NEAR(logme(task.rows.view(), task.labels, 2), wanted, 2e-4) << n << " x " << c;
  }
}

TEST(Transferability, FeaturesThatTellTheClassesScoreHigher) {
  double before = -1e9;
  for (const float signal : {0.0f, 0.5f, 1.0f, 2.0f}) {
    const Task task = task_of(200, 10, signal);
    const double score = logme(task.rows.view(), task.labels, 2);
    EXPECT_GT(score, before) << signal;
    before = score;
  }
}

TEST(Transferability, AClassWithoutPicturesTellsNothing) {
  const Task task = task_of(24, 5, 1);
  EXPECT_EQ(logme(task.rows.view(), task.labels, 4), logme(task.rows.view(), task.labels, 2));
}

TEST(Transferability, ColumnsThatAreOthersChangeNothingButTheirCount) {
  // A copy of each column: half the rank, so U is the same.
  const Task task = task_of(30, 4, 1);
  Task twice{Tensor({.n = 30, .c = 8}), task.labels};
  for (std::size_t i = 0; i < 30; ++i)
    for (std::size_t j = 0; j < 8; ++j) twice.rows.data()[i * 8 + j] = task.rows.data()[i * 4 + j % 4];
  EXPECT_NEAR(logme(twice.rows.view(), twice.labels, 2), logme(task.rows.view(), task.labels, 2), 1e-5);
}

}  // namespace
}  // namespace enxerto
