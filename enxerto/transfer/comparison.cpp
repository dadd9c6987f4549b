#include "enxerto/transfer/comparison.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "enxerto/core/error.h"
#include "enxerto/core/mcnemar.h"

namespace enxerto {
namespace {

constexpr double normal_80 = 0.8416212335729143;

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Of the sample, with n - 1; 0 of one.
double variance_of(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return sum / static_cast<double>(values.size() - 1);
}

double variance_of_mean(std::span<const double> values) {
  return variance_of(values) / static_cast<double>(values.size());
}

/// The regularised incomplete beta function I_x(a, b), by Lentz's continued fraction (Numerical Recipes,
/// section 6.4), for x < (a + 1) / (a + b + 2).
double incomplete_beta(double a, double b, double x) {
  constexpr double tiny = 1e-300;
  const auto away_from_zero = [](double value) { return std::abs(value) < tiny ? tiny : value; };
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), fraction = d;
  for (int m = 1; m < 10000; ++m) {
    const double k = m;
    const double even = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    fraction *= c * d;
    const double odd = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    const double step = c * d;
    fraction *= step;
    if (std::abs(step - 1) < 1e-15) break;
  }
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  return front * fraction / a;
}

/// P(T > t) of Student's t, t > 0.
double upper_tail(double t, double degrees) {
  const double x = degrees / (degrees + t * t), a = degrees / 2, b = 0.5;
  return 0.5 * (x < (a + 1) / (a + b + 2) ? incomplete_beta(a, b, x) : 1 - incomplete_beta(b, a, 1 - x));
}

/// For each picture the mean over seeds.
std::vector<double> mean_over_seeds(const RightAnswers& answers) {
  std::vector<double> means(answers.front().size());
  for (const auto& seed : answers)
    for (std::size_t i = 0; i < seed.size(); ++i) means[i] += seed[i];
  for (double& mean : means) mean /= static_cast<double>(answers.size());
  return means;
}

std::vector<double> accuracies_of(const RightAnswers& answers) {
  std::vector<double> made;
  for (const auto& seed : answers)
    made.push_back(static_cast<double>(std::accumulate(seed.begin(), seed.end(), std::int64_t{0})) /
                   static_cast<double>(seed.size()));
  return made;
}

void check(const RightAnswers& answers) {
  ensure(!answers.empty() && !answers.front().empty(), "a recipe was asked at least once");
  for (const auto& seed : answers)
    ensure(seed.size() == answers.front().size(), "all seeds were asked about the same pictures");
}

/// Whether every seed gave the same answers: then there is but one test.
bool are_alike(const RightAnswers& answers) {
  return std::ranges::all_of(answers, [&](const auto& seed) { return seed == answers.front(); });
}

/// p of one seed of each; of several twice the median.
double p_of(const RightAnswers& a, const RightAnswers& b) {
  std::vector<double> each;
  for (std::size_t s = 0; s < std::max(a.size(), b.size()); ++s) {
    const auto& first = a[s % a.size()];
    const auto& second = b[s % b.size()];
    std::int64_t only_first = 0, only_second = 0;
    for (std::size_t i = 0; i < first.size(); ++i) {
      only_first += first[i] > second[i];
      only_second += first[i] < second[i];
    }
    each.push_back(mcnemar(only_first, only_second));
  }
  std::ranges::sort(each);
  const std::size_t half = each.size() / 2;
  const double median = each.size() % 2 ? each[half] : (each[half - 1] + each[half]) / 2;
  return are_alike(a) && are_alike(b) ? median : std::min(1.0, 2 * median);
}

Interval difference_interval(const RightAnswers& a, const RightAnswers& b) {
  const std::vector<double> first = mean_over_seeds(a), second = mean_over_seeds(b);
  const double n = static_cast<double>(first.size()) + 2;  // with one picture for each side
  double sum = 0, squares = 2;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const double d = first[i] - second[i];
    sum += d;
    squares += d * d;
  }
  const double middle = sum / n, of_pictures = (squares / n - middle * middle) / n;
  const double of_a = variance_of_mean(accuracies_of(a)), of_b = variance_of_mean(accuracies_of(b));
  const double all = of_pictures + of_a + of_b;
  double inverse = of_pictures * of_pictures / n;
  for (const auto& [variance, seeds] : {std::pair{of_a, a.size()}, {of_b, b.size()}})
    if (seeds > 1) inverse += variance * variance / static_cast<double>(seeds - 1);
  const double half = (of_a + of_b > 0 ? student_t(all * all / inverse) : normal_975) * std::sqrt(all);
  return {.low = std::max(-1.0, middle - half), .high = std::min(1.0, middle + half)};
}

