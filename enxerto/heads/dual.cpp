#include "enxerto/heads/dual.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "enxerto/core/random.h"

namespace enxerto {
namespace {

constexpr std::int64_t rows_at_once = 1024;  ///< of a pass that only reads: bounds its scratch

double dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace

DualSolver::DualSolver(const DualProblem& problem, DualSpace& space, DualLoss& loss, std::int64_t block_rows,
                       std::uint64_t seed)
    : problem_(problem),
      space_(space),
      loss_(loss),
      seed_(seed),
      block_rows_(static_cast<std::size_t>(block_rows)) {
  for (std::size_t i = 0; i < problem_.c.size(); ++i)
    if (problem_.c[i] > 0) rows_.push_back(static_cast<std::int32_t>(i));
  // Rows often come class by class; a block should be like the whole.
  Rng rng(seed);
  shuffle(rows_, rng);
  products_.resize(rows_.size() * block_rows_);
  const auto blocks = static_cast<std::int64_t>((rows_.size() + block_rows_ - 1) / block_rows_);
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t b = 0; b < blocks; ++b) {
    const auto at = static_cast<std::size_t>(b);
    space_.products(rows_of(at), products_.data() + at * block_rows_ * block_rows_);
  }
  double sum = 0;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const std::size_t block = i / block_rows_, size = rows_of(block).size(), within = i % block_rows_;
    sum += static_cast<double>(products_[block * block_rows_ * block_rows_ + within * size + within]);
  }
  // A free bias is the weight of a large constant, moved on after each epoch until the constraint that it
  // stands for, sum of a = 0, holds (the method of multipliers). Too large, and the sum alone would be
  // obeyed.
  const double mean = sum / static_cast<double>(rows_.size());
  constant_ = problem_.bias_penalised ? 1.0 : mean > 0 ? 0.1 * mean : 1.0;
}

std::span<const std::int32_t> DualSolver::rows_of(std::size_t block) const {
  const std::size_t begin = block * block_rows_;
  return std::span(rows_).subspan(begin, std::min(block_rows_, rows_.size() - begin));
}

std::vector<double> DualSolver::all_scores() const {
  const auto outputs = static_cast<std::size_t>(problem_.outputs);
  std::vector<double> made(rows_.size() * outputs);
  for (std::size_t begin = 0; begin < rows_.size(); begin += rows_at_once) {
    const std::size_t some = std::min<std::size_t>(rows_at_once, rows_.size() - begin);
    space_.scores(std::span(rows_).subspan(begin, some),
                  std::span(made).subspan(begin * outputs, some * outputs));
  }
  return made;
}

DualSolver::Sums DualSolver::block(DualState& state, std::size_t index, double negligible,
                                   std::span<double> s, Pending& pending) {
  const std::span<const std::int32_t> rows = rows_of(index);
  const auto outputs = static_cast<std::size_t>(problem_.outputs);
  const float* const products = products_.data() + index * block_rows_ * block_rows_;
  std::vector<double> change(outputs), before;
  Sums sums;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<std::size_t>(rows[i]);
    const std::span<double> own = s.subspan(i * outputs, outputs);
    for (std::size_t k = 0; k < outputs; ++k) own[k] += state.bias[k];
    const std::span<const double> a = std::span(state.a).subspan(row * outputs, outputs);
    before.insert(before.end(), a.begin(), a.end());
    sums.loss += loss_.loss(problem_.c[row], problem_.y[row], own);
    sums.gap += loss_.gap(problem_.c[row], problem_.y[row], own, a);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<std::size_t>(rows[i]);
    const float* const mine = products + i * rows.size();
    if (!loss_.solve(static_cast<double>(mine[i]) + constant_, problem_.c[row], problem_.y[row],
                     std::span(s).subspan(i * outputs, outputs),
                     std::span(state.a).subspan(row * outputs, outputs), change, negligible))
      continue;
    for (std::size_t j = i + 1; j < rows.size(); ++j) {
      const double product = static_cast<double>(mine[j]) + constant_;
      for (std::size_t k = 0; k < outputs; ++k) s[j * outputs + k] += product * change[k];
    }
  }
  // What the weights get is what `a` gets: rounded alike. Rows that stay are not read again.
  pending.rows.clear();
  pending.change.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    bool stays = true;
    for (std::size_t k = 0; k < outputs; ++k) {
      double& a = state.a[static_cast<std::size_t>(rows[i]) * outputs + k];
      const auto rounded = static_cast<float>(a - before[i * outputs + k]);
      pending.change.push_back(rounded);
      a = before[i * outputs + k] + static_cast<double>(rounded);
      state.bias[k] += constant_ * static_cast<double>(rounded);
      stays = stays && rounded == 0;
    }
    if (stays)
      pending.change.resize(pending.change.size() - outputs);
    else
      pending.rows.push_back(rows[i]);
  }
  return sums;
}

