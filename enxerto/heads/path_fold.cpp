#include "enxerto/heads/path_fold.h"

#include <algorithm>
#include <optional>

#include "enxerto/core/system.h"
#include "enxerto/heads/logistic_parts.h"
#include "enxerto/heads/primal.h"
#include "enxerto/heads/svm_loss.h"
#include "enxerto/heads/svm_parts.h"

namespace enxerto {
namespace {

/// Scores of a point's weights, with its bias.
void scores_at(const SeenRows& seen, const PrimalPoint& at, int outputs, std::span<const std::int32_t> rows,
               std::span<double> out) {
  const std::vector<float> w = weights_at(seen, at, outputs);
  cpu::scores(seen.view(), rows, w.data(), outputs, out);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] += at[w.size() + i % static_cast<std::size_t>(outputs)];
}

/// What else there is where the dual gets stuck: many rows and a large C, and what is one step for the
/// weights is very many for the dual variables.
struct Primal {
  const SeenRows& seen;
  bool squared_hinge;
  int most_passes;
};

/// Where that is quick: many folds and strengths are fitted, and hundreds of passes over many features for
/// each would take minutes. Elsewhere a fold ends where the dual is stuck.
std::optional<Primal> primal_for(const Rows& rows, const SeenRows& seen, int outputs, bool squared_hinge,
                                 int max_iterations) {
  constexpr double most_products = 5e8;  // of a fit
  constexpr int least_passes = 100;
  const double of_a_pass = static_cast<double>(rows.n()) * static_cast<double>(rows.c()) * outputs;
  const int passes = static_cast<int>(std::min<double>(max_iterations, most_products / of_a_pass));
  if (passes < std::min(least_passes, max_iterations)) return std::nullopt;
  return Primal{seen, squared_hinge, passes};
}

/// Fitted by dual block ascent, over the features or over the products of all rows. With `primal`, where that
/// does not converge, by the weights from then on: a larger C is no easier.
class DualFold : public PathFold {
 public:
  DualFold(DualProblem problem, std::vector<double> unit_costs, std::unique_ptr<DualSpace> space,
           std::unique_ptr<DualLoss> loss, double tolerance, int max_epochs, std::uint64_t seed,
           std::optional<Primal> primal)
      : problem_(std::move(problem)),
        unit_costs_(std::move(unit_costs)),
        space_(std::move(space)),
        loss_(std::move(loss)),
        solver_(problem_, *space_, *loss_, dual_block_rows, seed),
        primal_(primal),
        tolerance_(tolerance),
        max_epochs_(max_epochs) {
    const auto outputs = static_cast<std::size_t>(problem_.outputs);
    state_.a.resize(unit_costs_.size() * outputs);
    state_.bias = problem_.bias_penalised ? std::vector<double>(outputs) : prior_bias(problem_);
  }

  bool fit(double strength) override {
    for (std::size_t i = 0; i < unit_costs_.size(); ++i) problem_.c[i] = strength * unit_costs_[i];
    if (!at_.empty()) return fit_primal(primal_->most_passes);
    solver_.set_c(problem_.c);
    if (!started_ && !problem_.bias_penalised) solver_.start_along(residuals(problem_, state_.bias), state_);
    started_ = true;
    last_ = solver_.run(state_, tolerance_, max_epochs_);
    if (last_.converged || !primal_) return last_.converged;
    at_ = point_of(primal_->seen, static_cast<const FeatureSpace&>(*space_).weights(), state_.bias);
    return fit_primal(primal_->most_passes - last_.passes);
  }

  int outputs() const override { return problem_.outputs; }

  void scores(std::span<const std::int32_t> rows, std::span<double> out) const override {
    if (!at_.empty()) return scores_at(primal_->seen, at_, problem_.outputs, rows, out);
    space_->scores(rows, out);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += state_.bias[i % state_.bias.size()];
  }

