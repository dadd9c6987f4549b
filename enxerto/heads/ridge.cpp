#include "enxerto/heads/ridge.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/heads/dense.h"
#include "enxerto/heads/row_blocks.h"

namespace enxerto {
namespace {

using Doubles = dense::Matrix<double>;
using ConstDoubles = dense::Matrix<const double>;
using Numbers = std::vector<double>;

std::size_t place(std::int64_t i) { return static_cast<std::size_t>(i); }

/// The problem with the intercept and the weights taken into it: rows and targets centred, and multiplied by
/// the root of their weight.
struct Centred {
  const Rows& rows;
  std::vector<float> weights{}, roots{};
  double total = 0;
  Standardization by{};
  Numbers mean{};  ///< of the targets

  Standardized features() const { return {rows.x, by, roots}; }
  std::int64_t n() const { return rows.n(); }
  std::int64_t classes() const { return rows.classes; }
  double target(std::int64_t i, std::int64_t k) const {
    return (rows.y[place(i)] == k ? 1.0 : 0.0) - mean[place(k)];
  }
  /// Rows [begin, begin + count) of the targets, as the features are.
  Numbers targets(std::int64_t begin, std::int64_t count) const {
    Numbers made;
    for (std::int64_t i = begin; i < begin + count; ++i)
      for (std::int64_t k = 0; k < classes(); ++k)
        made.push_back(target(i, k) * static_cast<double>(roots[place(i)]));
    return made;
  }
};

Centred centre(const Rows& rows, const RidgeConfig& config) {
  Centred made{rows};
  made.weights = weights_of_rows(rows, config.class_weights);
  made.mean.assign(place(rows.classes), 0.0);
  for (std::size_t i = 0; i < rows.y.size(); ++i) {
    const auto weight = static_cast<double>(made.weights[i]);
    made.roots.push_back(std::sqrt(made.weights[i]));
    made.total += weight;
    made.mean[place(rows.y[i])] += weight;
  }
  if (!(made.total > 0)) throw Error(ErrorKind::usage, "no row has a weight: give at least two classes some");
  for (double& each : made.mean) each /= made.total;
  made.by = standardization_of(rows.x, made.weights);
  // The same scale for a raw penalty and for each strength: with class weights the columns' means are
  // weighted.
  if (!config.standardize) std::ranges::fill(made.by.scale, 1.0f);
  return made;
}

/// X = P S^(1/2) V^T in effect: with m = min(n, c) eigenvalues s of X^T X (or X X^T), fitted values are
/// P diag(f) Q, where Q = P^T Y and f depends on the strength.
struct Decomposition {
  bool by_columns;     ///< P = X V and f = 1 / (s + alpha); else P = U and f = s / (s + alpha)
  std::int64_t order;  ///< m
  Numbers vectors;     ///< {m,m}, an eigenvector a row
  Numbers values;      ///< s, m
  Numbers q;           ///< {m, classes}

