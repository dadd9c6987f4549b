/// The slow twins of kernels/rows/rows.h, in double.
#pragma once

#include <vector>

#include "enxerto/kernels/rows/rows.h"

namespace enxerto::reference {

/// sums[i * classes + k] of the rows named, or where `magnitudes` of the absolute values of what is added up.
std::vector<double> scores(const cpu::RowView& view, std::span<const std::int32_t> rows, const float* w,
                           int classes, bool magnitudes = false);
/// {classes, c}, what add_outer() adds.
std::vector<double> outer(const cpu::RowView& view, std::span<const std::int32_t> rows,
                          std::span<const float> factors, int classes, const float* scale = nullptr,
                          bool magnitudes = false);
/// {rows, rows}
std::vector<double> gram(const cpu::RowView& view, std::span<const std::int32_t> rows,
                         bool magnitudes = false);

}  // namespace enxerto::reference
