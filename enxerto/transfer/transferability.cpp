#include "enxerto/transfer/transferability.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/heads/dense.h"

namespace enxerto {
namespace {

/// Rows F = U S V^T as the evidence sees them: the squares of S, and for each class the coordinates of its
/// targets in U with what U does not reach.
struct Spectrum {
  std::vector<double> squares;             ///< of singular values, r
  std::vector<std::vector<double>> along;  ///< for each class, r: (u_i . y)^2
  std::vector<double> beyond;              ///< for each class: ||y||^2 minus the sum of them
};

Spectrum spectrum_of(ConstView rows, std::span<const std::int32_t> labels, int classes) {
  const std::int64_t n = rows.shape.n, c = rows.shape.c, m = std::min(n, c);
  std::vector<double> values(rows.data.begin(), rows.data.end());
  std::vector<double> gram(static_cast<std::size_t>(m * m));
  const dense::Matrix<const double> features(values.data(), n, c);
  const dense::Matrix<double> square(gram.data(), m, m);
  dense::add_gram(c <= n ? features : dense::turned(features), square);
  const std::vector<double> eigenvalues = dense::eigen_rows(square);
  // What is below the rounding of the largest is no direction.
  const double least = eigenvalues.back() * 1e-12 * static_cast<double>(m);
  Spectrum made;
  made.along.resize(static_cast<std::size_t>(classes));
  made.beyond.resize(static_cast<std::size_t>(classes));
  for (const std::int32_t label : labels) ++made.beyond[static_cast<std::size_t>(label)];
  // Row i is the direction u_i times s_i (of a wide F: u_i itself).
  std::vector<double> directions;
  if (c <= n) {
    directions.resize(static_cast<std::size_t>(m * n));
    dense::multiply(dense::Matrix<const double>(gram.data(), m, m), dense::turned(features), 0,
                    dense::Matrix<double>(directions.data(), m, n));
  } else {
    directions = std::move(gram);
  }
  for (std::int64_t i = m - 1; i >= 0; --i) {
    const double square_of = eigenvalues[static_cast<std::size_t>(i)];
    if (square_of <= least) break;
    const double* direction = directions.data() + i * n;
    std::vector<double> dot(static_cast<std::size_t>(classes));
    for (std::size_t row = 0; row < labels.size(); ++row)
      dot[static_cast<std::size_t>(labels[row])] += direction[row];
    made.squares.push_back(square_of);
    for (std::size_t k = 0; k < dot.size(); ++k) {
      made.along[k].push_back(dot[k] * dot[k] / (c <= n ? square_of : 1));
      made.beyond[k] -= made.along[k].back();
    }
  }
  for (double& each : made.beyond) each = std::max(each, 0.0);
  return made;
}

/// The largest evidence for one class's targets, by MacKay's fixed point (You et al., algorithm 1).
double evidence(const Spectrum& of, std::size_t k, double n, double c) {
  const auto r = of.squares.size();
  double alpha = 1, beta = 1, weight = 0, error = 0;
  const auto measure = [&] {
    weight = 0;
    error = of.beyond[k];
    double degrees = 0;
    for (std::size_t i = 0; i < r; ++i) {
      const double s = of.squares[i], whole = alpha + beta * s;
      weight += beta * beta * s * of.along[k][i] / (whole * whole);
      error += alpha * alpha * of.along[k][i] / (whole * whole);
      degrees += beta * s / whole;
    }
    return degrees;
  };
  for (int step = 0; step < 1000; ++step) {
    const double ratio = alpha / beta, degrees = measure();
    alpha = degrees / std::max(weight, 1e-12);
    beta = (n - degrees) / std::max(error, 1e-12);
    if (std::abs(alpha / beta - ratio) <= 1e-6 * ratio) break;
  }
  measure();
  double determinant = (c - static_cast<double>(r)) * std::log(alpha);
  for (const double s : of.squares) determinant += std::log(alpha + beta * s);
  return (c * std::log(alpha) + n * std::log(beta) - determinant - beta * error - alpha * weight -
          n * std::log(2 * std::numbers::pi)) /
         2;
}

}  // namespace

double logme(ConstView rows, std::span<const std::int32_t> labels, int classes) {
  ensure(rows.shape.n == std::ssize(labels), "there is a label for each row");
  if (labels.size() < 2) throw Error(ErrorKind::usage, "LogME needs two pictures or more");
  const Spectrum spectrum = spectrum_of(rows, labels, classes);
  const auto n = static_cast<double>(rows.shape.n), c = static_cast<double>(rows.shape.c);
  double sum = 0;
  int there = 0;  // of a class without rows nothing can be told
  for (int k = 0; k < classes; ++k) {
    if (std::ranges::find(labels, k) == labels.end()) continue;
    sum += evidence(spectrum, static_cast<std::size_t>(k), n, c) / n;
    ++there;
  }
  return sum / std::max(there, 1);
}

}  // namespace enxerto