  double factor(std::int64_t j, double alpha) const {
    const double s = values[place(j)];
    return by_columns ? 1 / (s + alpha) : s / (s + alpha);
  }
};

/// Calls f(begin, count, block) for all rows of the features as doubles.
template <class F>
void for_blocks(const Centred& problem, const F& f) {
  const std::int64_t n = problem.n(), c = problem.rows.c();
  const std::int64_t length = std::min(block_length(c), n);
  Numbers block(place(length * c));
  for (std::int64_t begin = 0; begin < n; begin += length) {
    const std::int64_t count = std::min(length, n - begin);
    problem.features().copy_rows(begin, count, block.data());
    f(begin, count, block.data());
  }
}

void decompose_columns(const Centred& problem, Decomposition& to) {
  const std::int64_t c = problem.rows.c(), k = problem.classes();
  Numbers products(place(c * k));
  for_blocks(problem, [&](std::int64_t begin, std::int64_t count, const double* block) {
    dense::add_gram({block, count, c}, {to.vectors.data(), c, c});
    const Numbers targets = problem.targets(begin, count);
    dense::multiply(turned(ConstDoubles(block, count, c)), ConstDoubles(targets.data(), count, k), 1.0,
                    Doubles(products.data(), c, k));
  });
  to.values = dense::eigen_rows({to.vectors.data(), c, c});
  dense::multiply(ConstDoubles(to.vectors.data(), c, c), ConstDoubles(products.data(), c, k), 0.0,
                  Doubles(to.q.data(), c, k));
}

/// The means are floats, and what rounding left of them would be a direction of its own in rows that are
/// fewer than the columns: one that a weak penalty takes for signal.
void centre_columns(const Centred& problem, std::int64_t count, Numbers& block) {
  Numbers mean(place(count));
  for (std::int64_t i = 0; i < problem.n(); ++i)
    for (std::int64_t j = 0; j < count; ++j)
      mean[place(j)] += static_cast<double>(problem.roots[place(i)]) * block[place(i * count + j)];
  for (double& each : mean) each /= problem.total;
  for (std::int64_t i = 0; i < problem.n(); ++i)
    for (std::int64_t j = 0; j < count; ++j)
      block[place(i * count + j)] -= static_cast<double>(problem.roots[place(i)]) * mean[place(j)];
}

void decompose_rows(const Centred& problem, Decomposition& to) {
  const std::int64_t n = problem.n(), c = problem.rows.c(), k = problem.classes();
  const std::int64_t width = std::min(block_length(n), c);
  Numbers block(place(n * width));
  for (std::int64_t begin = 0; begin < c; begin += width) {
    const std::int64_t count = std::min(width, c - begin);
    problem.features().copy_columns(begin, count, block.data());
    centre_columns(problem, count, block);
    dense::add_gram(turned(ConstDoubles(block.data(), n, count)), {to.vectors.data(), n, n});
  }
  to.values = dense::eigen_rows({to.vectors.data(), n, n});
  const Numbers targets = problem.targets(0, n);
  dense::multiply(ConstDoubles(to.vectors.data(), n, n), ConstDoubles(targets.data(), n, k), 0.0,
                  Doubles(to.q.data(), n, k));
}

Decomposition decompose(const Centred& problem) {
  Decomposition made{problem.rows.c() <= problem.n(), std::min(problem.n(), problem.rows.c()), {}, {}, {}};
  made.vectors.resize(place(made.order * made.order));
  made.q.resize(place(made.order * problem.classes()));
  if (made.by_columns)
    decompose_columns(problem, made);
  else
    decompose_rows(problem, made);
  // What is below is rounding; in rows one value is 0, as they are centred.
  const double least = made.by_columns ? 0 : 1e-13 * *std::ranges::max_element(made.values);
  for (double& each : made.values) each = each > least ? each : 0;
  return made;
}

/// Leave-one-out by the hat matrix H: without row i its error would be (its error now) / (1 - H_ii). With
/// rows fewer than columns and a weak penalty both are next to nothing; there 1 - H = P diag(alpha / (s +
/// alpha)) P^T is added up, as P has all directions, and nothing is taken off 1.
class LeaveOneOut {
 public:
  LeaveOneOut(const Centred& problem, const Decomposition& by, const std::vector<double>& strengths)
      : problem_(problem), by_(by) {
    for (const double each : strengths) steps_.push_back({each, 0, 0});
  }

  std::vector<RidgeStep> run() {
    const std::int64_t n = problem_.n(), m = by_.order;
    if (by_.by_columns) {
      Numbers p;
      for_blocks(problem_, [&](std::int64_t begin, std::int64_t count, const double* block) {
        p.resize(place(count * m));
        dense::multiply(ConstDoubles(block, count, m), turned(ConstDoubles(by_.vectors.data(), m, m)), 0.0,
                        Doubles(p.data(), count, m));
        add(begin, count, p.data(), m, 1);
      });
    } else {
      const std::int64_t length = block_length(m);
      for (std::int64_t begin = 0; begin < n; begin += length)
        add(begin, std::min(length, n - begin), by_.vectors.data() + begin, 1, m);
    }
    for (RidgeStep& step : steps_) {
      step.squared_error /= problem_.total;
      step.accuracy /= static_cast<double>(std::max<std::int64_t>(counted_, 1));
    }
    return std::move(steps_);
  }

 private:
  /// Rows of P: element (i, j) at p[i * row_stride + j * column_stride].
  void add(std::int64_t begin, std::int64_t count, const double* p, std::int64_t row_stride,
           std::int64_t column_stride) {
    const std::int64_t m = by_.order, k = problem_.classes();
    for (std::int64_t i = begin; i < begin + count; ++i) counted_ += problem_.weights[place(i)] > 0 ? 1 : 0;
    Numbers scaled(place(count * m)), fitted(place(count * k)), hat(place(count)), factors(place(m));
    for (RidgeStep& step : steps_) {
      const double alpha = 0.5 / step.strength;
      for (std::int64_t j = 0; j < m; ++j)
        factors[place(j)] = by_.by_columns ? by_.factor(j, alpha) : alpha / (by_.values[place(j)] + alpha);
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < count; ++i) {
        double sum = 0;
        for (std::int64_t j = 0; j < m; ++j) {
          const double value = p[i * row_stride + j * column_stride];
          scaled[place(i * m + j)] = value * factors[place(j)];
          sum += value * scaled[place(i * m + j)];
        }
        hat[place(i)] = sum;
      }
      dense::multiply(ConstDoubles(scaled.data(), count, m), ConstDoubles(by_.q.data(), m, k), 0.0,
                      Doubles(fitted.data(), count, k));
      for (std::int64_t i = 0; i < count; ++i)
        score(begin + i, hat[place(i)], std::span(fitted).subspan(place(i * k), place(k)), step);
    }
  }

