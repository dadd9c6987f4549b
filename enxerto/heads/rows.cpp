#include "enxerto/heads/rows.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

constexpr std::int64_t piece = 1 << 16;

/// Whether all are finite. Infinity and NaN have an exponent of ones: no branch, so it is as fast as memory.
bool all_finite(std::span<const float> values) {
  std::uint32_t found = 0;
  for (const float each : values) {
    const std::uint32_t exponent = std::bit_cast<std::uint32_t>(each) & 0x7F800000u;
    found |= exponent == 0x7F800000u ? 1u : 0u;
  }
  return found == 0;
}

void check_finite(ConstView x) {
  const auto size = static_cast<std::int64_t>(x.data.size());
  const std::int64_t pieces = (size + piece - 1) / piece;
  std::int64_t worst = pieces;
#pragma omp parallel for schedule(static) reduction(min : worst)
  for (std::int64_t i = 0; i < pieces; ++i) {
    const auto begin = static_cast<std::size_t>(i * piece);
    if (!all_finite(x.data.subspan(begin, std::min<std::size_t>(piece, x.data.size() - begin))))
      worst = std::min(worst, i);
  }
  if (worst == pieces) return;
  auto at = static_cast<std::size_t>(worst * piece);
  while (std::isfinite(x.data[at])) ++at;
  const auto place = static_cast<std::int64_t>(at);
  throw Error(ErrorKind::usage,
              text("row ", place / x.shape.c, ", column ", place % x.shape.c, " of the features is ",
                   x.data[at], ": leave such rows out, or make the features again"));
}

void check_weights(const Rows& rows) {
  if (rows.weights.empty()) return;
  if (rows.weights.size() != rows.y.size())
    throw Error(ErrorKind::usage, text("there are ", rows.weights.size(), " weights for ", rows.n(),
                                       " rows: give each row one, or none at all"));
  for (std::size_t i = 0; i < rows.weights.size(); ++i)
    if (!std::isfinite(rows.weights[i]) || rows.weights[i] < 0)
      throw Error(ErrorKind::usage,
                  text("the weight of row ", i, " is ", rows.weights[i], ": it has to be at least 0"));
}

}  // namespace

void check_features(ConstView x) {
  if (x.shape.n < 1 || x.shape.c < 1 || x.shape.h != 1 || x.shape.w != 1 ||
      static_cast<std::int64_t>(x.data.size()) != x.shape.size())
    throw Error(ErrorKind::usage, text("features of ", format_shape(x.shape),
                                       ": a head takes {rows, columns}, at "
                                       "least one of each; flatten them first"));
  check_finite(x);
}

void check_rows(const Rows& rows) {
  if (static_cast<std::int64_t>(rows.y.size()) != rows.n())
    throw Error(ErrorKind::usage, text("there are ", rows.y.size(), " labels for ", rows.n(),
                                       " rows of features: each row needs one"));
  if (rows.classes < 2)
    throw Error(ErrorKind::usage, text(rows.classes, " classes: a classifier needs at least two"));
  check_weights(rows);
  std::vector<bool> present(static_cast<std::size_t>(rows.classes), false);
  for (std::size_t i = 0; i < rows.y.size(); ++i) {
    if (rows.y[i] < 0 || rows.y[i] >= rows.classes)
      throw Error(ErrorKind::usage, text("the label of row ", i, " is ", rows.y[i], ": with ", rows.classes,
                                         " classes it has to be from 0 to ", rows.classes - 1));
    if (rows.weights.empty() || rows.weights[i] > 0) present[static_cast<std::size_t>(rows.y[i])] = true;
  }
  if (std::count(present.begin(), present.end(), true) < 2)
    throw Error(ErrorKind::usage, "all rows are of one class: add rows of another");
  check_features(rows.x);
}

std::vector<float> weights_of_rows(const Rows& rows, const ClassWeights& classes) {
  const auto count = static_cast<std::size_t>(rows.classes);
  std::vector<double> of_class(count, 1.0);
  if (classes.balanced) {
    if (!classes.given.empty())
      throw Error(ErrorKind::usage, "class weights are either balanced or given, not both");
    std::vector<double> sum(count, 0.0);
    double total = 0;
    std::size_t present = 0;
    for (std::size_t i = 0; i < rows.y.size(); ++i)
      sum[static_cast<std::size_t>(rows.y[i])] +=
          rows.weights.empty() ? 1.0 : static_cast<double>(rows.weights[i]);
    for (const double each : sum) total += each, present += each > 0 ? 1 : 0;
    for (std::size_t k = 0; k < count; ++k)
      of_class[k] = sum[k] > 0 ? total / (static_cast<double>(present) * sum[k]) : 0.0;
  } else if (!classes.given.empty()) {
    if (classes.given.size() != count)
      throw Error(ErrorKind::usage,
                  text("there are ", classes.given.size(), " class weights for ", count, " classes"));
    of_class = classes.given;
    for (std::size_t k = 0; k < count; ++k)
      if (!std::isfinite(of_class[k]) || of_class[k] < 0)
        throw Error(ErrorKind::usage,
                    text("the weight of class ", k, " is ", of_class[k], ": it has to be at least 0"));
  }
  std::vector<float> made(rows.y.size());
  for (std::size_t i = 0; i < made.size(); ++i)
    made[i] = static_cast<float>(of_class[static_cast<std::size_t>(rows.y[i])] *
                                 (rows.weights.empty() ? 1.0 : static_cast<double>(rows.weights[i])));
  return made;
}

}  // namespace enxerto
