#include "enxerto/heads/primal.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "enxerto/heads/logistic_loss.h"

namespace enxerto {
namespace {

constexpr std::size_t block_rows = 64;  ///< stay in the caches between the scores and the gradient
constexpr std::size_t history = 10;
constexpr std::size_t piece = 8192;  ///< fewer numbers are worked through before another thread is awake

std::size_t weights_of(const PrimalProblem& problem) {
  return static_cast<std::size_t>(problem.outputs) * static_cast<std::size_t>(problem.seen.c());
}

/// Sums over pieces of fixed size, added in order: the same bits for any number of threads.
template <class F>
double sum_over(std::size_t count, const F& f) {
  std::vector<double> parts((count + piece - 1) / piece);
#pragma omp parallel for schedule(static) if (parts.size() > 1)
  for (std::size_t i = 0; i < parts.size(); ++i) {
    double sum = 0;
    for (std::size_t j = i * piece; j < std::min(count, (i + 1) * piece); ++j) sum += f(j);
    parts[i] = sum;
  }
  double sum = 0;
  for (const double each : parts) sum += each;
  return sum;
}

double dot(const PrimalPoint& a, const PrimalPoint& b) {
  return sum_over(a.size(), [&](std::size_t i) { return a[i] * b[i]; });
}

void add(PrimalPoint& to, double factor, const PrimalPoint& from) {
#pragma omp parallel for schedule(static) if (to.size() > piece)
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * from[i];
}

struct Pair {
  PrimalPoint step, change;
  double product;
};

/// -H g by the two loops of Nocedal 1980.
PrimalPoint direction_of(const PrimalPoint& gradient, const std::deque<Pair>& pairs) {
  PrimalPoint d = gradient;
  std::vector<double> factors;
  for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair) {
    factors.push_back(dot(pair->step, d) / pair->product);
    add(d, -factors.back(), pair->change);
  }
  const double scale = pairs.empty() ? 1 / std::max(std::sqrt(dot(gradient, gradient)), 1e-300)
                                     : pairs.back().product / dot(pairs.back().change, pairs.back().change);
  for (double& each : d) each *= scale;
  for (const Pair& pair : pairs) {
    add(d, factors.back() - dot(pair.change, d) / pair.product, pair.step);
    factors.pop_back();
  }
  for (double& each : d) each = -each;
  return d;
}

double absolute_part(const PrimalProblem& problem, const PrimalPoint& at) {
  if (problem.l1 == 0) return 0;
  return problem.l1 * sum_over(weights_of(problem), [&](std::size_t i) { return std::abs(at[i]); });
}

/// The steepest of the gradients that the absolute values allow at 0.
PrimalPoint pseudo_gradient(const PrimalProblem& problem, const PrimalPoint& at,
                            const PrimalPoint& gradient) {
  PrimalPoint made = gradient;
  if (problem.l1 == 0) return made;
  for (std::size_t i = 0; i < weights_of(problem); ++i) {
    const double g = gradient[i], l1 = problem.l1;
    made[i] = at[i] > 0 ? g + l1 : at[i] < 0 ? g - l1 : g > l1 ? g - l1 : g < -l1 ? g + l1 : 0.0;
  }
  return made;
}

/// How far the objective can be above the least: with the residuals as dual variables the duality gap is
/// l2 / 2 ||W||^2 + l1 ||W||_1 + conjugate(V) - <W, V>, V = -gradient of the losses.
double gap_of(const PrimalProblem& problem, const PrimalPoint& at, const PrimalPoint& gradient) {
  if (problem.l2 <= 0) return HUGE_VAL;
  return sum_over(weights_of(problem), [&](std::size_t i) {
    const double v = problem.l2 * at[i] - gradient[i], soft = std::max(std::abs(v) - problem.l1, 0.0);
    return problem.l2 / 2 * at[i] * at[i] + problem.l1 * std::abs(at[i]) + soft * soft / (2 * problem.l2) -
           at[i] * v;
  });
}

/// at + length * d, which with absolute values does not cross 0.
PrimalPoint moved(const PrimalProblem& problem, const PrimalPoint& at, const PrimalPoint& d, double length,
                  const PrimalPoint& pseudo) {
  PrimalPoint made = at;
  add(made, length, d);
  if (problem.l1 != 0)
    for (std::size_t i = 0; i < weights_of(problem); ++i) {
      const double orthant = at[i] != 0 ? at[i] : -pseudo[i];
      if (made[i] * orthant <= 0) made[i] = 0;
    }
  return made;
}

/// c * cross entropy; s becomes its gradient.
double entropy_and_slope(double c, std::size_t y, std::span<double> s) {
  const double right = s[y], level = softmax_of(s, s);
  s[y] -= 1;
  for (double& each : s) each *= c;
  return c * (level - right);
}

/// c * squared hinge; s becomes its gradient.
double hinge_and_slope(double c, std::size_t y, std::span<double> s) {
  double sum = 0;
  for (std::size_t k = 0; k < s.size(); ++k) {
    const double t = (s.size() == 1 ? k + 1 : k) == y ? 1.0 : -1.0, short_of = std::max(0.0, 1 - t * s[k]);
    sum += c * short_of * short_of;
    s[k] = -2 * c * t * short_of;
  }
  return sum;
}

}  // namespace

