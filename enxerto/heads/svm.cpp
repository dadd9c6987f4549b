#include "enxerto/heads/svm.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/heads/logistic_parts.h"
#include "enxerto/heads/primal.h"
#include "enxerto/heads/svm_loss.h"
#include "enxerto/heads/svm_parts.h"

namespace enxerto {

void check_config(const SvmConfig& config) {
  if (!(config.strength > 0) || !std::isfinite(config.strength))
    throw Error(ErrorKind::usage, text("C = ", config.strength, ": it has to be above 0"));
  if (!(config.tolerance > 0)) throw Error(ErrorKind::usage, "the tolerance has to be above 0");
  if (config.max_iterations < 1) throw Error(ErrorKind::usage, "there has to be at least one iteration");
}

int outputs_of(const SvmConfig& config, int classes) {
  return config.multi_class == MultiClass::one_vs_rest && classes == 2 ? 1 : classes;
}

std::unique_ptr<DualLoss> loss_of(const SvmConfig& config) {
  if (config.multi_class == MultiClass::crammer_singer) return std::make_unique<CrammerSinger>();
  return std::make_unique<SquaredHinge>();
}

SeenRows svm_rows(const Rows& rows, bool standardize) {
  return SeenRows(rows.x, standardize ? standardization_of(rows.x, rows.weights) : Standardization{});
}

LinearHead with_two_rows(LinearHead head) {
  if (head.classes() != 1) return head;
  const std::int64_t columns = head.w.shape().c;
  LinearHead made(2, columns);
  for (std::size_t j = 0; j < static_cast<std::size_t>(columns); ++j) {
    made.w.data()[j] = -head.w.data()[j];
    made.w.data()[static_cast<std::size_t>(columns) + j] = head.w.data()[j];
  }
  made.b.data()[0] = -head.b.data()[0];
  made.b.data()[1] = head.b.data()[0];
  return made;
}

LinearFit fit_svm(const Rows& rows, const SvmConfig& config, const LinearHead* start) {
  const double began = now_seconds();
  check_config(config);
  check_rows(rows);
  const int outputs = outputs_of(config, rows.classes);
  const SeenRows seen = svm_rows(rows, config.standardize);
  const DualProblem problem{rows.y, costs_of(rows, config.class_weights, config.strength), outputs, true};
  FeatureSpace space(seen, outputs);
  const std::unique_ptr<DualLoss> loss = loss_of(config);
  DualSolver solver(problem, space, *loss, dual_block_rows, 0);
  DualState state{std::vector<double>(problem.c.size() * static_cast<std::size_t>(outputs)),
                  std::vector<double>(static_cast<std::size_t>(outputs))};
  (void)start;
  // Many rows and a large C: what is one step for the weights is very many for the dual variables.
  const bool smooth = config.multi_class == MultiClass::one_vs_rest;
  const int epochs = smooth ? std::min(config.max_iterations, 150) : config.max_iterations;
  const DualResult result = solver.run(state, config.tolerance, epochs);
  LinearFit fit;
  fit.objective = result.objective;
  fit.gap = result.gap / std::max(result.objective, 1e-300);
  fit.iterations = result.passes;
  fit.converged = result.converged;
  std::vector<float> weights = space.weights();
  if (smooth && !fit.converged && fit.iterations < config.max_iterations) {
    PrimalPoint at = point_of(seen, weights, state.bias);
    const PrimalResult primal = minimise_primal({seen, rows.y, problem.c, outputs, 1, 0, true}, at,
                                                config.tolerance, config.max_iterations - fit.iterations);
    weights = weights_at(seen, at, outputs);
    std::copy(at.end() - outputs, at.end(), state.bias.begin());
    fit.objective = primal.objective;
    fit.gap = primal.gap / std::max(primal.objective, 1e-300);
    fit.iterations += primal.passes;
    fit.converged = primal.converged;
  }
  fit.head = with_two_rows(seen.head(weights, state.bias));
  fit.seconds = now_seconds() - began;
  return fit;
}

double svm_objective(const Rows& rows, const SvmConfig& config, const LinearHead& head) {
  check_config(config);
  check_rows(rows);
  const auto outputs = static_cast<std::size_t>(outputs_of(config, rows.classes));
  const std::size_t first = outputs == 1 ? 1 : 0, columns = static_cast<std::size_t>(rows.c());
  const SeenRows seen = svm_rows(rows, config.standardize);
  const cpu::RowView view = seen.view();
  const std::vector<double> costs = costs_of(rows, config.class_weights, config.strength);
  const std::span<const float> w = head.w.data();
  double sum = 0;
  for (std::size_t k = first; k < first + outputs; ++k) {
    const double b = seen.bias_at_mean(head, static_cast<int>(k));
    sum += 0.5 * b * b;
    for (std::size_t j = 0; j < columns; ++j) {
      const double scaled =
          static_cast<double>(w[k * columns + j]) / (view.scale ? static_cast<double>(view.scale[j]) : 1.0);
      sum += 0.5 * scaled * scaled;
    }
  }
  const std::unique_ptr<DualLoss> loss = loss_of(config);
  std::vector<double> s(outputs);
  for (std::size_t i = 0; i < rows.y.size(); ++i) {
    if (costs[i] == 0) continue;
    for (std::size_t k = 0; k < outputs; ++k) {
      s[k] = static_cast<double>(head.b.data()[first + k]);
      for (std::size_t j = 0; j < columns; ++j)
        s[k] += static_cast<double>(rows.x.data[i * columns + j]) *
                static_cast<double>(w[(first + k) * columns + j]);
    }
    sum += loss->loss(costs[i], rows.y[i], s);
  }
  return sum;
}

}  // namespace enxerto