DualSolver::Sums DualSolver::epoch(DualState& state, double negligible) {
  std::vector<std::size_t> order((rows_.size() + block_rows_ - 1) / block_rows_);
  std::iota(order.begin(), order.end(), std::size_t{0});
  Rng rng = Rng(seed_).child(static_cast<std::uint64_t>(++epochs_done_));
  shuffle(order, rng);
  Sums sums;
  Pending pending;
  std::vector<double> s;
  for (const std::size_t index : order) {
    s.resize(rows_of(index).size() * static_cast<std::size_t>(problem_.outputs));
    space_.add_then_score(pending.rows, pending.change, rows_of(index), s);
    const Sums one = block(state, index, negligible, s, pending);
    sums.loss += one.loss;
    sums.gap += one.gap;
  }
  if (!pending.rows.empty()) space_.add(pending.rows, pending.change);
  return sums;
}

DualSolver::Sums DualSolver::measure(DualState& state) {
  const auto outputs = static_cast<std::size_t>(problem_.outputs);
  std::vector<double> s = all_scores();
  if (!problem_.bias_penalised) polish_bias(problem_, rows_, s, state.bias);
  Sums sums;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const auto row = static_cast<std::size_t>(rows_[i]);
    const std::span<double> own = std::span(s).subspan(i * outputs, outputs);
    for (std::size_t k = 0; k < outputs; ++k) own[k] += state.bias[k];
    sums.loss += loss_.loss(problem_.c[row], problem_.y[row], own);
    sums.gap +=
        loss_.gap(problem_.c[row], problem_.y[row], own, std::span(state.a).subspan(row * outputs, outputs));
  }
  return sums;
}

double DualSolver::penalty(const DualState& state) const {
  return 0.5 * (space_.squared_norm() + (problem_.bias_penalised ? dot(state.bias, state.bias) : 0.0));
}

DualResult DualSolver::run(DualState& state, double tolerance, int max_epochs) {
  const auto outputs = static_cast<std::size_t>(problem_.outputs);
  DualResult result;
  double negligible = 0, least_gap = 0;
  int useless = 0;
  for (int i = 0; i < max_epochs; ++i) {
    const Sums stale = epoch(state, negligible);
    ++result.epochs;
    ++result.passes;
    const double about = penalty(state) + stale.loss;
    negligible = 0.1 * tolerance * about / static_cast<double>(rows_.size());
    useless = i == 0 || stale.gap < 0.7 * least_gap ? 0 : useless + 1;
    least_gap = i == 0 ? stale.gap : std::min(least_gap, stale.gap);
    // The gaps were those before each block was solved: an epoch takes them down to about a tenth.
    const bool last = i + 1 == max_epochs || (!problem_.bias_penalised && useless == 6);
    if (stale.gap < 20 * tolerance * about || last) {
      const Sums now = measure(state);
      ++result.passes;
      result.objective = penalty(state) + now.loss;
      result.gap = now.gap;
      result.converged = now.gap <= tolerance * result.objective;
      if (result.converged || last) return result;
    } else if (!problem_.bias_penalised) {
      std::vector<double> sum(outputs, 0.0);
      for (const std::int32_t row : rows_)
        for (std::size_t k = 0; k < outputs; ++k)
          sum[k] += state.a[static_cast<std::size_t>(row) * outputs + k];
      for (std::size_t k = 0; k < outputs; ++k) state.bias[k] += constant_ * sum[k];
    }
  }
  return result;
}

void DualSolver::start_along(std::span<const float> direction, DualState& state) {
  const auto outputs = static_cast<std::size_t>(problem_.outputs);
  for (std::size_t begin = 0; begin < rows_.size(); begin += rows_at_once) {
    const std::span<const std::int32_t> rows =
        std::span(rows_).subspan(begin, std::min<std::size_t>(rows_at_once, rows_.size() - begin));
    std::vector<float> change;
    for (const std::int32_t row : rows)
      for (std::size_t k = 0; k < outputs; ++k)
        change.push_back(direction[static_cast<std::size_t>(row) * outputs + k]);
    space_.add(rows, change);
  }
  const double squared = space_.squared_norm();
  const std::vector<double> s = all_scores();
  std::vector<double> scaled(outputs);
  const auto objective = [&](double factor) {
    double sum = 0.5 * factor * factor * squared;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const auto row = static_cast<std::size_t>(rows_[i]);
      for (std::size_t k = 0; k < outputs; ++k) scaled[k] = factor * s[i * outputs + k] + state.bias[k];
      sum += loss_.loss(problem_.c[row], problem_.y[row], scaled);
    }
    return sum;
  };
  // Convex along the line: thirds of its logarithm. Three digits are more than the start of an iteration
  // needs.
  double low = std::log(1e-9), high = 0;
  while (high - low > 0.05) {
    const double left = low + (high - low) / 3, right = high - (high - low) / 3;
    if (objective(std::exp(left)) < objective(std::exp(right)))
      high = right;
    else
      low = left;
  }
  const auto factor = static_cast<float>(std::exp(0.5 * (low + high)));
  space_.scale(factor);
  for (const std::int32_t row : rows_)
    for (std::size_t k = 0; k < outputs; ++k) {
      const std::size_t at = static_cast<std::size_t>(row) * outputs + k;
      state.a[at] = static_cast<double>(factor) * static_cast<double>(direction[at]);
    }
}

}  // namespace enxerto