double primal_objective(const PrimalProblem& problem, const PrimalPoint& at, PrimalPoint& gradient) {
  const auto outputs = static_cast<std::size_t>(problem.outputs),
             columns = static_cast<std::size_t>(problem.seen.c());
  const std::size_t weights = outputs * columns;
  const cpu::RowView view = problem.seen.view();
  std::vector<float> w(weights), g(weights);
#pragma omp parallel for schedule(static) if (weights > piece)
  for (std::size_t i = 0; i < weights; ++i)
    w[i] = static_cast<float>(view.scale ? at[i] * static_cast<double>(view.scale[i % columns]) : at[i]);
  std::vector<std::int32_t> rows;
  for (std::size_t i = 0; i < problem.c.size(); ++i)
    if (problem.c[i] > 0) rows.push_back(static_cast<std::int32_t>(i));
  std::vector<double> s(block_rows * outputs), bias(outputs, 0.0);
  std::vector<float> residual(s.size());
  double loss = 0;
  for (std::size_t begin = 0; begin < rows.size(); begin += block_rows) {
    const std::span<const std::int32_t> some =
        std::span(rows).subspan(begin, std::min(block_rows, rows.size() - begin));
    const std::span<double> scores = std::span(s).first(some.size() * outputs);
    cpu::scores(view, some, w.data(), problem.outputs, scores);
    for (std::size_t i = 0; i < some.size(); ++i) {
      const auto row = static_cast<std::size_t>(some[i]), y = static_cast<std::size_t>(problem.y[row]);
      const std::span<double> own = scores.subspan(i * outputs, outputs);
      for (std::size_t k = 0; k < outputs; ++k) own[k] += at[weights + k];
      loss += problem.squared_hinge ? hinge_and_slope(problem.c[row], y, own)
                                    : entropy_and_slope(problem.c[row], y, own);
      for (std::size_t k = 0; k < outputs; ++k) {
        residual[i * outputs + k] = static_cast<float>(own[k]);
        bias[k] += own[k];
      }
    }
    cpu::add_outer(view, some, std::span(residual).first(scores.size()), problem.outputs, g.data());
  }
  gradient.resize(weights + outputs);
#pragma omp parallel for schedule(static) if (weights > piece)
  for (std::size_t i = 0; i < weights; ++i)
    gradient[i] = problem.l2 * at[i] + static_cast<double>(g[i]) *
                                           (view.scale ? static_cast<double>(view.scale[i % columns]) : 1.0);
  for (std::size_t k = 0; k < outputs; ++k) {
    const double b = at[weights + k];
    gradient[weights + k] = bias[k] + (problem.squared_hinge ? problem.l2 * b : 0.0);
    if (problem.squared_hinge) loss += problem.l2 / 2 * b * b;
  }
  return loss + problem.l2 / 2 * sum_over(weights, [&](std::size_t i) { return at[i] * at[i]; });
}

