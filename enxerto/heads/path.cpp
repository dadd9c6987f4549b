#include "enxerto/heads/path.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "enxerto/core/error.h"
#include "enxerto/core/random.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/heads/path_fold.h"

namespace enxerto {

std::vector<double> PathConfig::strengths_between(double low, double high, int count) {
  std::vector<double> made;
  for (int i = 0; i < count; ++i)
    made.push_back(count == 1 ? low : low * std::pow(high / low, i / (count - 1.0)));
  return made;
}

std::vector<std::int32_t> stratified_folds(const Rows& rows, int folds, std::uint64_t seed) {
  if (folds < 2) throw Error(ErrorKind::usage, text(folds, " folds: cross-validation needs at least two"));
  std::vector<std::int32_t> made(rows.y.size(), -1);
  int next = 0, judged = 0;  // goes on from class to class, so that the folds are of one size
  for (int k = 0; k < rows.classes; ++k) {
    std::vector<std::size_t> of_class;
    for (std::size_t i = 0; i < rows.y.size(); ++i)
      if (rows.y[i] == k) of_class.push_back(i);
    if (of_class.size() < 2) continue;
    judged += static_cast<int>(of_class.size());
    Rng rng = Rng(seed).child(static_cast<std::uint64_t>(k));
    shuffle(of_class, rng);
    for (const std::size_t row : of_class) {
      made[row] = next;
      next = (next + 1) % folds;
    }
  }
  if (judged == 0)
    throw Error(ErrorKind::usage,
                "no class has two rows: cross-validation needs some to learn from and some to judge");
  return made;
}

bool gram_wins(std::int64_t n, std::int64_t c, int outputs, std::int64_t fits) {
  if (n > c / 4) return false;  // more than a quarter of the features' memory
  // In multiplications. An epoch over the features reads and writes n c k twice, over the Gram matrix n n k
  // once; a matrix product makes about twice as many a second as either.
  constexpr double epochs_of_a_fit = 12, speed_of_product = 2;
  const auto rows = static_cast<double>(n), columns = static_cast<double>(c);
  const double epochs = epochs_of_a_fit * static_cast<double>(fits) * outputs;
  return rows * rows * columns / 2 / speed_of_product + epochs * rows * rows < 2 * epochs * rows * columns;
}

namespace {

std::vector<std::int32_t> folds_of(const Rows& rows, const PathConfig& path) {
  if (path.fold_of_row.empty()) return stratified_folds(rows, path.folds, path.seed);
  if (path.fold_of_row.size() != rows.y.size())
    throw Error(ErrorKind::usage,
                text("there are ", path.fold_of_row.size(), " fold numbers for ", rows.n(), " rows"));
  std::vector<std::int32_t> numbers(path.fold_of_row.begin(), path.fold_of_row.end());
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::erase_if(numbers, [](std::int32_t each) { return each < 0; });
  if (numbers.size() < 2)
    throw Error(ErrorKind::usage, "all rows are of one fold: cross-validation needs two");
  std::vector<std::int32_t> made;
  for (const std::int32_t each : path.fold_of_row)
    made.push_back(
        each < 0 ? -1 : static_cast<std::int32_t>(std::ranges::lower_bound(numbers, each) - numbers.begin()));
  return made;
}

std::vector<double> ascending(std::vector<double> strengths) {
  if (strengths.empty()) throw Error(ErrorKind::usage, "a path needs at least one strength");
  std::sort(strengths.begin(), strengths.end());
  if (!(strengths.front() > 0) || !std::isfinite(strengths.back()))
    throw Error(ErrorKind::usage, text("C = ", strengths.front(), ": it has to be above 0"));
  return strengths;
}

/// Which rows a fold learns from, as weights; Error where fewer than two classes are left.
std::vector<float> weights_without(const Rows& rows, std::span<const std::int32_t> folds, std::int32_t fold) {
  std::vector<float> made(rows.y.size(), 0.0f);
  std::vector<bool> present(static_cast<std::size_t>(rows.classes), false);
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (folds[i] == fold) continue;
    made[i] = rows.weights.empty() ? 1.0f : rows.weights[i];
    if (made[i] > 0) present[static_cast<std::size_t>(rows.y[i])] = true;
  }
  if (std::count(present.begin(), present.end(), true) < 2)
    throw Error(ErrorKind::usage,
                text("without fold ", fold, " fewer than two classes are left: use other folds"));
  return made;
}

/// The share of the fold's rows (those of weight > 0) that are predicted right.
double accuracy_of(const Rows& rows, std::span<const std::int32_t> held, PathFold& fold) {
  const auto outputs = static_cast<std::size_t>(fold.outputs());
  std::vector<double> s(held.size() * outputs);
  fold.scores(held, s);
  std::int64_t right = 0;
  for (std::size_t i = 0; i < held.size(); ++i) {
    const auto own = s.begin() + static_cast<std::ptrdiff_t>(i * outputs);
    const auto best = outputs == 1 ? (own[0] > 0 ? 1 : 0)
                                   : std::max_element(own, own + static_cast<std::ptrdiff_t>(outputs)) - own;
    right += best == rows.y[static_cast<std::size_t>(held[i])] ? 1 : 0;
  }
  return held.empty() ? 0.0 : static_cast<double>(right) / static_cast<double>(held.size());
}

void summarise(PathStep& step) {
  const auto count = static_cast<double>(step.accuracies.size());
  step.mean = std::accumulate(step.accuracies.begin(), step.accuracies.end(), 0.0) / count;
  double squares = 0;
  for (const double each : step.accuracies) squares += (each - step.mean) * (each - step.mean);
  step.standard_error = std::sqrt(squares / (count - 1) / count);
}

/// Runs all folds and, where refit, all rows at the strength that won.
PathResult run_path(const Rows& rows, const PathConfig& path, const PathTask& task, double began) {
  const std::vector<double> strengths = ascending(path.strengths);
  const std::vector<std::int32_t> fold_of_row = folds_of(rows, path);
  const int folds = *std::max_element(fold_of_row.begin(), fold_of_row.end()) + 1;
  std::vector<std::vector<std::int32_t>> held(static_cast<std::size_t>(folds));
  std::vector<std::vector<float>> weights;
  for (std::size_t i = 0; i < fold_of_row.size(); ++i)
    if (fold_of_row[i] >= 0 && (rows.weights.empty() || rows.weights[i] > 0))
      held[static_cast<std::size_t>(fold_of_row[i])].push_back(static_cast<std::int32_t>(i));
  for (int f = 0; f < folds; ++f) weights.push_back(weights_without(rows, fold_of_row, f));

  PathResult result;
  const auto fits = static_cast<std::int64_t>(strengths.size()) * folds;
  std::vector<float> gram;
  result.gram = task.dual && gram_wins(rows.n(), rows.c(), task.outputs, fits);
  if (result.gram) {
    gram.resize(static_cast<std::size_t>(rows.n() * rows.n()));
    cpu::gram(task.seen->view(), rows.n(), gram.data());
  }
  for (const double strength : strengths) {
    PathStep step;
    step.strength = strength;
    step.accuracies.resize(static_cast<std::size_t>(folds));
    result.steps.push_back(step);
  }
  std::vector<std::vector<bool>> converged(static_cast<std::size_t>(folds));  // by fold, then strength
  // Over one Gram matrix a fold is one thread's work; over the features all threads share each pass.
#pragma omp parallel for schedule(dynamic, 1) if (result.gram)
  for (int f = 0; f < folds; ++f) {
    const auto at = static_cast<std::size_t>(f);
    const std::unique_ptr<PathFold> fold = task.make(weights[at], gram);
    for (PathStep& step : result.steps) {
      converged[at].push_back(fold->fit(step.strength));
      step.accuracies[at] = accuracy_of(rows, held[at], *fold);
    }
  }
  for (std::size_t s = 0; s < result.steps.size(); ++s) {
    summarise(result.steps[s]);
    result.steps[s].converged = std::ranges::all_of(converged, [&](const auto& fold) { return fold[s]; });
  }
  const auto best = std::ranges::max_element(result.steps, {}, &PathStep::mean);
  result.best = best->strength;
  if (path.refit) result.fit = task.refit(result.best, gram);
  result.seconds = now_seconds() - began;
  return result;
}

}  // namespace

PathResult fit_logistic_path(const Rows& rows, const LogisticConfig& config, const PathConfig& path) {
  const double began = now_seconds();
  return run_path(rows, path, logistic_task(rows, config), began);
}

PathResult fit_svm_path(const Rows& rows, const SvmConfig& config, const PathConfig& path) {
  const double began = now_seconds();
  return run_path(rows, path, svm_task(rows, config), began);
}

}  // namespace enxerto
