/// How well features suit a task, without training anything.
#pragma once

#include <cstdint>
#include <span>

#include "enxerto/tensor/tensor.h"

namespace enxerto {

/// LogME (You et al. 2021, "LogME: Practical Assessment of Pre-trained Models for Transfer Learning"): the
/// logarithm of the evidence for a linear model of each class's 0 or 1 on the features, at the precisions
/// that make it largest, divided by the pictures; the mean over classes. Higher is better; figures of the
/// same pictures compare. rows {n, c}, labels in [0, classes), each class at least once. Works in min(n, c)^2
/// doubles. Throws Error{usage} where there are fewer than two rows.
double logme(ConstView rows, std::span<const std::int32_t> labels, int classes);

}  // namespace enxerto