  /// Starts from variables that were found elsewhere.
  void take(const DualState& state) {
    std::vector<float> change(state.a.begin(), state.a.end());
    std::vector<std::int32_t> all(unit_costs_.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i);
    space_->add(all, change);
    state_.a.assign(change.begin(), change.end());
    state_.bias = state.bias;
    started_ = true;
  }

  const DualState& state() const { return state_; }
  const DualSpace& space() const { return *space_; }
  const DualResult& last() const { return last_; }

 private:
  bool fit_primal(int passes) {
    return passes > 0 && minimise_primal({primal_->seen, problem_.y, problem_.c, problem_.outputs, 1, 0,
                                          primal_->squared_hinge},
                                         at_, tolerance_, passes)
                             .converged;
  }

  DualProblem problem_;
  std::vector<double> unit_costs_;
  std::unique_ptr<DualSpace> space_;
  std::unique_ptr<DualLoss> loss_;
  DualSolver solver_;
  DualState state_;
  DualResult last_;
  std::optional<Primal> primal_;  ///< only over the features
  PrimalPoint at_;                ///< once the dual has not converged
  double tolerance_;
  int max_epochs_;
  bool started_ = false;
};

struct DualKind {
  const Rows& rows;
  const SeenRows& seen;
  const ClassWeights& class_weights;
  int outputs;
  bool bias_penalised;
  double scale;  ///< of the costs
  double tolerance;
  int max_epochs;
  std::function<std::unique_ptr<DualLoss>()> loss;
  std::optional<Primal> primal;
  /// Of the dual over the features, where the weights can go on.
  int most_epochs() const { return primal ? std::min(max_epochs, 150) : max_epochs; }
};

std::unique_ptr<DualFold> make_dual(const DualKind& kind, std::span<const float> weights,
                                    std::span<const float> gram) {
  Rows some = kind.rows;
  some.weights = weights;
  std::vector<double> costs = costs_of(some, kind.class_weights, kind.scale);
  std::unique_ptr<DualSpace> space;
  if (gram.empty())
    space = std::make_unique<FeatureSpace>(kind.seen, kind.outputs);
  else
    space = std::make_unique<GramSpace>(gram, kind.rows.n(), kind.outputs);
  DualProblem problem{kind.rows.y, costs, kind.outputs, kind.bias_penalised};
  const bool over_features = gram.empty();
  return std::make_unique<DualFold>(std::move(problem), std::move(costs), std::move(space), kind.loss(),
                                    kind.tolerance, over_features ? kind.most_epochs() : kind.max_epochs, 0,
                                    over_features ? kind.primal : std::nullopt);
}

/// Fitted over the products, then carried to the features, where the objective is measured and the rounding
/// of the products made good.
LinearFit refit_dual(DualKind kind, double strength, std::span<const float> gram) {
  const double began = now_seconds();
  if (kind.primal) kind.max_epochs = std::min(kind.max_epochs, 200);
  kind.primal.reset();  // fit_logistic() and fit_svm() have it
  std::unique_ptr<DualFold> fold = make_dual(kind, kind.rows.weights, {});
  if (!gram.empty()) {
    const std::unique_ptr<DualFold> over_gram = make_dual(kind, kind.rows.weights, gram);
    over_gram->fit(strength);
    fold->take(over_gram->state());
  }
  fold->fit(strength);
  const DualResult& last = fold->last();
  LinearFit fit;
  fit.objective = last.objective / kind.scale;
  fit.gap = last.gap / std::max(last.objective, 1e-300);
  fit.iterations = last.passes;
  fit.converged = last.converged;
  fit.head = kind.seen.head(static_cast<const FeatureSpace&>(fold->space()).weights(), fold->state().bias);
  fit.seconds = now_seconds() - began;
  return fit;
}

/// With L1: by the weights.
class PrimalFold : public PathFold {
 public:
  PrimalFold(const Rows& rows, const SeenRows& seen, const LogisticConfig& config,
             std::span<const float> weights)
      : rows_(rows), seen_(seen), config_(config) {
    Rows some = rows;
    some.weights = weights;
    unit_costs_ = costs_of(some, config.class_weights, 1);
    at_.resize(static_cast<std::size_t>(rows.classes) * static_cast<std::size_t>(rows.c()));
    const std::vector<double> bias = prior_bias({rows.y, unit_costs_, rows.classes, false});
    at_.insert(at_.end(), bias.begin(), bias.end());
  }

