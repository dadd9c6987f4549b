#include "enxerto/kernels/reference/rows.h"

#include <cmath>

namespace enxerto::reference {
namespace {

double element(const cpu::RowView& view, std::int64_t row, std::int64_t column, bool scaled) {
  double x = static_cast<double>(view.x[row * view.c + column]);
  if (view.mean) x -= static_cast<double>(view.mean[column]);
  if (scaled && view.scale) x *= static_cast<double>(view.scale[column]);
  return x;
}

}  // namespace

std::vector<double> scores(const cpu::RowView& view, std::span<const std::int32_t> rows, const float* w,
                           int classes, bool magnitudes) {
  std::vector<double> made;
  for (const std::int32_t row : rows)
    for (int k = 0; k < classes; ++k) {
      double sum = 0;
      for (std::int64_t j = 0; j < view.c; ++j) {
        const double product = element(view, row, j, false) * static_cast<double>(w[k * view.c + j]);
        sum += magnitudes ? std::abs(product) : product;
      }
      made.push_back(sum);
    }
  return made;
}

std::vector<double> outer(const cpu::RowView& view, std::span<const std::int32_t> rows,
                          std::span<const float> factors, int classes, const float* scale, bool magnitudes) {
  std::vector<double> made;
  for (int k = 0; k < classes; ++k)
    for (std::int64_t j = 0; j < view.c; ++j) {
      double sum = 0;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const double product =
            static_cast<double>(
                factors[i * static_cast<std::size_t>(classes) + static_cast<std::size_t>(k)]) *
            element(view, rows[i], j, false);
        sum += magnitudes ? std::abs(product) : product;
      }
      made.push_back(scale ? sum * (magnitudes ? std::abs(scale[j]) : scale[j]) : sum);
    }
  return made;
}

std::vector<double> gram(const cpu::RowView& view, std::span<const std::int32_t> rows, bool magnitudes) {
  std::vector<double> made;
  for (const std::int32_t a : rows)
    for (const std::int32_t b : rows) {
      double sum = 0;
      for (std::int64_t j = 0; j < view.c; ++j) {
        const double product = element(view, a, j, true) * element(view, b, j, true);
        sum += magnitudes ? std::abs(product) : product;
      }
      made.push_back(sum);
    }
  return made;
}

}  // namespace enxerto::reference