PrimalPoint point_of(const SeenRows& seen, std::span<const float> weights, std::span<const double> bias) {
  const cpu::RowView view = seen.view();
  const auto columns = static_cast<std::size_t>(seen.c());
  PrimalPoint at(weights.begin(), weights.end());
  for (std::size_t i = 0; i < at.size() && view.scale; ++i)
    at[i] /= static_cast<double>(view.scale[i % columns]);
  at.insert(at.end(), bias.begin(), bias.end());
  return at;
}

std::vector<float> weights_at(const SeenRows& seen, const PrimalPoint& at, int outputs) {
  const cpu::RowView view = seen.view();
  const auto columns = static_cast<std::size_t>(seen.c());
  std::vector<float> weights(static_cast<std::size_t>(outputs) * columns);
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] =
        static_cast<float>(view.scale ? at[i] * static_cast<double>(view.scale[i % columns]) : at[i]);
  return weights;
}

PrimalResult minimise_primal(const PrimalProblem& problem, PrimalPoint& at, double tolerance,
                             int max_passes) {
  PrimalResult result;
  PrimalPoint gradient;
  result.objective = primal_objective(problem, at, gradient) + absolute_part(problem, at);
  result.passes = 1;
  std::deque<Pair> pairs;
  std::vector<double> past{result.objective};
  while (true) {
    PrimalPoint pseudo = pseudo_gradient(problem, at, gradient);
    result.gap = gap_of(problem, at, gradient);
    const double bound = tolerance * std::abs(result.objective);
    const double gained = past.size() > 10 ? past[past.size() - 11] - result.objective : HUGE_VAL;
    if (result.gap <= bound || gained <= 0.1 * bound) {
      result.converged = true;
      result.gap = std::min(result.gap, std::max(gained, 0.0));
      return result;
    }
    if (result.passes >= max_passes) return result;
    PrimalPoint d = direction_of(pseudo, pairs);
    if (problem.l1 != 0)
      for (std::size_t i = 0; i < weights_of(problem); ++i)
        if (d[i] * pseudo[i] >= 0) d[i] = 0;
    const double slope = dot(d, pseudo);
    double length = 1, objective = 0;
    PrimalPoint next, next_gradient;
    bool found = false;
    for (int halving = 0; halving < 30 && result.passes < max_passes && slope < 0; ++halving, length *= 0.5) {
      next = moved(problem, at, d, length, pseudo);
      objective = primal_objective(problem, next, next_gradient) + absolute_part(problem, next);
      ++result.passes;
      found = objective <= result.objective + 1e-4 * length * slope;
      if (found) break;
    }
    if (!found) {
      // Rounding hides what is left, or the curvature is stale: once more along the gradient, then that was
      // all.
      if (pairs.empty()) {
        result.converged = result.passes < max_passes;
        result.gap = std::min(result.gap, std::abs(gained));
        return result;
      }
      pairs.clear();
      continue;
    }
    Pair pair{next, next_gradient, 0};
    add(pair.step, -1, at);
    add(pair.change, -1, gradient);
    pair.product = dot(pair.step, pair.change);
    if (pair.product > 1e-12 * dot(pair.change, pair.change)) {
      pairs.push_back(std::move(pair));
      if (pairs.size() > history) pairs.pop_front();
    }
    at.swap(next);
    gradient.swap(next_gradient);
    result.objective = objective;
    past.push_back(objective);
  }
}

}  // namespace enxerto