  bool fit(double strength) override {
    std::vector<double> costs = unit_costs_;
    for (double& each : costs) each *= strength;
    const double doubled = rows_.classes == 2 ? 2 : 1;
    return minimise_primal(
               {seen_, rows_.y, costs, rows_.classes, doubled * (1 - config_.l1_ratio), config_.l1_ratio},
               at_, config_.tolerance, config_.max_iterations)
        .converged;
  }

  int outputs() const override { return rows_.classes; }

  void scores(std::span<const std::int32_t> rows, std::span<double> out) const override {
    scores_at(seen_, at_, rows_.classes, rows, out);
  }

 private:
  Rows rows_;
  const SeenRows& seen_;
  const LogisticConfig& config_;
  std::vector<double> unit_costs_;
  PrimalPoint at_;
};

}  // namespace

PathTask logistic_task(const Rows& rows, const LogisticConfig& config) {
  check_config(config);
  check_rows(rows);
  PathTask task;
  task.outputs = rows.classes;
  task.dual = config.l1_ratio == 0;
  const auto seen = std::make_shared<const SeenRows>(centred_rows(rows, config.standardize));
  task.seen = seen;
  if (!task.dual) {
    task.make = [&rows, &config, seen](std::span<const float> weights, std::span<const float>) {
      return std::make_unique<PrimalFold>(rows, *seen, config, weights);
    };
    task.refit = [&rows, &config](double strength, std::span<const float>) {
      LogisticConfig with = config;
      with.strength = strength;
      return fit_logistic(rows, with);
    };
    return task;
  }
  const auto kind = std::make_shared<const DualKind>(DualKind{
      rows, *seen, config.class_weights, rows.classes, false, rows.classes == 2 ? 0.5 : 1.0, config.tolerance,
      config.max_iterations, [classes = rows.classes] { return std::make_unique<LogisticLoss>(classes); },
      primal_for(rows, *seen, rows.classes, false, config.max_iterations)});
  task.make = [kind](std::span<const float> weights, std::span<const float> gram) {
    return make_dual(*kind, weights, gram);
  };
  task.refit = [&rows, &config, kind, seen](double strength, std::span<const float> gram) {
    LinearFit fit = refit_dual(*kind, strength, gram);
    if (fit.converged) return fit;
    LogisticConfig with = config;
    with.strength = strength;
    return fit_logistic(rows, with, &fit.head);
  };
  return task;
}

PathTask svm_task(const Rows& rows, const SvmConfig& config) {
  check_config(config);
  check_rows(rows);
  PathTask task;
  task.outputs = outputs_of(config, rows.classes);
  const auto seen = std::make_shared<const SeenRows>(svm_rows(rows, config.standardize));
  task.seen = seen;
  const auto kind = std::make_shared<const DualKind>(
      DualKind{rows, *seen, config.class_weights, task.outputs, true, 1.0, config.tolerance,
               config.max_iterations, [&config] { return loss_of(config); },
               config.multi_class == MultiClass::one_vs_rest
                   ? primal_for(rows, *seen, task.outputs, true, config.max_iterations)
                   : std::nullopt});
  task.make = [kind](std::span<const float> weights, std::span<const float> gram) {
    return make_dual(*kind, weights, gram);
  };
  task.refit = [&rows, &config, kind, seen](double strength, std::span<const float> gram) {
    LinearFit fit = refit_dual(*kind, strength, gram);
    if (!fit.converged && config.multi_class == MultiClass::one_vs_rest) {
      SvmConfig with = config;
      with.strength = strength;
      return fit_svm(rows, with);
    }
    fit.head = with_two_rows(std::move(fit.head));
    return fit;
  };
  return task;
}

}  // namespace enxerto
