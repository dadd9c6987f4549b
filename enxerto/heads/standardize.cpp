#include "enxerto/heads/standardize.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

/// Columns that one thread takes at a time: their sums stay in the first-level cache.
constexpr std::int64_t strip = 1024;

struct Sums {
  double sum[strip];
};

/// Adds weight * f(x - shift) of every row to sums, for columns [begin, begin + width).
template <class F>
void add_rows(ConstView x, std::span<const float> weights, std::int64_t begin, std::int64_t width, Sums& to,
              F f) {
  std::fill(to.sum, to.sum + width, 0.0);
  for (std::int64_t i = 0; i < x.shape.n; ++i) {
    const double weight = weights.empty() ? 1.0 : static_cast<double>(weights[static_cast<std::size_t>(i)]);
    if (weight == 0) continue;
    const float* const row = x.data.data() + i * x.shape.c + begin;
    for (std::int64_t j = 0; j < width; ++j) to.sum[j] += weight * f(row[j], j);
  }
}

}  // namespace

Standardization standardization_of(ConstView x, std::span<const float> weights) {
  const auto columns = static_cast<std::size_t>(x.shape.c);
  Standardization made{std::vector<float>(columns), std::vector<float>(columns)};
  double total = weights.empty() ? static_cast<double>(x.shape.n) : 0.0;
  for (const float each : weights) total += static_cast<double>(each);
  if (!(total > 0)) throw Error(ErrorKind::usage, "no row has a weight: there is nothing to standardise by");
#pragma omp parallel for schedule(static)
  for (std::int64_t begin = 0; begin < x.shape.c; begin += strip) {
    const std::int64_t width = std::min(strip, x.shape.c - begin);
    Sums sums;
    add_rows(x, weights, begin, width, sums,
             [](float value, std::int64_t) { return static_cast<double>(value); });
    double mean[strip];
    for (std::int64_t j = 0; j < width; ++j) mean[j] = sums.sum[j] / total;
    // Two passes: E[x^2] - E[x]^2 loses all digits when |mean| >> deviation.
    add_rows(x, weights, begin, width, sums, [&](float value, std::int64_t j) {
      const double off = static_cast<double>(value) - mean[j];
      return off * off;
    });
    for (std::int64_t j = 0; j < width; ++j) {
      const double deviation = std::sqrt(sums.sum[j] / total);
      const auto at = static_cast<std::size_t>(begin + j);
      made.mean[at] = static_cast<float>(mean[j]);
      // What is left of a constant column is rounding: dividing by it would make noise as large as a feature.
      const bool constant = deviation <= 1e-6 * std::abs(mean[j]) || deviation < 1e-30;
      made.scale[at] = constant ? 1.0f : static_cast<float>(deviation);
    }
  }
  return made;
}

void standardize_row(const Standardization& by, std::span<const float> x, std::span<float> out) {
  for (std::size_t j = 0; j < x.size(); ++j) out[j] = by.empty() ? x[j] : (x[j] - by.mean[j]) / by.scale[j];
}

void unfold_standardization(const Standardization& by, LinearHead& head) {
  if (by.empty()) return;
  const auto columns = static_cast<std::size_t>(head.w.shape().c);
  for (std::size_t k = 0; k < static_cast<std::size_t>(head.classes()); ++k) {
    const std::span<float> w = head.w.data().subspan(k * columns, columns);
    double shift = 0;
    for (std::size_t j = 0; j < columns; ++j) {
      w[j] /= by.scale[j];
      shift += static_cast<double>(w[j]) * static_cast<double>(by.mean[j]);
    }
    head.b.data()[k] = static_cast<float>(static_cast<double>(head.b.data()[k]) - shift);
  }
}

void fold_standardization(const Standardization& by, LinearHead& head) {
  if (by.empty()) return;
  const auto columns = static_cast<std::size_t>(head.w.shape().c);
  for (std::size_t k = 0; k < static_cast<std::size_t>(head.classes()); ++k) {
    const std::span<float> w = head.w.data().subspan(k * columns, columns);
    double shift = 0;
    for (std::size_t j = 0; j < columns; ++j) {
      shift += static_cast<double>(w[j]) * static_cast<double>(by.mean[j]);
      w[j] *= by.scale[j];
    }
    head.b.data()[k] = static_cast<float>(static_cast<double>(head.b.data()[k]) + shift);
  }
}

}  // namespace enxerto