/// z with P(Z > z) = tail, of the normal distribution.
double normal_beyond(double tail) {
  double low = 0, high = 40;
  for (int step = 0; step < 100; ++step) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(middle / std::numbers::sqrt2) > tail ? low : high) = middle;
  }
  return (low + high) / 2;
}

/// Connor 1987, equation 3, two-sided at `alpha`.
std::optional<std::int64_t> enough_for(double only_first, double only_second, double alpha) {
  const double discordant = only_first + only_second, d = only_first - only_second;
  if (std::abs(d) < 1e-12) return {};
  const double root = normal_beyond(alpha / 2) * std::sqrt(discordant) +
                      normal_80 * std::sqrt(std::max(0.0, discordant - d * d));
  return static_cast<std::int64_t>(std::ceil(root * root / (d * d)));
}

Verdict verdict_of(const Contrast& contrast) {
  if (contrast.p_adjusted >= 0.05) return Verdict::not_shown;
  if (contrast.interval.low <= 0 && contrast.interval.high >= 0) return Verdict::seeds_matter;
  return contrast.difference > 0 ? Verdict::first_better : Verdict::second_better;
}

}  // namespace

double student_t(double degrees) {
  ensure(degrees > 0, "there are degrees of freedom");
  if (degrees > 1e6) return normal_975;
  double low = 1, high = 2;
  while (upper_tail(high, degrees) > 0.025) high *= 2;
  for (int step = 0; step < 100; ++step) {
    const double middle = (low + high) / 2;
    (upper_tail(middle, degrees) > 0.025 ? low : high) = middle;
  }
  return (low + high) / 2;
}

Accuracy accuracy_of(const RightAnswers& answers) {
  check(answers);
  Accuracy made{.seeds = accuracies_of(answers), .mean = 0, .interval = {}};
  made.mean = mean_of(made.seeds);
  made.seed_deviation = std::sqrt(variance_of(made.seeds));
  const std::vector<double> pictures = mean_over_seeds(answers);
  const auto n = static_cast<double>(pictures.size());
  double squares = 0;
  for (const double each : pictures) squares += (each - made.mean) * (each - made.mean);
  const double variance = squares / n / n + variance_of_mean(made.seeds);
  const double alike = made.mean * (1 - made.mean);
  made.interval = wilson_interval_of(made.mean, variance > 0 ? alike / variance : n);
  return made;
}

std::vector<Contrast> contrasts_of(std::span<const RightAnswers> recipes) {
  for (const RightAnswers& answers : recipes) {
    check(answers);
    ensure(answers.front().size() == recipes.front().front().size(),
           "all were asked about the same pictures");
  }
  std::vector<Contrast> made;
  const std::size_t comparisons = recipes.size() * (recipes.size() - 1) / 2;
  for (std::size_t i = 0; i < recipes.size(); ++i)
    for (std::size_t j = i + 1; j < recipes.size(); ++j) {
      const RightAnswers &a = recipes[i], &b = recipes[j];
      Contrast contrast{.first = i, .second = j, .interval = difference_interval(a, b)};
      contrast.difference = mean_of(accuracies_of(a)) - mean_of(accuracies_of(b));
      double both = 0;
      const std::size_t pairs = std::max(a.size(), b.size());
      for (std::size_t s = 0; s < pairs; ++s)
        for (std::size_t k = 0; k < a.front().size(); ++k) both += a[s % a.size()][k] && b[s % b.size()][k];
      both /= static_cast<double>(pairs * a.front().size());
      contrast.only_first = std::max(0.0, mean_of(accuracies_of(a)) - both);
      contrast.only_second = std::max(0.0, mean_of(accuracies_of(b)) - both);
      contrast.p = p_of(a, b);
      // What the least p of all pairs has to be below, before it is adjusted; unless the seeds alone hide the
      // difference from any number of pictures.
      const double of_seeds = variance_of_mean(accuracies_of(a)) + variance_of_mean(accuracies_of(b));
      if (std::abs(contrast.difference) > normal_975 * std::sqrt(of_seeds))
        contrast.enough =
            enough_for(contrast.only_first, contrast.only_second,
                       0.05 / static_cast<double>(comparisons) / (are_alike(a) && are_alike(b) ? 1 : 2));
      made.push_back(contrast);
    }
  std::vector<double> all;
  for (const Contrast& contrast : made) all.push_back(contrast.p);
  const std::vector<double> adjusted = adjusted_by_holm(all);
  for (std::size_t i = 0; i < made.size(); ++i) {
    made[i].p_adjusted = adjusted[i];
    made[i].verdict = verdict_of(made[i]);
  }
  return made;
}

std::int64_t pictures_for(double p, double half) {
  ensure(half > 0, "an interval has a width");
  return static_cast<std::int64_t>(std::ceil(normal_975 * normal_975 * p * (1 - p) / (half * half)));
}

}  // namespace enxerto