  /// `hat` and `fitted` are those of H, or by rows of 1 - H.
  void score(std::int64_t row, double hat, std::span<const double> fitted, RidgeStep& step) const {
    const auto weight = static_cast<double>(problem_.weights[place(row)]);
    if (weight == 0) return;
    // The intercept's share of the hat matrix comes on top. 1 where the row alone decides its own value.
    const double left =
        std::max((by_.by_columns ? 1 - hat : hat) - weight / problem_.total, by_.by_columns ? 1e-12 : 1e-15);
    double squares = 0, highest = 0;
    std::size_t best = 0;
    for (std::size_t k = 0; k < fitted.size(); ++k) {
      const double target = problem_.target(row, static_cast<std::int64_t>(k));
      const double by_weight = fitted[k] / static_cast<double>(problem_.roots[place(row)]);
      const double error = (by_.by_columns ? target - by_weight : by_weight) / left;
      squares += error * error;
      const double predicted = target + problem_.mean[k] - error;
      if (k == 0 || predicted > highest) highest = predicted, best = k;
    }
    step.squared_error += weight * squares;
    step.accuracy += static_cast<std::int32_t>(best) == problem_.rows.y[place(row)] ? 1 : 0;
  }

  const Centred& problem_;
  const Decomposition& by_;
  std::vector<RidgeStep> steps_;
  std::int64_t counted_ = 0;
};

/// The weights at one strength, on raw features.
LinearHead head_at(const Centred& problem, const Decomposition& by, double strength) {
  const std::int64_t n = problem.n(), c = problem.rows.c(), k = problem.classes(), m = by.order;
  const double alpha = 0.5 / strength;
  Numbers scaled(by.q);
  for (std::int64_t j = 0; j < m; ++j)
    for (std::int64_t i = 0; i < k; ++i) scaled[place(j * k + i)] /= by.values[place(j)] + alpha;
  Numbers w(place(k * c));
  const ConstDoubles vectors(by.vectors.data(), m, m);
  if (by.by_columns) {
    dense::multiply(turned(ConstDoubles(scaled.data(), m, k)), vectors, 0.0, Doubles(w.data(), k, c));
  } else {
    Numbers amounts(place(k * n));
    dense::multiply(turned(ConstDoubles(scaled.data(), m, k)), vectors, 0.0, Doubles(amounts.data(), k, n));
    for_blocks(problem, [&](std::int64_t begin, std::int64_t count, const double* block) {
      dense::multiply(ConstDoubles(amounts.data() + begin, k, count, n), ConstDoubles(block, count, c), 1.0,
                      Doubles(w.data(), k, c));
    });
  }
  LinearHead head(static_cast<int>(k), c);
  for (std::size_t i = 0; i < w.size(); ++i) head.w.data()[i] = static_cast<float>(w[i]);
  for (std::size_t i = 0; i < place(k); ++i) head.b.data()[i] = static_cast<float>(problem.mean[i]);
  unfold_standardization(problem.by, head);
  return head;
}

std::vector<double> strengths_of(const RidgeConfig& config) {
  std::vector<double> made = config.strengths;
  if (made.empty())
    for (int i = 0; i <= 16; ++i) made.push_back(std::pow(10.0, -6 + 0.5 * i));
  for (const double each : made)
    if (!(each > 0) || !std::isfinite(each))
      throw Error(ErrorKind::usage, text("a strength C of ", each, ": it has to be above 0"));
  std::ranges::sort(made);
  return made;
}

}  // namespace

RidgeFit fit_ridge(const Rows& rows, const RidgeConfig& config) {
  const double began = now_seconds();
  const std::vector<double> strengths = strengths_of(config);
  check_rows(rows);
  const Centred problem = centre(rows, config);
  const Decomposition by = decompose(problem);
  RidgeFit made;
  made.steps = LeaveOneOut(problem, by, strengths).run();
  const RidgeStep* best = &made.steps.front();
  for (const RidgeStep& step : made.steps)
    if (config.by_accuracy ? step.accuracy > best->accuracy : step.squared_error < best->squared_error)
      best = &step;
  made.best = best->strength;
  made.fit.head = head_at(problem, by, made.best);
  made.fit.objective = ridge_objective(rows, config, made.best, made.fit.head);
  made.fit.iterations = 1;
  made.fit.converged = true;
  made.fit.seconds = now_seconds() - began;
  return made;
}

double ridge_objective(const Rows& rows, const RidgeConfig& config, double strength, const LinearHead& head) {
  const std::vector<float> weights = weights_of_rows(rows, config.class_weights);
  const Tensor scores = head.scores(rows.x);
  const auto classes = place(rows.classes);
  double loss = 0;
  for (std::size_t i = 0; i < rows.y.size(); ++i) {
    double squares = 0;
    for (std::size_t k = 0; k < classes; ++k) {
      const double error = (rows.y[i] == static_cast<std::int32_t>(k) ? 1.0 : 0.0) -
                           static_cast<double>(scores.data()[i * classes + k]);
      squares += error * error;
    }
    loss += static_cast<double>(weights[i]) * squares;
  }
  LinearHead penalised = head.clone();
  if (config.standardize) fold_standardization(standardization_of(rows.x, weights), penalised);
  double squares = 0;
  for (const float each : penalised.w.data())
    squares += static_cast<double>(each) * static_cast<double>(each);
  return strength * loss + 0.5 * squares;
}

}  // namespace enxerto
