#include "enxerto/heads/logistic.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/heads/logistic_parts.h"
#include "enxerto/heads/primal.h"

namespace enxerto {
void check_config(const LogisticConfig& config) {
  if (!(config.strength > 0) || !std::isfinite(config.strength))
    throw Error(ErrorKind::usage, text("C = ", config.strength, ": it has to be above 0"));
  if (!(config.l1_ratio >= 0 && config.l1_ratio <= 1))
    throw Error(ErrorKind::usage, text("a share of L1 of ", config.l1_ratio, ": it lies between 0 and 1"));
  if (!(config.tolerance > 0)) throw Error(ErrorKind::usage, "the tolerance has to be above 0");
  if (config.max_iterations < 1) throw Error(ErrorKind::usage, "there has to be at least one iteration");
}

namespace {

void check_start(const Rows& rows, const LinearHead* start) {
  if (start && (start->classes() != rows.classes || start->w.shape().c != rows.c()))
    throw Error(ErrorKind::usage,
                text("the head to start from is for ", start->classes(), " classes and ", start->w.shape().c,
                     " columns, the rows have ", rows.classes, " and ", rows.c()));
}

}  // namespace

std::vector<double> costs_of(const Rows& rows, const ClassWeights& classes, double strength) {
  const std::vector<float> weights = weights_of_rows(rows, classes);
  std::vector<double> made(weights.begin(), weights.end());
  for (double& each : made) each *= strength;
  return made;
}

SeenRows centred_rows(const Rows& rows, bool standardize) {
  // Where the bias is free, centring changes nothing but how soon it is found.
  Standardization by = standardization_of(rows.x, rows.weights);
  if (!standardize) by.scale.clear();
  return SeenRows(rows.x, std::move(by));
}

std::vector<double> prior_bias(const DualProblem& problem) {
  std::vector<double> sum(static_cast<std::size_t>(problem.outputs), 0.0);
  double total = 0;
  for (std::size_t i = 0; i < problem.c.size(); ++i) {
    sum[static_cast<std::size_t>(problem.y[i])] += problem.c[i];
    total += problem.c[i];
  }
  for (double& each : sum) each = std::log(std::max(each / total, 1e-9));
  return sum;
}

std::vector<float> residuals(const DualProblem& problem, std::span<const double> scores) {
  const auto outputs = static_cast<std::size_t>(problem.outputs);
  std::vector<float> made(problem.c.size() * outputs);
  std::vector<double> p(outputs);
  for (std::size_t i = 0; i < problem.c.size(); ++i) {
    softmax_of(scores.subspan(scores.size() == outputs ? 0 : i * outputs, outputs), p);
    for (std::size_t k = 0; k < outputs; ++k)
      made[i * outputs + k] =
          static_cast<float>(problem.c[i] * ((static_cast<int>(k) == problem.y[i] ? 1.0 : 0.0) - p[k]));
  }
  return made;
}

namespace {

LinearFit fit_dual(const Rows& rows, const LogisticConfig& config, const LinearHead* start,
                   const SeenRows& seen, std::vector<double>& bias, std::vector<float>& weights) {
  const double doubled = rows.classes == 2 ? 2 : 1;
  DualProblem problem{rows.y, costs_of(rows, config.class_weights, config.strength / doubled), rows.classes,
                      false};
  FeatureSpace space(seen, rows.classes);
  LogisticLoss loss(rows.classes);
  DualSolver solver(problem, space, loss, dual_block_rows, 0);
  DualState state{std::vector<double>(problem.c.size() * static_cast<std::size_t>(rows.classes)),
                  prior_bias(problem)};
  if (start) {
    const Tensor scores = start->scores(rows.x);
    const std::vector<double> all(scores.data().begin(), scores.data().end());
    const std::vector<float> direction = residuals(problem, all);
    solver.start_along(direction, state);
  } else {
    solver.start_along(residuals(problem, state.bias), state);
  }
  const DualResult result = solver.run(state, config.tolerance, std::min(config.max_iterations, 200));
  bias = state.bias;
  weights = space.weights();
  LinearFit fit;
  fit.objective = doubled * result.objective;
  fit.gap = result.gap / std::max(result.objective, 1e-300);
  fit.iterations = result.passes;
  fit.converged = result.converged;
  return fit;
}

void fit_primal(const Rows& rows, const LogisticConfig& config, const SeenRows& seen,
                std::vector<double>& bias, std::vector<float>& weights, LinearFit& fit) {
  const std::vector<double> costs = costs_of(rows, config.class_weights, config.strength);
  const double doubled = rows.classes == 2 ? 2 : 1;
  const PrimalProblem problem{seen,           rows.y, costs, rows.classes, doubled * (1 - config.l1_ratio),
                              config.l1_ratio};
  PrimalPoint at = point_of(seen, weights, bias);
  const PrimalResult result =
      minimise_primal(problem, at, config.tolerance, config.max_iterations - fit.iterations);
  weights = weights_at(seen, at, rows.classes);
  std::copy(at.end() - rows.classes, at.end(), bias.begin());
  fit.objective = result.objective;
  fit.gap = result.gap / std::max(result.objective, 1e-300);
  fit.iterations += result.passes;
  fit.converged = result.converged;
}

}  // namespace

LinearFit fit_logistic(const Rows& rows, const LogisticConfig& config, const LinearHead* start) {
  const double began = now_seconds();
  check_config(config);
  check_rows(rows);
  check_start(rows, start);
  const SeenRows seen = centred_rows(rows, config.standardize);
  std::vector<double> bias;
  std::vector<float> weights;
  LinearFit fit;
  if (config.l1_ratio == 0) {
    fit = fit_dual(rows, config, start, seen, bias, weights);
  } else {
    weights.resize(static_cast<std::size_t>(rows.classes) * static_cast<std::size_t>(rows.c()));
    bias = prior_bias({rows.y, costs_of(rows, config.class_weights, config.strength), rows.classes, false});
    if (start) {
      std::copy(start->w.data().begin(), start->w.data().end(), weights.begin());
      for (int k = 0; k < rows.classes; ++k) bias[static_cast<std::size_t>(k)] = seen.bias_at_mean(*start, k);
    }
  }
  if (!fit.converged && fit.iterations < config.max_iterations)
    fit_primal(rows, config, seen, bias, weights, fit);
  fit.head = seen.head(weights, bias);
  fit.seconds = now_seconds() - began;
  return fit;
}

double logistic_objective(const Rows& rows, const LogisticConfig& config, const LinearHead& head) {
  check_config(config);
  check_rows(rows);
  check_start(rows, &head);
  const SeenRows seen = centred_rows(rows, config.standardize);
  const std::vector<double> costs = costs_of(rows, config.class_weights, config.strength);
  const cpu::RowView view = seen.view();
  const auto columns = static_cast<std::size_t>(rows.c()), classes = static_cast<std::size_t>(rows.classes);
  const double l2 = (rows.classes == 2 ? 2 : 1) * (1 - config.l1_ratio);
  double sum = 0;
  for (std::size_t i = 0; i < classes * columns; ++i) {
    double w = static_cast<double>(head.w.data()[i]);
    if (view.scale) w /= static_cast<double>(view.scale[i % columns]);
    sum += l2 / 2 * w * w + config.l1_ratio * std::abs(w);
  }
  std::vector<double> s(classes), p(classes);
  for (std::size_t i = 0; i < rows.y.size(); ++i) {
    if (costs[i] == 0) continue;
    for (std::size_t k = 0; k < classes; ++k) {
      s[k] = static_cast<double>(head.b.data()[k]);
      for (std::size_t j = 0; j < columns; ++j)
        s[k] += static_cast<double>(rows.x.data[i * columns + j]) *
                static_cast<double>(head.w.data()[k * columns + j]);
    }
    sum += costs[i] * (softmax_of(s, p) - s[static_cast<std::size_t>(rows.y[i])]);
  }
  return sum;
}

}  // namespace enxerto
