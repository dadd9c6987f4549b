#include <algorithm>
#include <cmath>

#include "enxerto/heads/logistic_loss.h"

namespace enxerto {
namespace {

/// Solves h x = g for a symmetric, positive definite h {k, k}, by Cholesky; h and g are overwritten, g with
/// x.
void solve_positive(std::span<double> h, std::span<double> g) {
  const std::size_t k = g.size();
  for (std::size_t j = 0; j < k; ++j) {
    for (std::size_t m = 0; m < j; ++m) h[j * k + j] -= h[j * k + m] * h[j * k + m];
    h[j * k + j] = std::sqrt(std::max(h[j * k + j], 1e-300));
    for (std::size_t i = j + 1; i < k; ++i) {
      for (std::size_t m = 0; m < j; ++m) h[i * k + j] -= h[i * k + m] * h[j * k + m];
      h[i * k + j] /= h[j * k + j];
    }
  }
  for (std::size_t i = 0; i < k; ++i) {
    for (std::size_t m = 0; m < i; ++m) g[i] -= h[i * k + m] * g[m];
    g[i] /= h[i * k + i];
  }
  for (std::size_t i = k; i-- > 0;) {
    for (std::size_t m = i + 1; m < k; ++m) g[i] -= h[m * k + i] * g[m];
    g[i] /= h[i * k + i];
  }
}

}  // namespace

void polish_bias(const DualProblem& problem, std::span<const std::int32_t> rows,
                 std::span<const double> scores, std::span<double> bias) {
  const std::size_t k = bias.size();
  std::vector<double> s(k), p(k), step(k), tried(bias.begin(), bias.end());
  const auto evaluate = [&](std::span<const double> at, double& value, std::vector<double>& g,
                            std::vector<double>& h) {
    value = 0;
    g.assign(k, 0.0);
    h.assign(k * k, 0.0);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto row = static_cast<std::size_t>(rows[i]);
      const auto y = static_cast<std::size_t>(problem.y[row]);
      for (std::size_t a = 0; a < k; ++a) s[a] = scores[i * k + a] + at[a];
      value += problem.c[row] * (softmax_of(s, p) - s[y]);
      for (std::size_t a = 0; a < k; ++a) {
        g[a] += problem.c[row] * (p[a] - (a == y ? 1.0 : 0.0));
        h[a * k + a] += problem.c[row] * p[a];
        for (std::size_t b = 0; b <= a; ++b) h[a * k + b] -= problem.c[row] * p[a] * p[b];
      }
    }
  };
  double value = 0;
  std::vector<double> g, h;
  evaluate(bias, value, g, h);
  for (int i = 0; i < 20; ++i) {
    double trace = 0;
    for (std::size_t a = 0; a < k; ++a) trace += h[a * k + a];
    // The direction in which all move alike has no curvature, and nothing to gain either.
    for (std::size_t a = 0; a < k; ++a) {
      for (std::size_t b = 0; b <= a; ++b) h[a * k + b] += trace / static_cast<double>(k * k);
      h[a * k + a] += 1e-10 * trace + 1e-300;
    }
    step = g;
    solve_positive(h, step);
    double gain = 0;
    for (std::size_t a = 0; a < k; ++a) gain += step[a] * g[a];
    if (!(gain > 1e-9 * value)) return;
    double length = 1, now = value;
    std::vector<double> new_g, new_h;
    for (int halving = 0; halving < 30; ++halving, length *= 0.5) {
      for (std::size_t a = 0; a < k; ++a) tried[a] = bias[a] - length * step[a];
      evaluate(tried, now, new_g, new_h);
      if (now <= value - 1e-4 * length * gain) break;
    }
    if (!(now < value)) return;
    std::copy(tried.begin(), tried.end(), bias.begin());
    value = now;
    g = new_g;
    h = new_h;
  }
}

}  // namespace enxerto
